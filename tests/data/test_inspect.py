import json
import pathlib
import shutil

import numpy as np
import pytest
import trees
from driving_trees import picture, save, write_camera
from PIL import Image
from tiny_scenes import SPEC

from sde_seg_jax.data.inspecting.inspect import Split, spread
from sde_seg_jax.data.inspecting.inspect_prepared import inspect_prepared, names_in
from sde_seg_jax.data.inspecting.inspect_raw import inspect_item, inspect_raw
from sde_seg_jax.data.inspecting.measure import Camera, Sample, count_classes, measure
from sde_seg_jax.data.own import camera_files
from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.label_spaces import CAMVID, CITYSCAPES
from sde_seg_jax.types import IGNORE

KIT = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "camvid"
IMAGE = "leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png"
LABEL = "gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png"
FRAME = "leftImg8bit_sequence/train/aachen/aachen_000000_000020_leftImg8bit.png"


@pytest.fixture
def tree(tmp_path):
    return trees.write("cityscapes", tmp_path / "raw")


def look(tree, name="cityscapes", **arguments):
    splits, pictures = inspect_raw(name, tree, workers=1, **arguments)
    return {split.name: split for split in splits}, pictures


def test_a_healthy_tree_has_no_problems(tree):
    splits, pictures = look(tree)
    assert {name: split.count for name, split in splits.items()} == {"train": 3, "val": 3, "video": 9}
    for split in splits.values():
        assert split.problems == []
        assert split.sizes == {(16, 32): split.count}
        assert split.having("neighbors") == split.count
        assert len(split.cameras) == 1
    assert splits["train"].having("label") == 3
    assert splits["video"].having("label") == 3
    assert [thumbnail.name for thumbnail in pictures["val"]] == [f"frankfurt_00000{i}_000019" for i in range(3)]


def test_class_pixels_equal_a_plain_count_of_the_files(tmp_path):
    tree = trees.write("camvid", tmp_path)
    files = [np.array(Image.open(path)) for path in (tree / "trainannot").glob("*.png")]
    expected = np.bincount(np.concatenate(files, axis=None), minlength=12)
    np.testing.assert_array_equal(look(tree, "camvid")[0]["train"].pixels, expected)


@pytest.mark.skipif(not KIT.is_dir(), reason="CamVid itself is not in ../shared/data/camvid")
@pytest.mark.parametrize(("split", "count"), [("train", 367), ("val", 101), ("test", 233)])
def test_counts_and_class_shares_of_the_real_camvid_are_the_documented_ones(split, count):
    found = look(KIT, "camvid", samples=None, shown=0, splits=(split,))[0][split]
    classes = json.loads((KIT / "classes.json").read_text())["classes"]
    documented = [entry["pixel_percent"][split] for entry in classes]
    assert (found.count, found.problems, found.sizes) == (count, [], {(360, 480): count})
    shares = 100 * found.pixels / found.pixels.sum()
    np.testing.assert_allclose(shares, documented, rtol=0, atol=5.1e-4)  # rounded to 3 digits


def truncate(path):
    path.write_bytes(path.read_bytes()[:-200])


def shrink(path):
    with Image.open(path) as image:
        small = image.resize((30, 16))
    small.save(path)


def unknown_ids(path):
    save(path, np.full((16, 32), 77, np.uint8))


def one_color(path):
    save(path, np.full((16, 32, 3), 90, np.uint8))


def night(path):
    save(path, picture("night", (16, 32)) // 64)


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        (IMAGE, truncate, "cannot read '{}' ("),
        (IMAGE, lambda path: path.write_bytes(b""), "cannot read '{}' ("),
        (LABEL, truncate, "cannot read '{}' ("),
        (LABEL, lambda path: path.write_bytes(b""), "cannot read '{}' ("),
        (FRAME, truncate, "cannot read '{}' ("),
        (LABEL, pathlib.Path.unlink, "'{image}' has no label"),
        (IMAGE, pathlib.Path.unlink, "'{label}' has no image"),
        (FRAME, pathlib.Path.unlink, "lacks a frame beside 'aachen_000000_000019' (-1 or +1)"),
        (LABEL, shrink, "label '{}' is 16x30 but image '{image}' is 16x32 (h x w); make them equal"),
        (FRAME, shrink, "is 16x30 but image '{image}' is 16x32 (h x w); make them equal"),
        (LABEL, unknown_ids, "label '{}' has unknown ids [77] (known: 0..33): ignored"),
        (LABEL, lambda path: save(path, np.zeros((16, 32), np.uint16)), "label '{}' has mode I;16; expected ids in"),
        (IMAGE, one_color, "image '{}' is one color (mean 90 of 255); replace the file"),
        (IMAGE, night, "image '{}' is almost black (mean 1."),
    ],
)
def test_a_planted_fault_is_named(tree, file, damage, message):
    damage(tree / file)
    message = message.format(tree / file, image=tree / IMAGE, label=tree / LABEL)
    problems = look(tree, splits=("train",))[0]["train"].problems
    assert [problem for problem in problems if message in problem], problems
    assert not any("\n" in problem for problem in problems)


