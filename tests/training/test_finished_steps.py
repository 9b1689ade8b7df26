import jax.numpy as jnp
import pytest
import tqdm

from sde_seg_jax.training import finished_steps
from sde_seg_jax.training.finished_steps import FinishedSteps


@pytest.fixture
def ready(monkeypatch):
    """The results that the device has computed."""
    found = set()
    monkeypatch.setattr(finished_steps, "_is_ready", found.__contains__)
    return found


@pytest.fixture
def bar():
    with tqdm.tqdm(disable=True) as quiet:
        counted = []
        quiet.update = lambda: counted.append(1)
        quiet.counted = counted
        yield quiet


def test_a_step_counts_when_it_has_finished_not_when_it_was_started(ready, bar):
    steps = FinishedSteps(bar)
    for name in "abc":
        steps.started(name)
    assert len(bar.counted) == 0
    ready |= {"a", "c"}  # c cannot be done before b: it does not count yet
    steps.started("d")
    assert len(bar.counted) == 1
    ready |= {"b", "d"}
    steps.started("e")
    assert len(bar.counted) == 4
    steps.wait()
    assert len(bar.counted) == 5


def test_arrays_and_plain_numbers_are_asked():
    assert finished_steps._is_ready(1.0)
    assert finished_steps._is_ready(jnp.ones(3).block_until_ready())
