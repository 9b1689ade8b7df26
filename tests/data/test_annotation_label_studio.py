"""Frames to Label Studio and labels back; its own converter writes the exports where it can."""

import json
import pickle
from xml.etree import ElementTree

import numpy as np
import pytest
from label_studio_converter import Converter, brush
from PIL import Image

from sde_seg_jax.data.annotation import label_studio, label_studio_tasks
from sde_seg_jax.data.annotation.frames import BACKGROUND, Frame
from sde_seg_jax.data.annotation.label_studio_keys import key_of
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.types import IGNORE

SPACE = LabelSpace("mine", ("road", 'a "b" & <c>', "sky"), ((128, 64, 128), (0, 1, 2), (70, 130, 180)))
HEIGHT, WIDTH = 5, 8
KEYS = ("front/straße/frame 7", "tour/000012", "100% #1 & more?/a+b!.v2")
OLD, NEW = "2026-01-01T10:00:00.000000Z", "2026-01-02T09:00:00.000000Z"


def ids(seed=0):
    return np.random.default_rng(seed).choice(np.array([0, 1, 2, IGNORE], np.uint8), (HEIGHT, WIDTH))


def frames(suggested=True):
    for seed, key in enumerate(KEYS):
        image = np.full((HEIGHT, WIDTH, 3), 40 * seed, np.uint8)
        yield Frame(key, image, ids(seed) if suggested else None, "largest distance")


def region(mask, name="road", kind="brushlabels", **more):
    rle = brush.mask2rle(np.where(mask, 255, 0).astype(np.uint8))
    height, width = mask.shape
    return result(
        kind, {"format": "rle", "rle": rle, kind: [name]}, original_width=width, original_height=height, **more
    )


def polygon(points, name="road"):
    return result("polygonlabels", {"points": points, "closed": True, "polygonlabels": [name]})


def result(kind, value, **more):
    found = {"id": "a", "type": kind, "from_name": "label", "to_name": "image", "image_rotation": 0, "value": value}
    return {**found, "original_width": WIDTH, "original_height": HEIGHT, **more}


def task(number, key, *results, **more):
    annotation = {"id": 10 * number, "completed_by": 1, "was_cancelled": False, "updated_at": OLD}
    found = {"id": number, "annotations": [{**annotation, "result": list(results)}], "drafts": [], "predictions": []}
    return {**found, "data": {"image": "/data/local-files/?d=images/x.jpg", "key": key}, **more}


def export(path, *tasks, indent=2):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json.dumps(tasks, indent=indent, ensure_ascii=False).encode())
    return path


def whole(shape=(HEIGHT, WIDTH)):
    return np.ones(shape, bool)


def top():
    return np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) < 11


def by_name(label):
    """Training ids of a label of classes of SPACE."""
    table = np.array([*map(SPACE.classes.index, label.names), IGNORE], np.uint8)
    assert label.indices.dtype == np.int16
    return table[label.indices]


def read_all(path):
    return {key: label_studio.read(reference) for key, reference in label_studio.references(path).items()}


def finished(folder, path):
    """What Label Studio exports after every prediction was accepted."""
    tasks = json.loads((folder / "tasks.json").read_text())
    accepted = [task(n, "", *t["predictions"][0]["result"], data=t["data"]) for n, t in enumerate(tasks, 1)]
    return export(path, *accepted)


@pytest.mark.parametrize("kind", ["JSON", "JSON_MIN"])
def test_accepted_suggestions_come_back_as_they_were(tmp_path, kind):
    label_studio.write(tmp_path / "out", frames(), SPACE, "streets 1-3")
    path = finished(tmp_path / "out", tmp_path / "project-1.json")
    config = (tmp_path / "out" / "labeling_config.xml").read_text()
    Converter(config, project_dir=None).convert(str(path), str(tmp_path / "back"), kind, is_dir=False)
    path = tmp_path / "back" / "result.json"
    assert label_studio.find(path)
    found = read_all(path)
    assert list(found) == list(KEYS)
    for seed, key in enumerate(KEYS):
        np.testing.assert_array_equal(by_name(found[key]), ids(seed))


