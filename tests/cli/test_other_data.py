"""A checkpoint scored on other data: they have a name, classes of one name are one, mIoU is over common classes."""

import math

import numpy as np
import pytest

from sde_seg_jax.data.reading.dataset import Data
from sde_seg_jax.experiment import other_data
from sde_seg_jax.experiment.config import load_config
from sde_seg_jax.label_spaces import CAMVID, CITYSCAPES, LabelSpace


def data(**more):
    splits = {"train": "train", "video": "train", "unlabeled": "", "val": "val"}
    return Data("camvid", "prepared", (8, 8), (8, 8), 0.5, 2, 0, "", 42, "ours", splits, False, **more)


class Labeled:
    """One sample that has every class of CamVid."""

    space, names = CAMVID, ["a"]

    def __len__(self):
        return 1

    def read(self, index, fields=None, window=None):
        return {"label": np.arange(CAMVID.num_classes, dtype=np.uint8)[None]}


def test_labels_are_told_in_the_classes_of_the_network():
    config, told = load_config("paper/semi", "baseline"), []
    mapped = other_data.in_classes_of(config, data(), told.append)
    assert mapped.space == CITYSCAPES
    label = mapped.wrap(Labeled()).read(0)["label"][0]
    found = {CAMVID.classes[i]: CITYSCAPES.classes[c] for i, c in enumerate(label) if c < CITYSCAPES.num_classes}
    assert found
    assert all(own == network for own, network in found.items())
    assert any("'camvid'" in line for line in told)
    assert data().space == CAMVID


def test_miou_is_the_mean_over_common_classes():
    own, network = LabelSpace("o", ("road", "car"), ((0,) * 3,) * 2), LabelSpace("n", ("car", "sky"), ((0,) * 3,) * 2)
    scores = {"miou": 0.2, "miou_16": 0.2, "iou/car": 0.4, "iou/sky": 0.0, "pixel_accuracy": 0.5}
    found = other_data.of_common_classes(scores, own, network)
    assert found["miou"] == 0.4
    assert math.isnan(found["iou/sky"])
    assert found["common_classes"] == 1
    assert "miou_16" not in found
    assert other_data.of_common_classes({"abs_rel": 0.1}, own, network) == {"abs_rel": 0.1}


def test_options_and_size_are_those_of_the_prepared_data(monkeypatch):
    recipe = {"recipe": {"options": {"frame_gap": 4}, "size": [96, 128]}}
    monkeypatch.setattr(other_data, "find_finished", lambda spec, folder: folder)
    monkeypatch.setattr(other_data, "metadata", lambda folder: recipe)
    config = load_config("folder", "quick_supervised")
    config.data.dataset = "camvid"
    other_data.fit(config)
    assert config.dataset.to_dict() == {"frame_gap": 4}
    assert tuple(config.data.size) == (96, 128)


@pytest.mark.parametrize("classes", [(), ("a", "b")])
def test_a_network_without_common_classes_is_refused_and_one_without_classes_is_not(classes, monkeypatch):
    space = LabelSpace("n", classes, ((0, 0, 0),) * len(classes))
    monkeypatch.setattr(other_data, "space_of", lambda config: space)
    if not classes:
        assert other_data.in_classes_of(None, data(), print) == data()
        return
    with pytest.raises(ValueError, match="no class of the source's"):
        other_data.in_classes_of(None, data(), print)


def test_other_data_than_the_runs_have_a_name_and_moved_data_do_not(tmp_path, monkeypatch):
    def facts(names):
        return {"splits": {"val": names}, "class_pixels": {"val": [3]}, "shards": {"val": {"bytes": 9}}}

    there = {"prepared/mine": facts(["a/1"]), "copy": facts(["a/1"]), "prepared/more": facts(["b/1", "b/2"])}
    monkeypatch.setattr(other_data, "find_finished", lambda spec, folder: folder if folder in there else None)
    monkeypatch.setattr(other_data, "metadata", lambda folder: there[folder])
    own = load_config("folder", "quick_supervised")
    own.data.prepared_dir = "prepared/mine"

    def refuse(folder):
        raise ValueError(f"cannot read {folder}")

    def name(prepared, **options):
        config = own.copy_and_resolve_references()
        config.data.prepared_dir = prepared
        config.dataset.update(options)
        return other_data.name_of(config, own)

    assert name("prepared/mine") == ""
    assert name("copy") == ""
    assert name("prepared/more") == name("prepared/more/") == "more_val"
    assert name("prepared/not yet") == "not_yet_val"
    assert name("copy", val_fraction=1) == "copy_val"
    there["prepared/mine"] = {}  # as of a version that is not read
    monkeypatch.setattr(other_data, "metadata", lambda folder: there[folder] or refuse(folder))
    assert name("copy") == "copy_val"
    del there["prepared/mine"]
    assert name("prepared/more") == name("prepared/not yet") == ""
