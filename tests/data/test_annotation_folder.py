import json
import pickle
import shutil
import zipfile

import numpy as np
import pytest
from tool_exports import (
    COLORS,
    EXPECTED,
    PAINTED,
    cvat_folder,
    cvat_zip,
    gray,
    label_studio_json,
    labels,
    mirrored,
    two_good,
    unlabeled,
)
from tree_folder import CLASSES, SHAPE, picture, save

from sde_seg_jax.data.annotation import cvat, label_studio, palette, plain, tools
from sde_seg_jax.data.annotation.frames import Frame
from sde_seg_jax.data.datasets import folder
from sde_seg_jax.data.own.clips import safe_name
from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.data.raw_files.raw import Problems
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.types import IGNORE


@pytest.fixture
def root(tmp_path):
    return unlabeled(tmp_path / "raw")


def make(root, **options):
    prepared = root.parent / "prepared"
    options = {"size": SHAPE, "image_format": "png", "workers": 1, "min_motion": 0} | options
    prepare("folder", raw_dir=root, prepared_dir=prepared, **options)
    sources = [open_source("folder", prepared, split) for split in ("train", "val")]
    found = [source.read(i, ["label"]) for source in sources for i in np.flatnonzero(source.labeled)]
    return {example["name"]: example["label"] for example in found}


def test_every_key_is_the_path_of_the_image_or_the_number_in_the_video(root):
    save(root / "alone.v2.png", picture(0))
    options = folder.SPEC.complete({"min_motion": 0})
    splits = [folder.items(split, root, problems=Problems(), **options) for split in ("train", "val")]
    found = {item.key for items in splits for item in items}
    clips = {f"{clip}/frame{i}" for clip in ("front/straße", "rear") for i in range(7, 13)}
    assert found == {"alone.v2", *clips, *(f"tour/{i:06d}" for i in range(6))}


@pytest.mark.parametrize("where", ["a!b.zip", "deep/down/export.ZIP"])
def test_a_zip_anywhere_in_labels_gives_labels_by_name(root, where):
    cvat_zip(root / "labels" / where, {"front/straße/frame7": PAINTED, "tour/000003": PAINTED})
    mirrored(root, "rear/frame9")
    found = labels(root)
    np.testing.assert_array_equal(found.pop("rear/frame9"), np.zeros(SHAPE))
    assert set(found) == {"front/straße/frame7", "tour/000003"}
    for label in found.values():
        assert label.dtype == np.uint8
        np.testing.assert_array_equal(label, EXPECTED)


@pytest.mark.parametrize("where", [".", "cvat", "rear"])
def test_an_unpacked_export_gives_the_same_and_its_pngs_are_no_mirrored_labels(root, where):
    cvat_folder(root / "labels" / where, {"front/straße/frame7": PAINTED, "tour/000003": PAINTED})
    found = labels(root)
    assert set(found) == {"front/straße/frame7", "tour/000003"}
    np.testing.assert_array_equal(found["tour/000003"], EXPECTED)


def test_a_label_inside_an_unpacked_export_is_not_lost_unseen(root):
    cvat_folder(root / "labels" / "rear", {"tour/000003": PAINTED})
    mirrored(root, "rear/frame9")
    with pytest.raises(ValueError, match=r"'.*rear/frame9.png' lies within the export '.*/labels/rear'; give that"):
        labels(root)


@pytest.mark.parametrize("where", [".", "studio"])
def test_pictures_of_label_studio_are_passed_over_and_the_json_in_their_folder_counts(root, where):
    picture = root / "labels" / where / "task-1-annotation-1-by-1-tag-car-0.png"
    save(picture, np.full(SHAPE, 255, np.uint8))
    with pytest.raises(ValueError, match=r"has masks, but not which images they are of .*; export as JSON"):
        labels(root)
    label_studio_json(root / "labels" / where / "project-1.json", ["rear/frame8", "rear/frame9"])
    assert set(labels(root)) == {"rear/frame8", "rear/frame9"}