def test_what_is_written_is_what_the_steps_name(tmp_path):
    files = label_studio.write(tmp_path / "out", frames(), SPACE, "streets 1-3")
    assert [path.name for path in files] == ["README.txt", "tasks.json", "labeling_config.xml", "images"]
    readme = files[0].read_text()
    assert readme.startswith("streets 1-3: 3 frames")
    assert all(path.name in readme for path in files[1:])
    tasks = json.loads(files[1].read_text())
    for task, frame in zip(tasks, frames(), strict=True):
        assert (task["data"]["key"], task["data"]["note"]) == (frame.key, "largest distance")
        with Image.open(tmp_path / "out" / "images" / f"{frame.key}.jpg") as image:
            np.testing.assert_array_equal(np.asarray(image), frame.image)  # of one gray: JPEG keeps it
        results = task["predictions"][0]["result"]
        assert len({entry["id"] for entry in results}) == 3
        for entry in results:
            assert (entry["original_width"], entry["original_height"]) == (WIDTH, HEIGHT)
            painted = brush.decode_rle(entry["value"]["rle"]).reshape(HEIGHT, WIDTH, 4)[..., 3] == 255
            number = SPACE.classes.index(*entry["value"]["brushlabels"])
            np.testing.assert_array_equal(painted, frame.suggestion == number)


def test_addresses_lead_to_the_keys_without_the_key_too(tmp_path):
    label_studio.write(tmp_path, frames(), SPACE, "")
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    assert [key_of({"image": task["data"]["image"]}) for task in tasks] == list(KEYS)
    assert all(task["data"]["image"].isascii() and " " not in task["data"]["image"] for task in tasks)


def test_the_labeling_interface_has_the_classes_and_their_colors(tmp_path):
    label_studio.write(tmp_path, frames(), SPACE, "")
    root = ElementTree.parse(tmp_path / "labeling_config.xml").getroot()
    assert root.find("Image").attrib == {"name": "image", "value": "$image", "zoom": "true"}
    assert root.find("BrushLabels").attrib == {"name": "label", "toName": "image"}
    labels = [(label.get("value"), label.get("background")) for label in root.iter("Label")]
    assert labels == list(zip(SPACE.classes, ("#804080", "#000102", "#4682b4"), strict=True))


def test_frames_without_suggestions_make_tasks_without_predictions(tmp_path):
    label_studio.write(tmp_path, frames(suggested=False), SPACE, "")
    assert [set(task) for task in json.loads((tmp_path / "tasks.json").read_text())] == [{"data"}] * 3


def test_long_lists_of_tasks_are_split_and_older_ones_removed(tmp_path, monkeypatch):
    label_studio.write(tmp_path, frames(), SPACE, "")
    size = max(len(json.dumps(task)) for task in json.loads((tmp_path / "tasks.json").read_text()))
    monkeypatch.setattr(label_studio_tasks, "LIMIT", 2 * size + 20)
    files = label_studio.write(tmp_path, frames(), SPACE, "")[1:-2]
    assert [path.name for path in files] == ["tasks.json", "tasks-2.json"]
    tasks = [json.loads(path.read_text()) for path in files]
    assert [[task["data"]["key"] for task in part] for part in tasks] == [list(KEYS[:2]), [KEYS[2]]]
    assert "Import tasks.json and tasks-2.json." in (tmp_path / "README.txt").read_text()
    monkeypatch.undo()
    label_studio.write(tmp_path, frames(), SPACE, "")
    assert not (tmp_path / "tasks-2.json").exists()


def test_frames_are_taken_one_by_one(tmp_path):
    def watched():
        for count, frame in enumerate(frames()):
            assert len([*(tmp_path / "images").rglob("*.jpg")]) == count
            yield frame

    label_studio.write(tmp_path, watched(), SPACE, "")
    assert len([*(tmp_path / "images").rglob("*.jpg")]) == len(KEYS)


