"""From a configuration to networks, starting values, losses and states; and from a checkpoint back to a network."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import config_dict

from sde_seg_jax.data.reading.class_shares import class_shares
from sde_seg_jax.data.reading.dataset import Data
from sde_seg_jax.experiment.cached_depth import reads_cache
from sde_seg_jax.experiment.config import UsageError, call, plain, value_of
from sde_seg_jax.experiment.schedule import make_factor
from sde_seg_jax.experiment.spaces import class_count
from sde_seg_jax.experiment.weights.sources import Source, opener
from sde_seg_jax.experiment.weights.transfer import transfer
from sde_seg_jax.models.init import initial_variables
from sde_seg_jax.models.network import Network, make_network
from sde_seg_jax.state_files.reading import DamagedFile, checked
from sde_seg_jax.state_files.schemas import CONFIG
from sde_seg_jax.tasks.task import Task, find_task
from sde_seg_jax.training import checkpoints, ema, sharding
from sde_seg_jax.training.optimizers import Optimizer, make_optimizer
from sde_seg_jax.training.step import Loss, init_state, make_step, parameter_count
from sde_seg_jax.types import TrainState, Variables

PARTS = ("depth", "segmentation", "pose")
NOT_NETWORK = ("init", "transfer")  # keys of the model section that are not make_network's
# keys of the task section that are not make_loss's
NOT_LOSS = ("name", "depth_checkpoint", "source_depth_checkpoint", "reference_encoder")
# frozen network -> the section whose images it sees, which may have cached disparities instead
DEPTH_NETWORKS = {"depth": "data", "source_depth": "source_data"}
NOT_LOOP = ("micro_batches", "memory")  # keys of the train section that loop.train does not take


@dataclasses.dataclass(frozen=True)
class Trained:
    """A network read back from a checkpoint, with the configuration that made it."""

    network: Network
    variables: Variables
    config: config_dict.ConfigDict
    step: int


@dataclasses.dataclass(frozen=True)
class Training:
    """All that one run needs beside its data."""

    network: Network
    state: TrainState
    loss: Loss
    optimizer: Optimizer
    task: Task
    step_of: Callable[[Loss], Callable]  # -> (state, streams) -> (state, logs), not yet compiled
    mixer: Callable | None = None  # how the task mixes, for pictures; None if it does not

    @property
    def step(self) -> Callable:
        """(state, streams) -> (state, logs), not yet compiled."""
        return self.step_of(self.loss)


def build_network(config: config_dict.ConfigDict, num_classes: int | None = None) -> Network:
    """The network of a configuration: the parts that its task needs."""
    needs = find_task(config.task.name).needs(config.losses, config.task)
    classes = class_count(config) if num_classes is None else num_classes
    if "segmentation" in needs and not classes:
        raise UsageError(
            f"'{config.data.dataset}' has no labels, which task '{config.task.name}' needs; write labels/ and "
            f"classes.json into data.raw_dir and prepare into another data.prepared_dir, or train depth (task 'depth')"
        )
    section = {k: v for k, v in config.model.items() if k not in NOT_NETWORK}
    network = call("model", make_network, section, num_classes=classes, **{part: part in needs for part in PARTS})
    network.check_size(*config.data.crop)
    return network


def abstract_variables(network: Network, size: Sequence[int]) -> Variables:
    """Shapes and dtypes of the network's variables, without computing them."""
    image = jnp.zeros((1, *size, 3), jnp.float32)
    shapes = jax.eval_shape(lambda: network.init(jax.random.key(0), image, method="initialize"))
    return Variables(shapes["params"], shapes.get("batch_stats", {}))


def own_config(found: checkpoints.Stored) -> config_dict.ConfigDict:
    """The configuration that a checkpoint carries. Raises CheckpointError if no command of ours can have written it."""
    try:
        return config_dict.ConfigDict(checked(found.config, found.path, CONFIG))
    except DamagedFile as error:
        raise _foreign(found, error.reason) from error
    except (ValueError, TypeError, AttributeError) as error:  # keys that no configuration may have
        raise _foreign(found, str(error)) from error


def network_of(found: checkpoints.Stored) -> tuple[config_dict.ConfigDict, Network]:
    """Configuration and network of a checkpoint. Raises CheckpointError if none can be built."""
    config = own_config(found)
    try:
        return config, build_network(config)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _foreign(found, str(error)) from error


def _foreign(found: checkpoints.Stored, reason: str) -> checkpoints.CheckpointError:
    return checkpoints.CheckpointError(
        f"checkpoint {found.path}, step {found.step}, carries no configuration of this program that can be used "
        f"({reason}): give one that cli.train or cli.convert has written"
    )


def load_trained(path: str, weights: str = "student") -> Trained:
    """A network from a checkpoint alone. weights: "student" or "teacher".

    Raises CheckpointError for a folder without checkpoint, a damaged one, or one without a teacher.
    """
    return trained(checkpoints.read(path, weights), weights)


