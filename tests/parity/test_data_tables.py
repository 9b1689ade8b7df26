"""Label maps, class lists and cameras of the published system against ours, with the differences we decided on."""

import json
import pathlib

import numpy as np
import pytest
from golden import full_dir

from sde_seg_jax.data.datasets import cityscapes, gta5, synthia, synthia_video, viper
from sde_seg_jax.data.datasets.mapillary import FOLDERS
from sde_seg_jax.data.raw_files import colors, raw
from sde_seg_jax.geometry import camera
from sde_seg_jax.label_spaces import CAMVID, CITYSCAPES, MAPILLARY
from sde_seg_jax.types import IGNORE


@pytest.fixture(scope="module")
def tables():
    folder = full_dir()
    if folder is None or not (folder / "data_tables.json").is_file():
        pytest.skip("no data_tables.json beside the recordings here")
    return json.loads((folder / "data_tables.json").read_text())


def plain(names):
    return [name.replace("_", "").replace(" ", "") for name in names]


@pytest.mark.parametrize("table", ["cityscapes_master", "cityscapes_ssda"])
def test_cityscapes_ids_agree_for_every_id_that_exists(tables, table):
    """Q34: ids from 34 on are passed through there; here they are unknown, hence ignored."""
    recorded = tables[table]["id_to_train_id_0_255"]
    assert cityscapes.TRAIN_IDS.tolist() == recorded[: cityscapes.RAW_IDS]
    assert recorded[cityscapes.RAW_IDS :] == list(range(cityscapes.RAW_IDS, 256))
    assert tables[table]["ignore_index"] == IGNORE


@pytest.mark.parametrize("table", ["cityscapes_master", "cityscapes_ssda"])
def test_cityscapes_classes_agree(tables, table):
    assert plain(tables[table]["class_names_train_id_order"]) == plain(CITYSCAPES.classes)
    assert tables[table]["n_classes"] == CITYSCAPES.num_classes
    ours, recorded = list(map(list, CITYSCAPES.colors)), tables[table]["colors"]
    if table == "cityscapes_master":  # Q34: another sky
        sky = CITYSCAPES.classes.index("sky")
        assert recorded.pop(sky) == [0, 130, 180]
        ours.pop(sky)
    assert ours == recorded


def test_camvid_classes_agree_but_void_is_no_class_here(tables):
    recorded = tables["camvid_master"]
    assert plain(recorded["class_names"]) == [*plain(CAMVID.classes), "unlabeled"]
    assert recorded["id_map_0_255"][:12] == [*range(CAMVID.num_classes), IGNORE]


def test_mapillary_has_65_classes(tables):
    recorded = tables["mapillary_master"]
    assert (recorded["n_classes"], recorded["ignore_index"]) == (MAPILLARY.num_classes, IGNORE)
    assert len(set(MAPILLARY.colors)) == MAPILLARY.num_classes  # so that finding classes by color is possible
    assert tables["sizes_master"]["val_split"]["mapillary"] == FOLDERS["val"]


@pytest.mark.parametrize(("table", "ours"), [("gtaseg_ssda", gta5.TRAIN_IDS), ("synthiaseg_ssda", synthia.TRAIN_IDS)])
@pytest.mark.filterwarnings("ignore:label 'x' has unknown ids")  # ids beyond the table: ignored as recorded
def test_every_id_of_a_synthetic_data_set_is_mapped_as_recorded(tables, table, ours):
    ids = np.arange(256, dtype=np.uint16).reshape(16, 16)
    found = raw.train_ids(ids, ours, pathlib.Path("x"))
    assert found.ravel().tolist() == tables[table]["id_to_train_id_0_255"]


@pytest.mark.parametrize(("table", "ours"), [("gtaseq_ssda", viper.COLORS), ("synthiaseq_ssda", synthia_video.COLORS)])
def test_every_color_of_a_video_is_mapped_as_recorded(tables, table, ours):
    recorded = {tuple(color): train_id for train_id, color in tables[table]["color_to_train_id"]}
    assert {color: train_id for color, train_id in ours.items() if train_id != IGNORE} == recorded
    with pytest.warns(UserWarning, match=r"'x' has 1 unknown colors \[\(1, 2, 3\)\]"):
        found = colors.train_ids(np.array([[*recorded, (1, 2, 3)]], np.uint8), ours, pathlib.Path("x"))
    assert found.ravel().tolist() == tables[table]["encoded"]


def test_the_cityscapes_camera_agrees_up_to_the_half_pixel_of_exact_resizing(tables):
    """Q1: ours resizes pixel edges onto pixel edges; the published one multiplies the centre by the scale."""
    recorded = np.array(tables["cityscapes_ssda"]["fx_fy_u0_v0_normalised"])
    width, height = tables["cityscapes_ssda"]["full_res_shape_wh"]
    assert (height, width) == cityscapes.INTRINSICS_SIZE
    for size in ((1024, 2048), (512, 1024), (256, 512)):
        ours = camera.resize(cityscapes.INTRINSICS, cityscapes.INTRINSICS_SIZE, size)
        published = recorded * (size[1], size[0], size[1], size[0])
        shift = (size[0] / height - 1) / 2
        expected = published + np.array([0, 0, shift, shift])
        np.testing.assert_allclose([ours.fx, ours.fy, ours.cx, ours.cy], expected, rtol=1e-12)