@pytest.mark.parametrize("where", [".", "cvat", "cvat/SegmentationClass"])
def test_a_zip_within_an_unpacked_export_counts(root, where):
    cvat_folder(root / "labels" / "cvat", {"rear/frame7": PAINTED})
    cvat_zip(root / "labels" / where / "more.zip", {"rear/frame8": PAINTED})
    assert set(labels(root)) == {"rear/frame7", "rear/frame8"}


@pytest.mark.parametrize("where", [".", "cvat"])
def test_a_document_may_lie_among_labels_or_in_a_folder_with_its_images(root, where):
    for number in (7, 8):
        save(root / "labels" / where / "images" / "rear" / f"frame{number}.png", picture(0))
    shape = '<polygon label="car" points="0,0;32,0;32,24;0,24" occluded="0"></polygon>'
    images = "".join(f'<image id="{i}" name="rear/frame{i}.png" width="32" height="24">{shape}</image>' for i in (7, 8))
    (root / "labels" / where / "annotations.xml").write_text(f"<annotations>{images}</annotations>")
    if where == ".":
        shutil.rmtree(root / "labels" / "images")
        mirrored(root, "rear/frame9")
    found = labels(root)
    assert set(found) == {"rear/frame7", "rear/frame8", *(["rear/frame9"] if where == "." else [])}
    assert (found["rear/frame7"] == 1).all()


def test_what_the_tools_get_comes_back_as_the_exact_ids(root, tmp_path):
    clips = {tool: f"clip {tool}/day.1" for tool in ("cvat", "label_studio", "folder", "masks")}
    for clip in clips.values():
        for number in (1, 2):
            save(root / clip / f"frame.{number}.jpg", picture(number))
    rng, values = np.random.default_rng(0), np.array([0, 1, IGNORE], np.uint8)
    ids = {f"{clip}/frame.{n}": rng.choice(values, SHAPE) for clip in clips.values() for n in (1, 2)}
    mirrored(root, "rear/frame9")
    space = folder.read_space(root)

    def frames(tool):
        return (Frame(key, picture(0), label) for key, label in ids.items() if key.startswith(clips[tool]))

    cvat.write(tmp_path / "to_cvat", frames("cvat"), space, "title")  # its suggestions are an export of CVAT, too
    shutil.copy(tmp_path / "to_cvat" / "annotations.zip", root / "labels" / "cvat.zip")
    label_studio.write(tmp_path / "to_studio", frames("label_studio"), space, "title")
    tasks = json.loads((tmp_path / "to_studio" / "tasks.json").read_text())
    done = [task | {"id": i, "annotations": [task["predictions"][0] | {"id": i}]} for i, task in enumerate(tasks, 1)]
    (root / "labels" / "clip label_studio").mkdir()
    (root / "labels" / "clip label_studio" / "project.json").write_text(json.dumps(done))
    plain.write(root / "labels", frames("folder"), space, "title")
    places = {frame.key: np.select([frame.suggestion == 0, frame.suggestion == 1], [2, 1]) for frame in frames("masks")}
    cvat_zip(root / "labels" / "masks.zip", places)

    found = make(root)
    expected = {safe_name(key): label for key, label in ids.items()} | {"rear/frame9": np.zeros(SHAPE)}
    assert set(found) == set(expected)
    for name, label in expected.items():
        np.testing.assert_array_equal(found[name], label, err_msg=name)


def test_items_can_be_sent_to_other_processes(root):
    cvat_zip(root / "labels" / "cvat.zip", {"rear/frame7": PAINTED, "rear/frame9": PAINTED})
    items = folder.items("val", root, problems=Problems(), **folder.SPEC.complete({}))
    np.testing.assert_array_equal(folder.load(pickle.loads(pickle.dumps(items[0])), SHAPE)["label"], EXPECTED)


