"""The page on labels from a game, from top to bottom: GTA5's layout and one's own labelled video."""

import json

import pytest
import trees
from pages_of_the_guide import TOY, blocks, of_other_data

from sde_seg_jax.cli.command_line import parse
from sde_seg_jax.experiment.source_data import class_lines

pytestmark = pytest.mark.whole
SMALL = of_other_data(TOY) | {"data.labels": "0", "source_data.size": "(64,64)"}
STREETS = SMALL | {"dataset.counts.train": "4", "dataset.counts.val": "2", "source_dataset.counts.train": "4"}


def test_labels_from_a_game(own_video, add_labels, walk, place):
    trees.write("gta5", place / "raw" / "gta5")
    add_labels(range(0, 14, 3))
    config = "adaptation:classmix,source={},target={},size=quick".format
    page = walk(
        "labels_from_a_game.md", {config("street_scenes", "street_scenes"): STREETS, config("gta5", "folder"): SMALL}
    )

    next(page)
    assert {"source/cross_entropy", "cross/pasted"} <= keys(place / "runs" / "try")

    adapted = next(page)
    (ignored,) = [line for line in adapted.out.splitlines() if line.startswith("ignored classes of the source: ")]
    assert "road" not in ignored.split(": ")[1].split(", ")  # a class of both
    assert "vegetation" in ignored
    (rules,) = [text.strip().replace('"', "") for _, text in blocks("labels_from_a_game.md") if text.startswith("--")]
    (ignored, *_) = class_lines(parse(["", *adapted.flags, rules], "").config())
    assert ignored.startswith("ignored classes of the source: ")
    assert "vegetation" not in ignored

    scored = next(page)
    assert "mIoU" in scored.out
    scores = json.loads((place / "runs" / "adapted" / "metrics.json").read_text())
    assert {"iou/road", "iou/tree", "iou/other"} <= set(scores)
    assert next(page, None) is None


def keys(workdir):
    """What a run logged."""
    return {key for line in (workdir / "metrics.jsonl").read_text().splitlines() for key in json.loads(line)}
