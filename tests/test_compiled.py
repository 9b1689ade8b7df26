"""Compiled programs are found again, wherever one runs and wherever the package lies."""

import os
import pathlib

import jax
import jax.numpy as jnp
import pytest
from jax.experimental.compilation_cache import compilation_cache

from sde_seg_jax import compiled
from sde_seg_jax.models import dilated


@pytest.fixture
def kept(tmp_path):
    """An empty folder for compiled programs, in which all of them are kept."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    for name, value in zip(names, (str(tmp_path), 0.0), strict=True):
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    yield tmp_path
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


def test_a_program_is_found_where_the_package_was_moved(kept):
    source = pathlib.Path(dilated.__file__).read_text()
    found = []
    for place in ("/home/somebody/sde_seg_jax/models/dilated.py", "/elsewhere/dilated.py"):
        code = {"__name__": "dilated"}
        exec(compile(source, place, "exec"), code)
        loss = jax.value_and_grad(lambda kernel, x: code["dilated_convolution"](x, kernel, 2).sum())  # noqa: B023
        jax.jit(loss).lower(jnp.ones((3, 3, 2, 2)), jnp.ones((1, 4, 5, 2))).compile()
        found.append({path.name for path in kept.iterdir() if "lambda" in path.name})
    assert found[0]
    assert found[0] == found[1]


def test_the_folder_does_not_depend_on_where_one_is(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    before = jax.config.jax_compilation_cache_dir
    try:
        jax.config.update("jax_compilation_cache_dir", None)
        compiled.keep()
        assert os.path.isabs(jax.config.jax_compilation_cache_dir)
        assert jax.config.jax_compilation_cache_dir.endswith("sde_seg_jax/compiled")
        jax.config.update("jax_compilation_cache_dir", "chosen")
        compiled.keep()
        assert jax.config.jax_compilation_cache_dir == "chosen"
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