@pytest.mark.parametrize(
    ("suggestion", "message"),
    [
        (np.full((HEIGHT, WIDTH), 3, np.uint8), "suggestion for 'a' has the id 3; expected 0 to 2"),
        (np.zeros((HEIGHT, 1), np.uint8), r"'a' has \(5, 8\) pixels, its suggestion \(5, 1\)"),
    ],
)
def test_suggestions_that_do_not_fit_are_errors(tmp_path, suggestion, message):
    frame = Frame("a", np.zeros((HEIGHT, WIDTH, 3), np.uint8), suggestion)
    with pytest.raises(ValueError, match=message):
        label_studio.write(tmp_path, [frame], SPACE, "")


def test_no_frames_are_an_error(tmp_path):
    with pytest.raises(ValueError, match="no frames to export"):
        label_studio.write(tmp_path, [], SPACE, "")


def test_later_regions_paint_over_earlier_ones_of_any_shape(tmp_path):
    square = polygon([[0, 0], [50, 0], [50, 40], [0, 40]], "sky")  # 4 x 2 pixels
    path = export(tmp_path / "a.json", task(1, "k", region(whole(), "road"), square, region(top(), "car")))
    label = read_all(path)["k"]
    expected = np.zeros((HEIGHT, WIDTH), int)
    expected[:2, :4] = 1
    expected[top()] = 2
    assert label.names == ("road", "sky", "car")
    np.testing.assert_array_equal(label.indices, expected)


def test_what_nobody_painted_is_background(tmp_path):
    label = read_all(export(tmp_path / "a.json", task(1, "k", region(top()))))["k"]
    np.testing.assert_array_equal(label.indices, np.where(top(), 0, BACKGROUND))


def test_the_newest_annotation_that_was_not_cancelled_counts(tmp_path):
    entry = task(1, "k", region(whole(), "old"))
    base = entry["annotations"][0]
    for name, more in {"new": {}, "older": {"updated_at": OLD}, "skipped": {"was_cancelled": True}}.items():
        entry["annotations"].append({**base, "updated_at": NEW, "result": [region(whole(), name)], **more})
    assert read_all(export(tmp_path / "a.json", entry))["k"].names == ("new",)


def test_of_the_rows_of_json_min_the_newest_counts(tmp_path):
    label = {"label": [{**region(whole())["value"], "original_width": WIDTH, "original_height": HEIGHT}]}
    other = json.loads(json.dumps(label).replace('"road"', '"sky"'))
    row = {"image": "/data/upload/3/1a2b3c4d-frame1.png", "id": 1, "annotator": 1}
    rows = [{**row, **label, "updated_at": NEW}, {**row, **other, "updated_at": OLD}]
    found = read_all(export(tmp_path / "a.json", *rows))
    assert {key: label.names for key, label in found.items()} == {"frame1": ("road",)}


def test_tasks_without_regions_are_not_labeled_and_predictions_no_labels(tmp_path):
    suggestion = {"predictions": [{"result": [region(whole())]}]}
    remark = result("choices", {"choices": ["blurred"]})
    cancelled = task(3, "c", region(whole()))
    cancelled["annotations"][0]["was_cancelled"] = True
    open_task = task(4, "d", annotations=[], **suggestion)
    path = export(tmp_path / "a.json", task(1, "a", **suggestion), task(2, "b", remark), cancelled, open_task)
    assert label_studio.references(path) == {}


def test_remarks_beside_regions_change_nothing(tmp_path):
    remarks = [result("choices", {"choices": ["blurred"]}), {"type": "relation", "from_id": "a", "to_id": "b"}]
    entry = task(1, "k", remarks[0], region(top()), remarks[1])
    assert read_all(export(tmp_path / "a.json", entry))["k"].names == ("road",)


