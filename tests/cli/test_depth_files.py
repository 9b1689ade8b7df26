"""A depth cache from files: what other programs wrote becomes what training reads, or is refused by name."""

import numpy as np
import pytest
from ml_collections import ConfigDict

from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.data.stored.depth_cache import DepthCache
from sde_seg_jax.experiment.config import load_config
from sde_seg_jax.experiment.depth_files import cache_files

SIZE, COUNTS = (32, 64), {"train": 3, "val": 1}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    prepare("street_scenes", prepared_dir=folder, size=SIZE, splits=("train", "val"), workers=1, counts=COUNTS)
    return folder


@pytest.fixture
def config(prepared):
    c = load_config("quickstart", "depthmix").unlock()
    c.data.dataset = "street_scenes"
    c.data.prepared_dir, c.data.size, c.data.crop = str(prepared), SIZE, SIZE
    c.dataset = ConfigDict({"domain": "target", "seed": 0, "counts": COUNTS})
    c.data.depth_cache = "mine"
    return c


@pytest.fixture
def truth(prepared):
    """name -> true depth of the training samples, 0 in the sky."""
    source = open_source("street_scenes", prepared, "train")
    return {str(s["name"]): s["depth"] for s in (source.read(i, ("depth",)) for i in range(len(source)))}


def write(folder, maps):
    folder.mkdir(exist_ok=True)
    for name, values in maps.items():
        np.save(folder / f"{name}.npy", values)
    return str(folder)


def cached(prepared, name="mine"):
    folder = next((prepared / "street_scenes").iterdir())
    cache = DepthCache(folder, name, "train")
    return cache, [cache.read(i) for i in range(3)]


def test_true_depth_becomes_disparity_in_the_order_of_the_samples(prepared, config, truth, tmp_path):
    lines = []

    class Told:
        tell = staticmethod(lines.append)

        def __getattr__(self, name):
            from sde_seg_jax.reporter import SILENT

            return getattr(SILENT, name)

    folder = write(tmp_path / "depth", truth)
    assert cache_files(config, folder, "depth", near=2.0, replace=True, reporter=Told()) == "mine"
    cache, found = cached(prepared)
    for disparity, depth in zip(found, truth.values(), strict=True):
        expected = np.where(depth > 0, np.clip(2 / np.maximum(depth, 1e-9), 0, 1), 0)
        np.testing.assert_allclose(disparity, expected, atol=2 / 65535)
    share = np.mean([(depth > 0).mean() for depth in truth.values()])
    assert f"{share:.1%} of their pixels have a value" in lines[-1]
    assert cache.facts["checkpoint"] == folder
    with pytest.raises(ValueError, match="--replace"):  # other maps under the same name
        cache_files(config, folder, "depth", near=3.0)


def test_larger_maps_shrink_and_another_shape_is_refused(prepared, config, truth, tmp_path):
    config.data.depth_cache = "large"
    large = {name: np.kron(depth, np.ones((2, 2))) for name, depth in truth.items()}
    cache_files(config, write(tmp_path / "large", large), "depth")
    _, found = cached(prepared, "large")
    first = next(iter(truth.values()))
    expected = np.where(first > 0, np.clip(1 / np.maximum(first, 1e-9), 0, 1), 0)
    np.testing.assert_allclose(found[0], expected, atol=2 / 65535)
    config.data.depth_cache = "square"
    square = {name: depth[:, :32] for name, depth in truth.items()}
    with pytest.raises(ValueError, match="is 32x32, no whole image of 32x64"):
        cache_files(config, write(tmp_path / "square", square), "depth")


@pytest.mark.parametrize(
    ("spoil", "kind", "message"),
    [
        (lambda maps: maps.popitem(), "depth", "lacks 1 of 3 maps of split 'train': 'target_0_s0000_f02'"),
        (lambda maps: maps.update(dict.fromkeys(maps, np.full(SIZE, 7.0))), "depth", "one value everywhere"),
        (lambda maps: maps.update(dict.fromkeys(maps, np.zeros(SIZE))), "depth", "has no value"),
        (lambda maps: None, "inverse", "the bottom of the image is farther than its top: they may hold --kind=depth"),
        (lambda maps: None, "metres", "--kind"),
    ],
)
def test_what_cannot_be_right_is_refused(prepared, config, truth, tmp_path, spoil, kind, message):
    config.data.depth_cache = "bad"
    spoil(truth)
    with pytest.raises(ValueError, match=message):
        cache_files(config, write(tmp_path / "bad", truth), kind, replace=True)


def test_the_command_needs_one_of_both(command, prepared):
    own = f"--config.data.prepared_dir={prepared}"
    status, _, err = command("cache_depth", "--config=quickstart:depthmix", own)
    assert status == 2
    assert "--checkpoint=DIR (a depth run, or weights of Depth Anything V2) or --from_files=DIR" in err
