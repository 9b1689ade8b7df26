"""The page on published data sets and tables, from top to bottom, on small trees in CamVid's and Cityscapes' layout."""

import math

import driving_trees
import jax
import numpy as np
import pytest
import trees
from pages_of_the_guide import TOY, of_other_data
from PIL import Image
from safetensors.numpy import save_file

from sde_seg_jax.experiment import build
from sde_seg_jax.experiment.config import load_config, override
from sde_seg_jax.models.import_weights import network_parts, to_torch

pytestmark = pytest.mark.whole
PAGE = "published_data_and_tables.md"
SMALL = of_other_data(TOY) | {"eval.batch_size": "2"}
CAMVID = SMALL | {"data.labels": "2"}
POSE = {"model.pose_width": "8", "model.pose_channels": "8"}
NETWORK = {"model.encoder": "resnet18", "model.dilate": "(False,False,False)"} | POSE
WEIGHTS = {f"sources.{name}": "imagenet.safetensors" for name in ("imagenet", "imagenet_pose")}
PAPER = SMALL | NETWORK | WEIGHTS | {"train.collapse_after": "1000000"}
del PAPER["data.labels"]


def as_begun(leaf):
    """Kernels that keep the size of what passes (He et al. 2015); all else is one."""
    if len(leaf.shape) < 2:
        return np.ones(leaf.shape, np.float32)
    spread = math.sqrt(2 / math.prod(leaf.shape[:-1]))
    return np.random.default_rng(3).normal(0, spread, leaf.shape).astype(np.float32)


@pytest.fixture
def imagenet(place):
    """Stands for ImageNet weights of torchvision: random ones under their names."""
    config = override(load_config("streets_ablation", "depth"), TOY | NETWORK)
    like = build.abstract_variables(build.build_network(config), config.data.crop)
    drawn = jax.tree.map(as_begun, like)
    prefix = "models.encoder.encoder."
    state = to_torch(drawn, network_parts(drawn)).items()
    save_file({k.removeprefix(prefix): v for k, v in state if k.startswith(prefix)}, place / "imagenet.safetensors")


@pytest.fixture
def cityscapes(place, monkeypatch):
    """As many labelled images as the table asks for."""
    names = {**driving_trees.SNIPPETS["train"], "aachen": tuple(f"{number:06d}" for number in range(372))}
    monkeypatch.setitem(driving_trees.SNIPPETS, "train", names)
    monkeypatch.setattr(driving_trees, "FRAMES", range(18, 21))
    trees.write("cityscapes", place / "Cityscapes")


def test_published_data_and_tables(imagenet, cityscapes, walk, give, place):
    trees.write("camvid", place / "CamVid")
    rows = {f"camvid:quick_{row}": CAMVID for row in ("supervised", "semi_supervised")}
    toy = "streets_ablation:size=toy"
    changes = rows | {"paper/multitask": PAPER, toy: {}}
    fewer = {"paper/multitask": ["--seeds=42"], toy: ["--rows=baseline,transfer"]}  # tests/cli/test_table.py has more
    page = walk(PAGE, changes, {"--config=streets_ablation:size=cpu": f"--config={toy}"}, fewer)

    checked = next(page)
    assert "camvid: healthy; next: " in checked.out
    assert "3 samples" in checked.out
    with Image.open(place / "doctor_camvid.png") as sheet:
        assert sheet.format == "PNG"

    for row in ("supervised", "semi_supervised"):
        next(page)
        assert (place / f"runs/camvid/quick_{row}/metrics.jsonl").stat().st_size > 0
    assert "mIoU" in next(page).out

    planned = next(page)
    assert "2 missing: baseline_372_s42, mtl_372_s42" in planned.out
    assert not (place / "runs" / "paper").exists()
    table = next(page)
    done = [line.split(": ")[1].partition(",")[0] for line in table.out.splitlines() if " of 4: " in line]
    assert sorted(done) == ["baseline_372_s42", "mtl_372_s42", "sde_feature_distance", "sde_frozen"]
    for row, paper in (("baseline", "59.14 ± 1.02"), ("mtl", "61.25 ± 0.55")):
        (line,) = [line for line in table.out.splitlines() if line.startswith(f"{row} ")]
        assert paper in line
        assert "not run" not in line
    again = give(table.name, *table.flags)
    assert "2 finished: baseline_372_s42, mtl_372_s42" in again
    assert " of 4: " not in again

    streets = next(page)
    for row in ("baseline", "transfer"):
        (line,) = [line for line in streets.out.splitlines() if line.startswith(f"{row} ")]
        assert "not run" not in line
    assert next(page, None) is None