def test_background_counts_when_the_classes_name_it(root):
    entries = [{"name": "background"}, *({"name": name} for name in ("road", "car", "void"))]
    (root / "classes.json").write_text(json.dumps(entries))
    cvat_zip(root / "labels" / "cvat.zip", {"rear/frame7": PAINTED, "rear/frame9": PAINTED})
    np.testing.assert_array_equal(labels(root)["rear/frame7"], np.array([0, 2, 1, 3])[PAINTED])


def test_names_have_the_ids_of_their_entries(tmp_path):
    path = tmp_path / "classes.json"
    path.write_text(json.dumps(CLASSES))
    assert palette.read_classes(str(path)).names == {"road": 0, "car": 1, "void": IGNORE}


def test_without_classes_the_names_of_the_tool_are_shown(root):
    (root / "classes.json").unlink()
    cvat_zip(root / "labels" / "cvat.zip", {"rear/frame7": PAINTED, "rear/frame9": PAINTED})
    with pytest.raises(ValueError, match=r"has labels but no classes.json; write one .*/cvat.zip!") as error:
        folder.read_space(root)
    example = json.loads("[{" + str(error.value).split("[{", 1)[1])
    assert sorted(entry["name"] for entry in example) == ["car", "road", "void"]
    (root / "classes.json").write_text(json.dumps(example))
    assert folder.read_space(root).num_classes == 3


def two_labels(root):
    cvat_zip(root / "labels" / "cvat.zip", {"rear/frame7": PAINTED, "rear/frame9": PAINTED})
    mirrored(root, "rear/frame9")


def two_of_different_names(root):
    cvat_zip(root / "labels" / "cvat.zip", {"rear/frame7": PAINTED, "rear/frame9": PAINTED})
    gray(root, "rear/frame9_gtFine_labelIds", 7)


def two_exports(root):
    cvat_zip(root / "labels" / "a.zip", {"rear/frame7": PAINTED, "rear/frame8": PAINTED})
    cvat_zip(root / "labels" / "b.zip", {"rear/frame8": PAINTED})


def unknown_frame(root):
    cvat_zip(root / "labels" / "cvat.zip", {"rear/frame7": PAINTED, "rear/frame8": PAINTED, "frame9": PAINTED})


def broken_zip(root):
    path = cvat_zip(root / "labels" / "cvat.zip", {"rear/frame9": PAINTED})
    path.write_bytes(path.read_bytes()[:-40])
    two_good(root)


def unreadable_json(root):
    (root / "labels" / "project-1.json").write_text('[{"id": 1, "annota')
    two_good(root)


def coco(root):
    (root / "labels" / "instances.json").write_text('{"images": [], "annotations": [], "categories": []}')
    two_good(root)


def zip_of_photographs(root):
    with zipfile.ZipFile(root / "labels" / "photos.zip", "w") as archive:
        archive.writestr("front/frame7.jpg", b"photograph")
    two_good(root)


PROBLEMS = [  # damage, message, how many labels are left without the problem
    (two_labels, r"frame 'rear/frame9' has two labels, '.*/frame9.png' and '.*/cvat.zip!.*'; take one away", 2),
    (two_of_different_names, r"frame 'rear/frame9' has two labels, '.*/cvat.zip!.*' and '.*_labelIds.png'; take", 2),
    (two_exports, r"frame 'rear/frame8' has two labels, '.*/a.zip!.*' and '.*/b.zip!.*'; take one away", 2),
    (unknown_frame, r"1 labels of '.*/cvat.zip' have no image, the first is that of 'frame9'; .* such as 'front/", 2),
    (broken_zip, r"cannot read '.*/labels/cvat.zip' \(.*\); export it again", 2),
    (unreadable_json, r"cannot read '.*/labels/project-1.json' \(.*\); export it again", 2),
    (coco, r"nothing is known of '.*/instances.json'; labels/ may hold PNGs .*CVAT.*Label Studio.*: export it as", 2),
    (zip_of_photographs, r"nothing is known of '.*/photos.zip'; labels/ may hold PNGs", 2),
]


