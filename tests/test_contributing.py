"""The examples of CONTRIBUTING.md do what they say."""

import pathlib
import re
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sde_seg_jax as sds
from sde_seg_jax.mixing.rule import Rule
from sde_seg_jax.tasks.task import Task
from sde_seg_jax.training.step import Aux
from sde_seg_jax.types import Batch, Intrinsics, Outputs, Streams, View

PAGE = (pathlib.Path(__file__).resolve().parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
HEIGHT, WIDTH = 4, 6


def source(heading):
    (code,) = re.findall(rf"^### {heading}\n.*?^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return code


def example(heading):
    module = types.ModuleType("example")
    exec(source(heading), module.__dict__)
    return module


def test_the_loss_is_zero_where_disparity_is_brightness():
    image = jnp.linspace(0, 1, HEIGHT * WIDTH).reshape(1, HEIGHT, WIDTH, 1)
    view = View(jnp.tile(image, (1, 1, 1, 3)), Outputs(disparity=(image,)))
    term = example("A loss in a few lines").term
    assert term(view, jax.random.key(0)) == pytest.approx(0, abs=1e-6)
    assert term(view, jax.random.key(0), power=2.0) > 0.1


def test_the_mixing_rule_keeps_the_left_half():
    rule = example("A mixing rule").RULE
    side = types.SimpleNamespace(classes=jnp.zeros((2, HEIGHT, WIDTH), jnp.int32))
    mask = rule.mask(side, side, jax.random.key(0), lambda key, disparity: 0.0)
    assert isinstance(rule, Rule)
    assert mask.shape == (2, HEIGHT, WIDTH, 1)
    np.testing.assert_array_equal(mask[0, 0, :, 0], [1, 1, 1, 0, 0, 0])


def test_the_task_rewards_the_first_class():
    module = example("A task")
    module.forward = lambda network, params, stats, image, rng: (Outputs(logits=params * image), stats)
    batch = Batch(image=jnp.full((1, HEIGHT, WIDTH, 3), 255, jnp.uint8), intrinsics=Intrinsics(1, 1, 0, 0))
    state = types.SimpleNamespace(student=types.SimpleNamespace(batch_stats={}))
    loss = module.make_loss(None, losses={}, strength=2.0)
    value, aux = loss(jnp.float32(3.0), state, Streams(labeled=batch), jax.random.key(0))
    assert isinstance(module.TASK, Task)
    assert isinstance(aux, Aux)
    assert value == pytest.approx(-6)


def test_the_experiment_has_rows(tmp_path):
    file = tmp_path / "fewer_labels.py"
    file.write_text(source("An experiment"))
    assert sds.configure(f"{file}:ten").data.labels == 10
    assert sds.configure(str(file)).name == "twenty labels"