def test_brush_and_labels_as_two_controls_are_read(tmp_path):
    shape = region(top(), kind="brush")
    del shape["value"]["brush"]
    found = read_all(export(tmp_path / "a.json", task(1, "k", shape, region(top(), "sky", kind="labels"))))["k"]
    assert found.names == ("sky",)
    np.testing.assert_array_equal(found.indices == 0, top())


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("indent", [None, 2])
def test_references_are_places_in_the_file_whatever_its_letters_and_lines(tmp_path, newline, indent):
    path = tmp_path / "a!b" / "straße.json"
    tasks = [task(n, f"straße/{n}", region(whole(), f"weiß {n}")) for n in (1, 22)]
    export(path, *tasks, indent=indent)
    path.write_bytes(path.read_bytes().replace(b"\n", newline.encode()))
    for number, reference in enumerate(pickle.loads(pickle.dumps(label_studio.references(path))).values()):
        assert label_studio.read(reference).names == (f"weiß {(1, 22)[number]}",)


def test_a_file_that_has_changed_is_an_error(tmp_path):
    path = export(tmp_path / "a.json", task(1, "a", region(whole())), task(2, "b", region(top())))
    reference = label_studio.references(path)["b"]
    export(path, task(2, "b", region(top())))
    with pytest.raises(ValueError, match=r"a.json' has changed since it was listed; prepare again"):
        label_studio.read(reference)


@pytest.mark.parametrize(
    ("image", "key"),
    [
        ("/data/local-files/?d=images/front/frame%201.png", "front/frame 1"),
        ("/data/local-files/?d=other/alone.v2.JPG", "other/alone.v2"),
        ("http://host:8080/studio/data/upload/12/0a1b2c3d-frame1.png", "frame1"),
        ("/data/upload/frame-1.png", "frame-1"),
        ("s3://bucket/front/frame1.jpeg", "front/frame1"),
        ("https://host/front/frame1.png?token=a.b/c", "front/frame1"),
        ("front/frame1.webp", "front/frame1"),
    ],
)
def test_without_a_key_the_address_of_the_image_is_the_key(image, key):
    assert key_of({"note": "no image", "picture": image}) == key
    assert key_of({"other": "x/y.png", "image": image}) == key
    assert key_of({"image": image, "key": "mine"}) == "mine"