def trained(found: checkpoints.Stored, weights: str = "student") -> Trained:
    """The network of a checkpoint that was read with these weights. Raises CheckpointError if it lacks them."""
    stored = found.parts[weights]
    if not stored:
        raise checkpoints.CheckpointError(f"checkpoint {found.path} has no {weights}; use --weights=student")
    config, network = network_of(found)
    if weights == "teacher":
        network = network.clone(pose_network=None, intrinsics=None)
    expected = abstract_variables(network, config.data.crop)
    variables = Variables(stored["params"], stored.get("batch_stats") or {})
    checkpoints.require_same(checkpoints.shapes(variables), checkpoints.shapes(expected), found.path)
    return Trained(network, variables, config, found.step)


def build_training(
    config: config_dict.ConfigDict, data: Data, *, read_sources: bool = True
) -> tuple[Training, list[dict]]:
    """Network, starting state and step of a configuration, and the table of `transfer`.

    Without `read_sources` the state has random values: a checkpoint is about to replace all of them, and the sources
    may be gone by then.
    """
    task = find_task(config.task.name)
    network = build_network(config, data.space.num_classes)
    variables = initial_variables(network, config.seed, tuple(data.crop))
    open_named, rows, frozen = opener(config), [], {}
    if read_sources:
        rules = config.model.transfer or (tuple(variables.params) if config.model.init else ())
        variables, rows = transfer(variables, rules, open_named)
    if "feature_distance" in config.losses and read_sources:
        frozen["imagenet"], row = reference_encoder(config, variables, open_named)
        rows.append(row)
    elif "feature_distance" in config.losses:
        frozen["imagenet"] = _pick(variables, "encoder")
    loss, mixer, depth = _loss(config, network, task, data)
    frozen |= depth
    optimizer = call("optim", make_optimizer, config.optim, variables.params, schedule=make_factor(config))
    teaches = task.teacher(config.losses, config.task)
    update = None
    if teaches:
        decay = value_of(config, "task.teacher_decay")
        update = functools.partial(ema.update_rule(config.task.teacher), decay=decay)
    state = init_state(variables, optimizer.transform, seed=config.seed, teacher=teaches, frozen=frozen)
    rhythm = (update, config.train.micro_batches, config.optim.frozen)

    def step_of(loss: Loss) -> Callable:
        return make_step(loss, optimizer.transform, *rhythm)

    return Training(network, state, loss, optimizer, task, step_of, mixer), rows


def task_section(config: config_dict.ConfigDict) -> dict[str, Any]:
    """What the task's make_loss reads of the section task."""
    return {k: v for k, v in config.task.items() if k not in NOT_LOSS}


def loop_section(config: config_dict.ConfigDict) -> dict[str, Any]:
    """What the training loop reads of the section train."""
    return {k: v for k, v in config.train.items() if k not in NOT_LOOP}


def reference_encoder(
    config: config_dict.ConfigDict, variables: Variables, open_named: Callable[[str], Source]
) -> tuple[Variables, dict[str, Any]]:
    """The frozen encoder that features are compared with, of task.reference_encoder or as the run starts; its row."""
    encoder, name = _pick(variables, "encoder"), value_of(config, "task.reference_encoder")
    rule = f"encoder from {name}" if name else "as this run starts"
    if name:
        encoder, _ = transfer(encoder, (rule,), open_named)
    copied = parameter_count(encoder.params)
    return _pick(encoder, "encoder"), {"module": "reference encoder", "source": rule, "copied": copied, "fresh": 0}


def _loss(config, network: Network, task: Task, data: Data) -> tuple[Loss, Any, dict[str, Variables]]:
    """The task's loss, its mixer if it mixes, and the frozen depth networks that its state carries, if any."""
    options = task_section(config)
    frozen = {}
    for name, domain in DEPTH_NETWORKS.items():
        key = f"{name}_checkpoint"
        if value_of(config, f"task.{key}") and not reads_cache(config, domain):
            depth = load_trained(config.task[key])
            if depth.network.depth_decoder is None:
                raise UsageError(f"task.{key}={config.task[key]} holds no depth network")
            options[f"{name}_network"] = depth.network
            frozen[name] = _pick(depth.variables, "encoder", "depth_decoder")  # the pose network stays behind
    if value_of(config, "task.prior"):
        options["class_shares"] = class_shares(data)
    loss = call("task", task.make_loss, options, network, losses=plain(config.losses))
    mixer = None if task.make_mixer is None else task.make_mixer(network, **options)
    return loss, mixer, frozen


def _pick(variables: Variables, *modules: str) -> Variables:
    """A copy of some modules, in buffers of its own."""
    params, stats = (
        {name: tree[name] for name in modules if name in tree} for tree in (variables.params, variables.batch_stats)
    )
    return sharding.copied(Variables(params, stats))
