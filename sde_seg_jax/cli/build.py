"""From a configuration to networks, starting values, losses and states; and from a checkpoint back to a network."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import config_dict

from sde_seg_jax.cli.config import UsageError, call
from sde_seg_jax.cli.streams import Data
from sde_seg_jax.data.spec import find
from sde_seg_jax.models.init import initial_variables
from sde_seg_jax.models.network import Network, make_network
from sde_seg_jax.tasks.parts import choose, find_task
from sde_seg_jax.training import checkpoints, ema
from sde_seg_jax.training.optimizers import Optimizer, make_optimizer
from sde_seg_jax.training.schedules import SCHEDULES, Schedule
from sde_seg_jax.training.step import Loss, init_state, make_step
from sde_seg_jax.types import TrainState, Variables

PARTS = ("depth", "segmentation", "pose")
NOT_NETWORK = ("init", "transfer")  # keys of the model section that are not make_network's
NOT_LOSS = ("name", "depth_checkpoint")  # keys of the task section that are not make_loss's
ARROW = "<-"


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
    step: Any  # (state, streams) -> (state, logs), not yet compiled
    optimizer: Optimizer
    task: Any  # the task's module
    mixer: Any = None  # how it mixes, for pictures; None if it does not


def build_network(config: config_dict.ConfigDict, num_classes: int | None = None) -> Network:
    """The network of a configuration: the parts that its task needs."""
    needs = find_task(config.task.name).NEEDS
    classes = find(config.data.dataset).space.num_classes if num_classes is None else num_classes
    section = {k: v for k, v in config.model.items() if k not in NOT_NETWORK}
    network = call("model", make_network, section, num_classes=classes, **{part: part in needs for part in PARTS})
    network.check_size(*config.data.crop)
    return network


def abstract_variables(network: Network, size: Sequence[int]) -> Variables:
    """Shapes and dtypes of the network's variables, without computing them."""
    image = jnp.zeros((1, *size, 3), jnp.float32)
    shapes = jax.eval_shape(lambda: network.init(jax.random.key(0), image, method="initialize"))
    return Variables(shapes["params"], shapes.get("batch_stats", {}))


def load_trained(path: str, weights: str = "student") -> Trained:
    """A network from a checkpoint alone. weights: "student" or "teacher".

    Raises CheckpointError for a folder without checkpoint, a damaged one, or one without a teacher.
    """
    config = config_dict.ConfigDict(checkpoints.read_config(path))
    stored = checkpoints.read_part(path, weights)[weights]
    if not stored:
        raise checkpoints.CheckpointError(f"checkpoint {path} has no {weights}; use --weights=student")
    network = build_network(config)
    expected = abstract_variables(network, config.data.crop)
    found = Variables(stored["params"], stored.get("batch_stats") or {})
    checkpoints.require_same(checkpoints.shapes(found), checkpoints.shapes(expected), path)
    return Trained(network, found, config, checkpoints.newest_step(path))


def transfer(variables: Variables, source: Variables, rules: Sequence[str]) -> tuple[Variables, list[dict]]:
    """Copies modules of another network: rules such as "encoder" or "segmentation/decoder <- depth_decoder".

    Every parameter of a named module is copied, with its running statistics, or CheckpointError lists what differs;
    parameters that only the source has (disparity heads, say) are left. Returns the variables, and a table: module,
    source, parameters copied or fresh.
    """
    params, stats = dict(_flat(variables.params)), dict(_flat(variables.batch_stats))
    from_params, from_stats = dict(_flat(source.params)), dict(_flat(source.batch_stats))
    rows, done = [], set()
    for rule in rules:
        target, _, origin = (part.strip() for part in rule.partition(ARROW))
        origin = origin or target
        here = [name for name in params if name == target or name.startswith(target + "/")]
        if not here:
            raise UsageError(f"model.transfer '{rule}': the network has no '{target}'; parts: {_parts(params)}")
        wanted = {origin + name.removeprefix(target): params[name].shape for name in here}
        found = {name: from_params[name].shape for name in wanted if name in from_params}
        checkpoints.require_same(found, wanted, f"named in model.init (rule '{rule}')")
        for flat, other in ((params, from_params), (stats, from_stats)):
            for name in [n for n in flat if n.startswith(target + "/")]:
                flat[name] = jnp.asarray(other[origin + name.removeprefix(target)])
        done.update(here)
        rows.append({"module": target, "source": origin, "copied": _count(params, here), "fresh": 0})
    fresh = [name for name in params if name not in done]
    for part in sorted({name.split("/")[0] for name in fresh}):
        names = [name for name in fresh if name.split("/")[0] == part]
        rows.append({"module": part, "source": "random", "copied": 0, "fresh": _count(params, names)})
    return Variables(_nested(variables.params, params), _nested(variables.batch_stats, stats)), rows


