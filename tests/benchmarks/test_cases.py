"""Benchmarks time what configurations train: the same networks, losses and optimisers."""

import pathlib

import jax
import jax.numpy as jnp
import pytest
from cases import SETTINGS, TASKS, make_case, network_of

from sde_seg_jax.experiment.build import build_network, task_section
from sde_seg_jax.experiment.config import load_config
from sde_seg_jax.types import IGNORE

CONFIGS = pathlib.Path(__file__).resolve().parents[2] / "configs"
PUBLISHED = {
    "sde_phase1": "sde_frozen.py",
    "sde_phase2": "sde_feature_distance.py",
    "supervised": "paper/semi.py:baseline",
    "semi_supervised": "paper/semi.py:depthmix",
    "multitask": "paper/multitask.py:depthmix_mtl",
    "domain_adaptation": "paper/ssda.py:cross_intra",
    "student_depth": "paper/select_images.py",
}


def published(task):
    path, _, row = PUBLISHED[task].partition(":")
    return load_config(str(CONFIGS / path), row)


@pytest.mark.parametrize("task", TASKS)
def test_published_networks_are_those_of_the_configurations(task):
    config = published(task)
    assert config.task.name == TASKS[task].task
    assert network_of(task, SETTINGS["published"]) == build_network(config, 19)


@pytest.mark.parametrize("task", TASKS)
def test_published_losses_and_optimisers_are_those_of_the_configurations(task):
    config, kind = published(task), TASKS[task]
    assert dict(config.losses) == dict(kind.losses)
    options = task_section(config)
    assert {key: options[key] for key in kind.options} == dict(kind.options)
    optimizer = config.optim.to_dict()
    rates = dict(kind.optimizer) | {"module_rates": kind.optimizer.get("module_rates", {})}
    assert {key: optimizer[key] for key in rates} == rates


@pytest.mark.parametrize(("task", "row"), [("sde_phase2", "depth"), ("semi_supervised", "depthmix")])
def test_small_networks_are_those_of_the_tables_for_a_cpu(task, row):
    config = load_config(str(CONFIGS / "streets_ablation.py"), f"{row},size=cpu")
    setting = SETTINGS["small"]
    assert network_of(task, setting) == build_network(config, 19)
    assert (setting.crop, setting.batch) == (tuple(config.data.crop), config.data.batch_size)


def test_a_case_counts_the_images_of_all_its_streams():
    case = make_case("domain_adaptation", SETTINGS["tiny"])
    assert case.images == 3 * SETTINGS["tiny"].batch
    assert {x.shape[0] for x in jax.tree.leaves(case.streams)} == {SETTINGS["tiny"].batch}


def test_made_up_data_have_labels_where_they_should():
    streams = make_case("multitask", SETTINGS["tiny"]).streams
    assert bool((streams.unlabeled.label == IGNORE).all())
    assert not bool(streams.unlabeled.labeled.any())
    assert bool(streams.labeled.labeled.all())
    assert 0 < float(jnp.mean((streams.labeled.label == IGNORE).astype(jnp.float32))) < 0.5
    assert streams.labeled.neighbors.shape == (2, 2, 64, 64, 3)