@pytest.mark.parametrize(("damage", "message", "left"), PROBLEMS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_problem_with_labels_is_one_line_and_skip_bad_goes_on(root, damage, message, left):
    damage(root)
    with pytest.raises(ValueError, match=message) as error:
        make(root)
    assert "\n" not in str(error.value)
    assert len(make(root, skip_bad=True)) == left


def test_skipping_keeps_the_first_of_two_labels_and_lists_what_it_left_out(root):
    two_labels(root)
    problems = Problems(skip=True)
    np.testing.assert_array_equal(labels(root, problems=problems)["rear/frame9"], np.zeros(SHAPE))
    assert "has two labels" in problems.left_out[0]


OTHER = PAINTED + (PAINTED == 1) * 3  # the color after those of COLORS


@pytest.mark.parametrize(
    ("name", "painted", "message"),
    [
        (
            "care",
            OTHER,
            r"'.*cvat.zip!.*' has the class 'care', which '.*/classes.json' lacks \(near: 'car'\); add it",
        ),
        ("zebra", OTHER, r"class 'zebra', which '.*/classes.json' lacks; add it there .*, or rename it in the tool"),
        ("car", PAINTED[:8], r"label '.*cvat.zip!.*' is 8x32 but image '.*frame7.png' is 24x32 \(h x w\); make them"),
    ],
    ids=["near", "far", "size"],
)
def test_a_label_that_does_not_fit_is_named_when_it_is_read(root, name, painted, message):
    pictures = {"rear/frame7": painted, "rear/frame9": painted}
    cvat_zip(root / "labels" / "cvat.zip", pictures, COLORS | ({} if name in COLORS else {name: (1, 2, 3)}))
    with pytest.raises(ValueError, match=message) as error:
        make(root)
    assert "\n" not in str(error.value)


def test_an_unknown_class_that_is_nowhere_painted_does_no_harm(root):
    pictures = {"rear/frame7": PAINTED, "rear/frame9": PAINTED}
    cvat_zip(root / "labels" / "cvat.zip", pictures, {**COLORS, "zebra": (1, 2, 3)})
    np.testing.assert_array_equal(labels(root)["rear/frame7"], EXPECTED)


def test_other_files_beside_labels_are_nobodys(root):
    two_good(root)
    for name in ("notes.txt", "Thumbs.db", ".hidden.json"):
        (root / "labels" / name).write_text("?")
    assert set(labels(root)) == {"rear/frame7", "rear/frame8"}


def test_an_export_that_is_gone_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"cannot read '.*/cvat.zip!a.png' \(.*\); export it again") as error:
        tools.read(f"{tmp_path}/cvat.zip!a.png")
    assert "\n" not in str(error.value)


def test_a_changed_export_is_looked_at_again(root):
    path = cvat_zip(root / "labels" / "cvat.zip", {"rear/frame7": PAINTED, "rear/frame9": PAINTED})
    assert len(labels(root)) == 2
    cvat_zip(path, {"rear/frame7": PAINTED, "rear/frame8": PAINTED, "rear/frame9": PAINTED})
    assert len(labels(root)) == 3


@pytest.mark.parametrize("seed", range(12))
def test_damage_within_exports_is_harmless_or_one_line_that_names_a_file(root, seed):
    two_good(root)
    files = [cvat_zip(root / "labels" / "cvat.zip", {"rear/frame9": PAINTED}), root / "labels" / "project.json"]
    label_studio_json(files[1], ["rear/frame10"])
    rng = np.random.default_rng(seed)
    content = bytearray(files[seed % 2].read_bytes())
    for place in rng.integers(len(content), size=9):
        content[place] ^= int(rng.integers(1, 256))
    files[seed % 2].write_bytes(content if seed % 3 else content[: len(content) * 2 // 3])
    try:
        said = f"'{files[seed % 2]}' {len(labels(root))} labels"
    except (ValueError, OSError) as error:
        said = str(error)
    assert str(files[seed % 2]) in said
    assert "\n" not in said
