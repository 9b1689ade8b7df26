import json

import numpy as np
import pytest
from PIL import Image
from tree_folder import CLASSES, SHAPE, picture, save

from sde_seg_jax.data.annotation import palette
from sde_seg_jax.data.datasets import folder
from sde_seg_jax.types import IGNORE

IDS = np.array([[7, 3], [0, 7]], np.uint8)
COLORS = np.array([[(128, 64, 128), (0, 0, 142)], [(0, 0, 0), (128, 64, 128)]], np.uint8)
TRAIN_IDS = [[0, 1], [IGNORE, 0]]  # void is ignored


def classes_of(tmp_path, entries):
    path = tmp_path / "classes.json"
    path.write_text(json.dumps(entries))
    return palette.read_classes(str(path))


def label(tmp_path, image):
    path = tmp_path / "label.png"
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path)
    return str(path)


def paletted(values, bits=8):
    image = Image.fromarray(values).convert("P")
    image.putdata(values.ravel().tolist())
    image.putpalette(list(range(256)) * 3)
    return image


@pytest.mark.parametrize(
    "image",
    [IDS, paletted(IDS), COLORS, np.dstack([COLORS, np.full((2, 2), 255, np.uint8)])],
    ids=["gray", "palette", "RGB", "RGBA"],
)
def test_ids_and_colors_become_training_ids(tmp_path, image):
    found = palette.read_label(label(tmp_path, image), classes_of(tmp_path, CLASSES))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, TRAIN_IDS)


def test_without_ids_the_place_in_the_list_counts(tmp_path):
    classes = classes_of(tmp_path, {"sky": [1, 2, 3], "road": [4, 5, 6]})
    assert (classes.space.classes, classes.space.colors) == (("sky", "road"), ((1, 2, 3), (4, 5, 6)))
    found = palette.read_label(label(tmp_path, np.array([[1, 0]], np.uint8)), classes)
    np.testing.assert_array_equal(found, [[1, 0]])


def test_classes_without_colors_get_different_ones(tmp_path):
    space = classes_of(tmp_path, [{"name": f"class {i}"} for i in range(40)]).space
    assert len({*space.colors}) == 40


def test_unknown_ids_and_colors_are_ignored_with_a_warning(tmp_path):
    classes = classes_of(tmp_path, CLASSES)
    path = label(tmp_path, np.array([[7, 9, 255]], np.uint8))
    with pytest.warns(UserWarning, match=r"label '.*label.png' has unknown ids \[9, 255\]: ignored; add them to '"):
        np.testing.assert_array_equal(palette.read_label(path, classes), [[0, IGNORE, IGNORE]])
    path = label(tmp_path, np.array([[(1, 2, 3), (0, 0, 142)]], np.uint8))
    with pytest.warns(UserWarning, match=r"label '.*label.png' has 1 unknown colors \[\(1, 2, 3\)\]: ignored"):
        np.testing.assert_array_equal(palette.read_label(path, classes), [[IGNORE, 1]])


def test_a_photograph_is_no_label(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    with pytest.raises(ValueError, match=r"label '.*label.png' .* unknown colors.*swapped\?"):
        palette.read_label(label(tmp_path, noise), classes_of(tmp_path, CLASSES))


def test_colors_need_colors_in_the_list(tmp_path):
    classes = classes_of(tmp_path, [{"name": "road"}])
    with pytest.raises(ValueError, match=r"label '.*' has colors, but '.*classes.json' gives none; add \"color\""):
        palette.read_label(label(tmp_path, COLORS), classes)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "lists no classes; expected"),
        (3, "lists no classes; expected"),
        (["road"], 'has the entry "road"; expected'),
        ([{"name": "road", "colour": [1, 2, 3]}], "has the entry .*; expected"),
        ([{"name": "road", "id": 256}], "gives 'road' the id 256; expected 0 to 255"),
        ([{"name": "road", "id": True}], "gives 'road' the id True; expected 0 to 255"),
        ([{"name": "road", "color": [1, 2]}], r"gives 'road' the color \[1, 2\]; expected"),
        ({"road": "#808080"}, "gives 'road' the color '#808080'; expected"),
        ([{"name": "a"}, {"name": "a"}], "gives the name, id or color of 'a' twice"),
        ([{"name": "a", "id": 1}, {"name": "b"}], "gives the name, id or color of 'b' twice"),
        ({"a": [1, 2, 3], "b": [1, 2, 3]}, "gives the name, id or color of 'b' twice"),
        ([{"name": "a", "ignore": True}], "has 0 classes that are not ignored; expected 1 to 250"),
    ],
)
def test_a_wrong_list_of_classes_is_named_with_the_form(tmp_path, entries, message):
    with pytest.raises(ValueError, match=rf"'.*classes.json' {message}"):
        classes_of(tmp_path, entries)


def test_a_broken_list_of_classes_is_named(tmp_path):
    (tmp_path / "classes.json").write_text("[{")
    with pytest.raises(ValueError, match=r"cannot read '.*classes.json' .*expected \[{\"name\""):
        palette.read_classes(str(tmp_path / "classes.json"))


@pytest.mark.parametrize(
    ("values", "entry"), [(IDS, {"name": "class 3", "id": 3}), (COLORS, {"name": "class 1", "color": [0, 0, 142]})]
)
def test_labels_without_classes_are_answered_with_an_example_that_fits(tmp_path, values, entry):
    save(tmp_path / "a" / "1.png", picture(0))
    save(tmp_path / "labels" / "a" / "1.png", values)
    with pytest.raises(ValueError, match=r"has labels but no classes.json; write one .*/labels/a/1.png'") as error:
        folder.read_space(tmp_path)
    example = json.loads(
        str(error.value).split(": ", 2)[2].partition("1.png': ")[2] or "[" + str(error.value).split("[", 1)[1]
    )
    assert entry in example
    (tmp_path / "classes.json").write_text(json.dumps(example))
    assert folder.read_space(tmp_path).num_classes == 3


def test_label_folders_of_photographs_are_recognized(tmp_path):
    save(tmp_path / "a" / "1.png", np.zeros(SHAPE, np.uint8))
    save(tmp_path / "labels" / "a" / "1.jpg", picture(0))
    with pytest.raises(ValueError, match=r"'.*/labels/a/1.jpg' is no PNG; .*are images and labels swapped\?"):
        folder.read_space(tmp_path)


def test_classes_without_any_label_do_not_count(tmp_path):
    save(tmp_path / "a" / "1.png", picture(0))
    (tmp_path / "classes.json").write_text('{"road": [1, 2, 3]}')
    assert folder.read_space(tmp_path) == folder.NO_CLASSES