def test_the_healthy_samples_beside_a_faulty_one_are_counted_and_shown(tree):
    truncate(tree / IMAGE)
    splits, pictures = look(tree, splits=("train",))
    assert (splits["train"].count, len(splits["train"].measured)) == (3, 2)
    assert len(pictures["train"]) == 2


def test_swapped_folders_and_missing_ones_are_told(tree):
    shutil.rmtree(tree / "gtFine/val")
    swapped = tree / "swap"
    (tree / "leftImg8bit/train").rename(swapped)
    (tree / "gtFine/train").rename(tree / "leftImg8bit/train")
    swapped.rename(tree / "gtFine/train")
    splits, _ = look(tree)
    assert "has no files '<city>/*_leftImg8bit.png'" in splits["train"].problems[0]
    assert "download the package gtFine_trainvaltest.zip" in splits["val"].problems[0]
    assert not splits["train"].count


def test_unknown_ids_of_many_files_are_one_problem(tree):
    for number, path in enumerate(sorted((tree / "gtFine/train").rglob("*labelIds.png"))):
        save(path, np.where(np.arange(512).reshape(16, 32) < 4, 50 + number, 7).astype(np.uint8))
    (problem,) = look(tree, splits=("train",))[0]["train"].problems
    assert problem.startswith("unknown ids [50, 51, 52] in 3 labels, the first '")


def test_labels_without_any_class_are_a_problem(tree):
    for path in (tree / "gtFine/val").rglob("*labelIds.png"):
        save(path, np.zeros((16, 32), np.uint8))
    split = look(tree, splits=("val",))[0]["val"]
    assert "none of 3 labels has a pixel of a class" in split.problems[0]
    assert split.missing_classes == list(CITYSCAPES.classes)


def test_frames_of_a_standing_camera_are_a_problem_when_they_are_many(tree):
    for path in (tree / "leftImg8bit_sequence/val").rglob("*.png"):
        shutil.copy(tree / f"leftImg8bit/val/frankfurt/{path.name[:17]}000019_leftImg8bit.png", path)
    split = look(tree, splits=("val",))[0]["val"]
    assert len(split.still) == 3
    assert split.problems[0].startswith("nothing moves in 3 of 3 samples, the first is 'frankfurt_000000_000019'")


@pytest.mark.parametrize(
    ("intrinsic", "message"),
    [
        ({"fx": 20000.0}, "horizontal field of view 5.9 degrees, plausible are 20 to 150"),
        ({"fy": 100.0}, "vertical field of view 157.9 degrees, plausible are 5 to 150"),
        ({"u0": 200.0}, "cx 2.6 is 40% of the side from the middle of 32 pixels"),
        ({"v0": 900.0}, "cy 13.6 is 38% of the side from the middle of 16 pixels"),
        ({"fy": 3000.0}, "fy / fx is 1.33, expected 1.00"),
    ],
)
def test_implausible_cameras_are_a_problem(tree, intrinsic, message):
    usual = {"fx": 2262.0, "fy": 2262.0, "u0": 1023.5, "v0": 511.5}
    write_camera(tree, "train", "aachen_000000_000019", **{**usual, **intrinsic})
    split = look(tree, splits=("train",))[0]["train"]
    assert [problem for problem in split.problems if f"camera of 1 samples: {message}" in problem], split.problems
    assert all(problem.endswith("; correct the camera in the raw files") for problem in split.problems)
    assert len(split.cameras) == 2


