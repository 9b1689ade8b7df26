import numpy as np
import pytest
from tool_exports import gray, labels, two_good, unlabeled
from tree_folder import SHAPE, picture, save

from sde_seg_jax.data.datasets import folder


@pytest.fixture
def root(tmp_path):
    return unlabeled(tmp_path / "raw")


@pytest.mark.parametrize(
    "ending", ["_gtFine_labelIds", "_gtCoarse_labelIds", "_labelIds", "_labelTrainIds", "_gtFine_labelTrainIds"]
)
@pytest.mark.parametrize("image", ["one", "one_leftImg8bit"])
def test_names_of_cityscapes_are_paired(root, image, ending):
    for name in (image, "two"):
        save(root / "city" / f"{name}.png", picture(0))
    gray(root, f"city/one{ending}", 3)
    gray(root, "city/one_gtFine_instanceIds", 9)
    (root / "labels" / "city" / "one_gtFine_polygons.json").write_text("{}")
    save(root / "labels" / "city" / "one_gtFine_color.png", np.full((*SHAPE, 3), 9, np.uint8))
    gray(root, "city/two", 7)
    gray(root, "city/two_labelIds", 3)  # the plain name counts
    found = labels(root)
    assert {key: int(label.max()) for key, label in found.items()} == {f"city/{image}": 1, "city/two": 0}


def test_colors_of_cityscapes_count_where_there_are_no_ids(root):
    save(root / "city" / "one.png", picture(0))
    save(root / "city" / "two.png", picture(0))
    for name in ("one", "two"):
        save(root / "labels" / "city" / f"{name}_gtFine_color.png", np.full((*SHAPE, 3), (0, 0, 142), np.uint8))
    assert all((label == 1).all() for label in labels(root).values())
    assert folder.read_space(root).num_classes == 2


def test_a_frame_whose_name_ends_like_a_label_keeps_its_own(root):
    for name in ("one", "one_color"):
        save(root / "city" / f"{name}.png", picture(0))
    gray(root, "city/one_color", 3)
    gray(root, "rear/frame7", 3)
    assert set(labels(root)) == {"city/one_color", "rear/frame7"}


def test_a_label_of_cityscapes_without_image_is_told(root):
    two_good(root)
    gray(root, "city/one_gtFine_labelIds", 3)
    with pytest.raises(ValueError, match=r"1 labels have no image, the first is '.*/city/one_gtFine_labelIds.png'"):
        labels(root)


def test_images_may_lie_in_a_folder_beside_labels(root):
    for name in ("one", "two"):
        save(root / "images" / "city" / f"{name}.png", picture(0))
    gray(root, "city/one", 3)
    gray(root, "images/city/two", 3)
    assert set(labels(root)) == {"images/city/one", "images/city/two"}
    save(root / "city" / "one.png", picture(0))  # now that label is of this image
    assert set(labels(root)) == {"city/one", "images/city/two"}