def _flat(tree):
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        yield jax.tree_util.keystr(path, simple=True, separator="/"), leaf


def _nested(tree, flat: dict):
    return jax.tree_util.tree_map_with_path(
        lambda path, _: flat[jax.tree_util.keystr(path, simple=True, separator="/")], tree
    )


def _count(flat: dict, names: list[str]) -> int:
    return sum(int(np.prod(flat[name].shape)) for name in names)


def _parts(flat: dict) -> str:
    return ", ".join(sorted({"/".join(name.split("/")[:n]) for name in flat for n in (1, 2)}))


def build_training(config: config_dict.ConfigDict, data: Data) -> tuple[Training, list[dict]]:
    """Network, starting state and step of a configuration, and the table of `transfer`."""
    task = find_task(config.task.name)
    network = build_network(config, data.space.num_classes)
    variables = initial_variables(network, config.seed, tuple(data.crop))
    rows: list[dict] = []
    if config.model.init:
        rules = config.model.transfer or tuple(variables.params)
        variables, rows = transfer(variables, load_trained(config.model.init).variables, rules)
    loss, mixer, frozen = _loss(config, network, task, variables)
    optimizer = call("optim", make_optimizer, config.optim, variables.params, schedule=make_factor(config))
    has_teacher = getattr(task, "TEACHER", False)
    update = ema.update_rule(config.task.teacher) if has_teacher else None
    state = init_state(variables, optimizer.transform, seed=config.seed, teacher=has_teacher, frozen=frozen)
    return Training(network, state, make_step(loss, optimizer.transform, update), optimizer, task, mixer), rows


def make_factor(config: config_dict.ConfigDict) -> Schedule:
    """The learning-rate schedule of a configuration."""
    section = {k: v for k, v in config.schedule.items() if k != "name"}
    return call("schedule", choose(SCHEDULES, config.schedule.name, "schedule.name"), section)


def task_section(config: config_dict.ConfigDict) -> dict[str, Any]:
    """What the task's make_loss reads of the section task."""
    return {k: v for k, v in config.task.items() if k not in NOT_LOSS}


def _loss(config, network: Network, task, variables: Variables) -> tuple[Loss, Any, dict[str, Variables]]:
    """The task's loss, its mixer if it mixes, and the frozen networks that its state carries."""
    section = task_section(config)
    fixed: dict[str, Any] = {}
    frozen = {}
    if config.task.get("depth_checkpoint"):
        depth = load_trained(config.task.depth_checkpoint)
        if depth.network.depth_decoder is None:
            raise UsageError(f"task.depth_checkpoint={config.task.depth_checkpoint} holds no depth network")
        fixed["depth_network"] = depth.network
        frozen["depth"] = _pick(depth.variables, "encoder", "depth_decoder")  # the pose network stays behind
    if "feature_distance" in config.losses:
        frozen["imagenet"] = _pick(variables, "encoder")
    loss = call("task", task.make_loss, section, network, losses=dict(config.losses), **fixed)
    mixer = None
    if hasattr(task, "make_mixer"):
        mixer = task.make_mixer(network, **{k: section[k] for k in ("mix", "mix_margin", "teacher")}, **fixed)
    return loss, mixer, frozen


def _pick(variables: Variables, *modules: str) -> Variables:
    """A copy of some modules, in buffers of its own."""
    params, stats = (
        {name: jax.tree.map(jnp.array, tree[name]) for name in modules if name in tree}
        for tree in (variables.params, variables.batch_stats)
    )
    return Variables(params, stats)