def test_known_pixels_that_are_not_square_are_no_problem(tmp_path):
    split = look(trees.write("camvid", tmp_path), "camvid", splits=("train",))[0]["train"]
    assert not split.problems
    (camera,) = split.cameras
    assert camera.faults(1.0) == ["fy / fx is 1.33, expected 1.00"]


def test_placeholder_cameras_of_photographs_are_not_judged(tmp_path):
    split = look(trees.write("mapillary", tmp_path), "mapillary", splits=("val",))[0]["val"]
    assert min(camera.angles[1] for camera in split.cameras) == pytest.approx(17.9, abs=0.05)
    assert split.problems == []
    split.judge_cameras, split.pixel_aspect = True, 1.5  # then they would be faults
    assert len(split.problems) == len(split.cameras)


def test_our_own_guess_of_a_camera_is_no_problem_for_pictures_cut_to_a_strip():
    """KITTI's 1242x375 at the 60 degrees across that are taken for an unknown camera: 19.8 degrees down."""
    guess = Camera(*camera_files.Camera("guess", degrees=camera_files.NOMINAL).at((375, 1242), "a.png"), (375, 1242))
    assert guess.angles[1] == pytest.approx(19.8, abs=0.05)
    assert guess.faults(1.0) == []


def test_the_field_of_view_of_a_camera_in_the_middle():
    assert Camera(50.0, 50.0, 49.5, 24.5, (50, 100)).angles == pytest.approx((90.0, 2 * np.degrees(np.arctan(0.5))))
    assert np.isnan(Camera(0.0, 1.0, 0.0, 0.0, (1, 1)).angles).all()
    assert len(Camera(np.nan, np.nan, 49.5, 24.5, (50, 100)).faults(None)) == 2


def test_a_warning_does_not_hide_the_measurement(tree):
    unknown_ids(tree / LABEL)
    sample = inspect_item(*_item(tree))
    assert sample.size == (16, 32)
    assert len(sample.warnings) == 1


def _item(tree):
    from sde_seg_jax.data.datasets.cityscapes import SPEC as cityscapes
    from sde_seg_jax.data.raw_files.raw import Problems

    items = cityscapes.items("train", tree, problems=Problems(), sequence_step=1)
    return cityscapes, CITYSCAPES, (16, 32), items[0]


def test_measuring_knows_depth_and_motion():
    image = np.random.default_rng(0).integers(0, 200, (4, 6, 3), dtype=np.uint8)
    depth = np.array([[2.0, 0.0, np.inf, 8.0]])
    example = {"image": image, "neighbors": [image + 10, image + 20], "depth": depth, "name": "a"}
    sample = measure({**example, "intrinsics": (6, 6, 2.5, 1.5)}, CITYSCAPES)
    assert sample.motion == 10.0  # the nearer one
    assert sample.depth == (2.0, 8.0, 0.5)
    assert sample.fields == {"neighbors", "depth"}


def test_ids_beyond_the_classes_count_as_no_label():
    assert count_classes(np.array([[0, 10, IGNORE]]), CAMVID).tolist() == [1, *[0] * 9, 1, 1]


def test_fields_of_some_samples_only_and_names_given_twice_are_problems():
    one = Sample(name="a", size=(4, 6), fields=frozenset({"depth"}), camera=Camera(6, 6, 2.5, 1.5, (4, 6)))
    other = Sample(name="a", size=(4, 6), camera=one.camera)
    problems = Split("train", CAMVID, 2, samples=[one, other], pixel_aspect=1.0).problems
    assert problems[0] == "2 samples are named 'a'; rename all but one"
    assert problems[1].startswith("1 of 2 samples have no depth, the first is 'a'")


def test_a_spread_has_both_ends_and_no_index_twice():
    assert spread(100, 5) == [0, 25, 50, 74, 99]
    assert spread(3, 64) == spread(3, None) == [0, 1, 2]
    assert spread(0, 4) == []