BROKEN = {
    "cut off": (
        region(whole()),
        {"rle": [0, 0, 1]},
        "region of 'road' is broken: its run lengths are broken or cut off",
    ),
    "size": (
        region(whole()) | {"original_width": 7},
        {},
        "of 160 values, not of the 4 x 7 x 5 of the image; delete it",
    ),
    "points": (polygon([[0, 0], [1, "a"]]), {}, "a region of 'road' is broken: .*; delete it, and draw it again"),
    "few points": (polygon([[0, 0], [1, 1]]), {}, "a region of 'road' is broken: .*three or more"),
    "box": (
        result("rectanglelabels", {"x": 1, "rectanglelabels": ["a"]}),
        {},
        "type 'rectanglelabels'; only brush and",
    ),
    "no class": (region(whole()), {"brushlabels": []}, r"a region of the classes \[\]; give each region exactly one"),
    "two": (region(whole()), {"brushlabels": ["a", "b"]}, "classes .'a', 'b'.; give each region exactly one"),
    "shape": (result("brush", {"rle": []}), {}, "region without a class; give it one, or delete it"),
    "turned": (region(whole(), image_rotation=90), {}, "is turned by 90 degrees; turn it back"),
    "huge": (polygon([[0, 0]] * 3) | {"original_width": 1 << 40}, {}, "an image of 1099511627776 x 5 pixels"),
    "text size": (polygon([[0, 0]] * 3) | {"original_width": "8"}, {}, "an image of 8 x 5 pixels; draw it again"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_regions_are_errors_that_name_file_and_task(tmp_path, case):
    entry, value, message = BROKEN[case]
    entry = {**entry, "value": {**entry["value"], **value}}
    path = export(tmp_path / "a.json", task(7, "k", entry))
    with pytest.raises(ValueError, match=rf"a\.json', task 7: .*{message}") as error:
        read_all(path)
    assert "\n" not in str(error.value)


def test_regions_of_images_of_two_sizes_are_an_error(tmp_path):
    path = export(tmp_path / "a.json", task(7, "k", region(whole()), region(whole((2, 3)))))
    with pytest.raises(ValueError, match=r"task 7: its regions are of images of 3 x 2 and 8 x 5; delete"):
        read_all(path)


def test_two_labels_of_a_frame_are_an_error_that_names_both_tasks(tmp_path):
    path = export(tmp_path / "a.json", task(7, "k", region(whole())), task(9, "k", region(top())), task(8, "k"))
    with pytest.raises(ValueError, match="two labels of 'k', in task 7 and task 9; delete one"):
        label_studio.references(path)


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        (
            [{"data": {"image": "a.png"}, "predictions": []}],
            "tasks without numbers, so it is no export; export it again",
        ),
        ([{"id": 1, "data": {"image": "a.png"}, "predictions": []}], "task 1: it has no list of annotations; export"),
        ([task(1, "", region(whole()), data={"text": "a"})], "task 1: it shows no image; give its data an 'image'"),
        ([task(1, "k", data=[], annotations=[{"result": [region(whole())]}])], "task 1: it is malformed .*; export"),
        ([task(1, "k", annotations=["a"])], "task 1: it is malformed .*; export it again"),
        (["annotations"], "tasks without numbers"),
    ],
)
def test_files_of_another_form_are_errors_with_a_remedy(tmp_path, tasks, message):
    with pytest.raises(ValueError, match=rf"a\.json'.*{message}"):
        label_studio.references(export(tmp_path / "a.json", *tasks))


def test_every_cut_of_a_file_is_an_error(tmp_path):
    data = export(tmp_path / "a.json", task(1, "straße", region(top()[:1, :2])), indent=None).read_bytes()
    for end in range(0, len(data), 7):
        (tmp_path / "a.json").write_bytes(data[:end])
        with pytest.raises(ValueError, match=r"cannot read '.*a\.json' .*; export it again from Label Studio as JSON"):
            label_studio.references(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a_polygons.json", '{"imgHeight": 1024, "objects": []}'),
        ("coco.json", '{"annotations": []}'),
        ("list.json", "[1, 2]"),
        ("classes.json", '[{"name": "road"}]'),
        ("a.txt", '[{"annotations": []}]'),
    ],
)
def test_other_files_are_not_taken_for_exports(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert not label_studio.find(tmp_path / name)
    assert not label_studio.find(tmp_path)


@pytest.fixture
def masks(tmp_path):
    """The export "Brush labels to PNG" as Label Studio's converter writes it, and the JSON of the same tasks."""
    label_studio.write(tmp_path / "out", frames(), SPACE, "")
    path = finished(tmp_path / "out", tmp_path / "project.json")
    config = (tmp_path / "out" / "labeling_config.xml").read_text()
    folder = tmp_path / "labels" / "png"
    folder.mkdir(parents=True)
    Converter(config, project_dir=None).convert(str(path), str(folder), "BRUSH_TO_PNG", is_dir=False)
    return folder, path


def test_masks_alone_are_an_error_that_asks_for_json(masks):
    folder, _ = masks
    assert label_studio.find(folder)
    with pytest.raises(
        ValueError, match=r"png' has masks, but not which images .*task 1 .*; export as JSON .* instead"
    ):
        label_studio.references(folder)


@pytest.mark.parametrize("where", ["png/a.json", "a.json"])
def test_masks_beside_their_json_are_passed_over(masks, where):
    folder, path = masks
    path.rename(folder.parent / where)
    (folder.parent / "other.json").write_text('{"a": 1}')
    assert label_studio.references(folder) == {}
    assert len(label_studio.references(folder.parent / where)) == 3
