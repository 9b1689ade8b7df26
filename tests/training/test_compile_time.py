import json

import jax
import jax.numpy as jnp
import pytest

from sde_seg_jax.training import compile_time


@pytest.fixture
def lowered(tmp_path, monkeypatch):
    """A small program, compiled into a folder of its own that takes every time for worth telling."""
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    monkeypatch.setattr(compile_time, "SHORT", 0.0)
    monkeypatch.setattr(compile_time, "LOADED", 0.0)
    yield jax.jit(lambda x: jnp.sin(x) + 1).lower(jnp.ones(3))
    jax.config.update("jax_compilation_cache_dir", before)


def test_the_time_and_the_place_are_told_before_and_remembered_after(lowered, tmp_path):
    told = []
    assert compile_time.compile_told(lowered, told.append)(jnp.zeros(3)).tolist() == [1, 1, 1]
    assert told == [f"compiling the training step (about 5 s, once; kept in {tmp_path})"]
    (found,) = json.loads((tmp_path / "times.json").read_text()).values()
    assert found[:2] == ["cpu", lowered.as_text().count("\n")]
    compile_time.compile_told(lowered, told.append)
    assert told[1:] == [f"loading the compiled training step from {tmp_path}"]


def test_what_was_compiled_here_tells_more_than_what_is_usual():
    times = {"a": ["cpu", 1000, 10.0], "b": ["cpu", 1000, 30.0], "c": ["cpu", 1000, 20.0], "d": ["gpu", 1000, 500.0]}
    assert compile_time.expected_seconds(times, "cpu", 4000) == 80
    assert compile_time.expected_seconds({}, "cpu", 4000) == 4000 * compile_time.USUAL


@pytest.mark.parametrize("damage", ["{", '{"a": ["cpu", -1, 2]}', "[]"])
def test_damaged_times_are_no_reason_to_fail(lowered, tmp_path, damage):
    (tmp_path / "times.json").write_text(damage)
    compile_time.compile_told(lowered, lambda line: None)
    assert len(json.loads((tmp_path / "times.json").read_text())) == 1


def test_a_program_that_was_found_is_no_measurement(lowered, tmp_path, monkeypatch):
    monkeypatch.setattr(compile_time, "LOADED", 1e9)
    compile_time.compile_told(lowered, lambda line: None)
    assert not (tmp_path / "times.json").exists()


def test_time_in_which_nothing_was_computed_does_not_count(lowered, tmp_path, monkeypatch):
    clock = iter([0.0, 900.0])
    monkeypatch.setattr(compile_time.time, "monotonic", lambda: next(clock, 900.0))
    compile_time.compile_told(lowered, lambda line: None)
    (found,) = json.loads((tmp_path / "times.json").read_text()).values()
    assert found[2] < 100


@pytest.mark.parametrize(("seconds", "told"), [(0.4, 5), (7.6, 10), (38, 40), (124, 120)])
def test_a_guess_is_told_as_one(seconds, told):
    assert compile_time._rounded(seconds) == told