def test_worker_processes_find_the_same(tree):
    here, there = (inspect_raw("cityscapes", tree, workers=workers, shown=0)[0] for workers in (1, 2))
    for one, other in zip(here, there, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert (one.problems, one.sizes, one.cameras) == (other.problems, other.sizes, other.cameras)


def test_an_unknown_split_and_a_missing_folder_are_errors(tree):
    with pytest.raises(ValueError, match=r"'cityscapes' has no split 'trian'; it has \["):
        inspect_raw("cityscapes", tree, splits=("trian",))
    with pytest.raises(ValueError, match="does not exist; expected a folder with"):
        inspect_raw("cityscapes", tree / "no")


@pytest.fixture
def prepared(tmp_path):
    tree = trees.write("camvid", tmp_path / "raw")
    folder = prepare("camvid", raw_dir=tree, prepared_dir=tmp_path, size=(24, 32), image_format="png", workers=1)
    return pathlib.Path(folder)


def stored(prepared, **arguments):
    return inspect_prepared("camvid", prepared.parents[1], workers=1, **arguments)


def test_prepared_data_hold_what_the_raw_files_held(prepared, tmp_path):
    found, (raw, _) = stored(prepared), look(tmp_path / "raw", "camvid")
    assert found.problems == []
    assert (found.facts["version"], found.facts["size"], found.facts["image_format"]) == ("1.0.0", [24, 32], "png")
    assert [split.name for split in found.splits] == list(raw)
    for split in found.splits:
        assert split.problems == []
        assert split.count == raw[split.name].count
        np.testing.assert_array_equal(split.pixels, raw[split.name].pixels)
        assert split.having("neighbors") == raw[split.name].having("neighbors")
        assert len(found.pictures[split.name]) == min(4, split.count)


def test_an_unfinished_folder_says_how_to_continue(prepared):
    prepared.rename(prepared.with_name("1.0.0.incomplete"))
    found = stored(prepared)
    assert found.folder is None
    assert found.problems == [
        f"'{prepared}.incomplete' is not finished; run the same prepare command to continue, or delete it"
    ]


def test_damaged_shards_and_notes_are_named(prepared):
    (shard,) = prepared.glob("*-val.array_record*")
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    problems = {split.name: split.problems for split in stored(prepared).splits}
    assert problems["val"][0].startswith((f"cannot read '{prepared}' (", "split 'val'"))
    assert not problems["train"]
    path = prepared / "metadata.json"
    path.write_text("{")
    assert stored(prepared).problems[0].startswith(f"cannot read '{path}' (")


def test_records_without_a_name_and_wrong_statistics_are_told(prepared):
    path = prepared / "metadata.json"
    facts = json.loads(path.read_text())
    facts["splits"]["train"]["names"].pop()
    facts["splits"]["train"]["labeled"].pop()
    facts["splits"]["val"]["names"][1] = "other"
    facts["class_pixels"]["test"][0] += 1
    path.write_text(json.dumps(facts))
    train, val, test, _ = stored(prepared).splits
    assert train.problems[0].startswith(f"split 'train' in '{prepared}' has 3 records but 2 names")
    assert val.problems[0].startswith("record 1 ('other') of 'val' is named '0001TP_000202'")
    assert test.problems[0].startswith("the recorded class statistics are not those of the labels")


def test_another_version_and_nothing_at_all_are_told(prepared, tmp_path):
    prepared.rename(prepared.with_name("0.9.0"))
    assert "holds 'camvid' version 0.9.0, wanted 1.0.0" in stored(prepared).problems[0]
    assert names_in(prepared.parents[1]) == ["camvid"]
    with pytest.raises(ValueError, match="'cityscapes' is not prepared in"):
        inspect_prepared("cityscapes", tmp_path)
    with pytest.raises(ValueError, match="does not exist; name the prepared_dir"):
        names_in(tmp_path / "no")


def test_depth_ranges_and_depth_caches_beside_prepared_data_are_told(prepared_dir):
    folder = prepared_dir / SPEC.name / SPEC.version
    note = folder / "disparity" / "sde" / "train" / "cache.json"
    note.parent.mkdir(parents=True)
    note.write_text(json.dumps({"name": "sde", "weights": "abc", "step": 7}))
    try:
        found = inspect_prepared(SPEC, prepared_dir, workers=1)
    finally:
        shutil.rmtree(folder / "disparity")
    assert found.caches == [("disparity/sde/train", {"name": "sde", "weights": "abc", "step": 7})]
    near, far, share = found.splits[0].depths
    assert 1 <= near < far <= 100
    assert 0.8 < share <= 1
