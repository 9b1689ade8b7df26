"""Whether a configuration can be used, before any work: preparing data takes long, a typo is found at once."""

from __future__ import annotations

import inspect
from typing import Any

from ml_collections import config_dict

from sde_seg_jax.evaluation.depth import CROPS
from sde_seg_jax.experiment.build import (
    DEPTH_NETWORKS,
    abstract_variables,
    build_network,
    loop_section,
    network_of,
    task_section,
)
from sde_seg_jax.experiment.cached_depth import reads_cache, streams_read
from sde_seg_jax.experiment.config import UsageError, call, check_keys, check_section, check_values, plain, value_of
from sde_seg_jax.experiment.finite_numbers import check_numbers
from sde_seg_jax.experiment.learnt_camera import check_learnt_camera
from sde_seg_jax.experiment.matching import check_matching
from sde_seg_jax.experiment.scaled_crops import check_scaled_crops
from sde_seg_jax.experiment.schedule import make_factor
from sde_seg_jax.experiment.source_data import check_source_domain, open_streams
from sde_seg_jax.experiment.weights.transfer import check_transfer, network_parts
from sde_seg_jax.label_spaces import subsets
from sde_seg_jax.lookup import choose, suggest
from sde_seg_jax.models.network import Network
from sde_seg_jax.tasks.loss_terms import WEIGHT, find_loss
from sde_seg_jax.tasks.task import find_task
from sde_seg_jax.training import loop
from sde_seg_jax.training.checkpoints import CheckpointError, read
from sde_seg_jax.training.decay import DECAYS, layer_factors
from sde_seg_jax.training.memory import PRESETS
from sde_seg_jax.training.micro_batches import part_size
from sde_seg_jax.training.optimizers import DIRECTIONS, make_optimizer

SECTIONS = (
    *("name", "seed", "pipeline", "data", "dataset", "model", "sources", "task", "losses"),
    *("optim", "schedule", "train", "eval", "select", "source_data", "source_dataset", "matching"),
)
EVAL = ("batch_size", "classes", "depth_crop")
GIVEN_TO_LOOP = (  # arguments of loop.train that cli.train makes
    *("images_per_step", "checkpoints", "config", "log"),
    *("problem", "rates", "evaluate", "pictures", "title"),
)


def check(config: config_dict.ConfigDict, *, sources: bool = True) -> None:
    """Raises ValueError, naming key and remedy, for unknown keys and names and for sizes that do not fit.

    `sources`: the starting weights must be there, too.
    """
    check_keys("", SECTIONS, config)
    check_numbers(config)
    check_keys("eval", EVAL, config.eval)
    choose(CROPS, value_of(config, "eval.depth_crop"), "eval.depth_crop")
    if not config.losses:
        raise UsageError(
            "config.losses is empty: name at least one term and its weight, as in losses.cross_entropy=1.0"
        )
    data = open_streams(config)
    subsets(data.space, value_of(config, "eval.classes"))
    network = build_network(config)
    if network.intrinsics is not None:
        check_learnt_camera(config.model.learn_intrinsics, data.flip)
    for name, value in config.losses.items():
        check_loss(name, value)
    check_scaled_crops(data, config.losses)
    task = find_task(config.task.name)
    call("task", task.make_loss, task_section(config), network, losses=plain(config.losses))
    check_source_domain(config)
    check_matching(config, streams_read(config))
    make_factor(config)
    check_section("optim", make_optimizer, config.optim, fixed=("schedule",))
    if "name" in config.optim:
        choose(DIRECTIONS, config.optim.name, "optim.name")
    choose(DECAYS, value_of(config, "optim.decay_mask"), "optim.decay_mask")
    _check_modules(config, network)
    if value_of(config, "optim.layer_decay") != 1:
        layer_factors(abstract_variables(network, data.crop).params, config.optim.layer_decay)
    check_section("train", loop.train, loop_section(config), fixed=GIVEN_TO_LOOP)
    if value_of(config, "train.memory") not in (0, *PRESETS):
        known = ", ".join(map(str, PRESETS))
        raise UsageError(f"config.train.memory={config.train.memory!r}: presets are for {known} GB; 0: no preset")
    part_size(data.batch_size, config.train.micro_batches)
    check_transfer(config, network, sources=sources)


def _check_modules(config: config_dict.ConfigDict, network: Network) -> None:
    """Rates and frozen modules are of parts that the network has. (Their inner modules are known when it is built.)"""
    parts = [name for name, present in network_parts(network).items() if present]
    for key in ("module_rates", "frozen"):
        for module in config.optim.get(key, ()):
            if module.split("/")[0] not in parts:
                raise UsageError(f"config.optim.{key}: the network has no '{module}'; {suggest(module, parts)}")


def check_depth_networks(config: config_dict.ConfigDict) -> None:
    """Raises UsageError if a frozen depth network that a run reads is not there, or is none; "@stage" may come yet.

    Not part of `check`, so that a configuration can be looked at before what it begins with is there.
    """
    for name, domain in DEPTH_NETWORKS.items():
        key = f"task.{name}_checkpoint"
        place = value_of(config, key)
        if not place or place.startswith("@") or reads_cache(config, domain):
            continue
        try:
            _, network = network_of(read(place))
        except CheckpointError as error:
            raise UsageError(f"config.{key}: {error}") from error
        if network.depth_decoder is None:
            raise UsageError(f"config.{key}={place} holds no depth network")


def check_loss(name: str, value: Any) -> None:
    """A key of the section losses: a weight, or the weight and options of the term.

    Raises UsageError for an option that the term does not have or cannot be so, and for a missing weight.
    """
    term = find_loss(name).term
    if not isinstance(value, (int, float)):
        value = plain(value)
        if not isinstance(value, dict):
            raise UsageError(
                f"config.losses.{name}={value!r}: expected a weight, or {{'{WEIGHT}': 1.0, option: value}}"
            )
        parameters = inspect.signature(term).parameters.values()
        options = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
        check_keys(f"losses.{name}", (WEIGHT, *options), value)
        if WEIGHT not in value:
            raise UsageError(f"config.losses.{name} lacks '{WEIGHT}'")
        check_values(f"losses.{name}", term, value)
