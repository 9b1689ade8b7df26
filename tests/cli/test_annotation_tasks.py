"""What --export writes: which frames, at which size, for which classes, in folders that are whole or not there."""

import json
import pathlib
import shutil
import sys

import numpy as np
import pytest
from absl import flags as absl_flags
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "data"))
import tree_folder
import tree_kitti

from sde_seg_jax.cli import annotation_flags
from sde_seg_jax.cli.command_line import Arguments
from sde_seg_jax.data.annotation import palette, plain
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.experiment.annotation import tasks as annotation_tasks
from sde_seg_jax.experiment.annotation.tasks import Choice, export
from sde_seg_jax.experiment.config import UsageError, load_config
from sde_seg_jax.experiment.prepare import prepare_data
from sde_seg_jax.experiment.selection.files import Chosen, write_chosen
from sde_seg_jax.experiment.train import train
from sde_seg_jax.reporter import Collected
from sde_seg_jax.types import IGNORE

pytestmark = pytest.mark.slow

TINY = str(pathlib.Path(__file__).resolve().parents[1] / "tiny" / "config.py")
NAMES = ("tour/000001", "front/straße/frame9", "rear/frame8")
CHOICES = [Choice(rank, name, f"why {rank}") for rank, name in enumerate(NAMES, 1)]
OTHER = [{"name": "sky", "color": [1, 2, 3]}, {"name": "road", "color": [4, 5, 6]}]


def configure(raw, prepared, row="folder"):
    config = load_config(TINY, row)
    config.data.size = config.data.crop = (64, 64)
    config.data.raw_dir, config.data.prepared_dir = str(raw), str(prepared)
    if row == "folder":
        with config.unlocked():
            config.dataset.min_motion = 0.0
    return config


@pytest.fixture(scope="module")
def labeled(tmp_path_factory):
    """A configuration of own frames with some labels, prepared."""
    folder = tmp_path_factory.mktemp("labeled")
    (folder / "raw").mkdir()
    tree_folder.write(folder / "raw")
    config = configure(folder / "raw", folder / "prepared")
    prepare_data(config, ("train", "val"), workers=1)
    return config


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A configuration of own frames without labels and classes, prepared."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "raw").mkdir()
    tree_folder.write(folder / "raw")
    shutil.rmtree(folder / "raw" / "labels")
    (folder / "raw" / "classes.json").unlink()
    config = configure(folder / "raw", folder / "prepared")
    prepare_data(config, ("train", "val"), workers=1)
    return config


@pytest.fixture(scope="module")
def model(labeled, tmp_path_factory):
    """The workdir of a segmentation run with the classes of `labeled`."""
    folder = tmp_path_factory.mktemp("run")
    config = labeled.copy_and_resolve_references()
    config.train.steps = 1
    train(config, str(folder))
    return str(folder)


@pytest.fixture
def classes(tmp_path):
    path = tmp_path / "classes.json"
    path.write_text(json.dumps(OTHER))
    return str(path)


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def pixels(path):
    with Image.open(path) as image:
        return np.array(image)


def arguments(**values):
    found = absl_flags.FlagValues()
    for name in ("config", "workdir"):
        absl_flags.DEFINE_string(name, "", "", flag_values=found)
    annotation_flags.flags(found)
    found(["select", *(f"--{name}={value}" for name, value in values.items())])
    return Arguments(found, {})


def test_frames_have_the_size_and_the_path_of_the_raw_files(labeled, tmp_path):
    (folder,) = export(labeled, CHOICES, tmp_path / "out", ["folder"])
    assert folder == tmp_path / "out" / "folder"
    np.testing.assert_array_equal(pixels(folder / "images" / "rear" / "frame8.png"), tree_folder.picture(1))
    found = sorted(str(path.relative_to(folder / "images")) for path in folder.rglob("*.png"))
    assert found == sorted(f"{name}.png" for name in NAMES)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["folder"]  # nothing unfinished is left


def test_the_manifest_tells_what_was_exported(labeled, model, tmp_path):
    (folder,) = export(labeled, CHOICES, tmp_path, ["folder"], model)
    facts = manifest(folder)
    first = {"rank": 1, "name": NAMES[0], "note": "why 1", "key": NAMES[0], "size": [24, 32]}
    assert facts["frames"][0] == first
    assert [frame["name"] for frame in facts["frames"]] == list(NAMES)
    assert (facts["checkpoint"], facts["checkpoint_step"], facts["classes"]) == (model, 1, ["road", "car"])
    assert (facts["dataset"], facts["split"], facts["resolution"]) == ("folder", "train", "raw files")


def test_classes_of_the_raw_files_stay_as_they_are(labeled, tmp_path):
    (folder,) = export(labeled, CHOICES, tmp_path, ["cvat"])
    assert (folder / "classes.json").read_text() == json.dumps(tree_folder.CLASSES)


def test_first_labels_are_what_the_model_predicts_of_the_original(labeled, model, tmp_path):
    (folder,) = export(labeled, CHOICES, tmp_path, ["folder"], model)
    task = annotation_tasks.open_task(labeled, model)
    found = pixels(folder / "labels" / "rear" / "frame8.png")
    np.testing.assert_array_equal(found, task.model.predict(tree_folder.picture(1)).classes)


def test_without_a_model_there_are_no_first_labels(labeled, tmp_path):
    (folder,) = export(labeled, CHOICES, tmp_path, ["folder"])
    assert not list((folder / "labels").rglob("*.png"))


def test_classes_come_from_a_file_where_the_data_have_none(bare, classes, tmp_path):
    with pytest.raises(UsageError, match=r"nothing says which classes .* --classes=FILE") as error:
        export(bare, CHOICES, tmp_path / "out", ["folder"])
    shown = str(error.value)
    (tmp_path / "shown.json").write_text(shown[shown.index("[") : shown.rindex("]") + 1])
    assert palette.read_classes(str(tmp_path / "shown.json")).space.classes == ("road", "car")
    for folder in export(bare, CHOICES, tmp_path / "out", annotation_tasks.FORMATS, classes=classes):
        assert palette.read_classes(str(folder / "classes.json")).space.classes == ("sky", "road")


def test_classes_come_from_the_model_where_nothing_else_names_them(bare, model, tmp_path):
    for folder in export(bare, CHOICES, tmp_path, annotation_tasks.FORMATS, model):
        found = palette.read_classes(str(folder / "classes.json"))
        assert found.space.classes == ("road", "car")
        assert (*found.table[:2], found.table[IGNORE]) == (0, 1, IGNORE)


def test_a_model_of_other_classes_is_refused(bare, model, classes, tmp_path):
    with pytest.raises(UsageError, match="class 0 is 'road', not 'sky'; give a model of these classes"):
        export(bare, CHOICES, tmp_path, ["folder"], model, classes)


def test_other_classes_than_those_of_the_labels_are_refused(labeled, classes, tmp_path):
    with pytest.raises(UsageError, match="which labels follow already; leave --classes out"):
        export(labeled, CHOICES, tmp_path, ["folder"], classes=classes)


def test_a_model_of_depth_is_refused(runs, labeled, tmp_path):
    with pytest.raises(UsageError, match="predicts no classes; give a checkpoint of a segmentation run"):
        export(labeled, CHOICES, tmp_path, ["folder"], str(runs / "depth"))


@pytest.mark.parametrize("names", [["folder", "coco"], ["cvat", "cvat"]])
def test_unknown_formats_are_refused(labeled, tmp_path, names):
    with pytest.raises(UsageError, match="choose from cvat, label_studio, folder, each once"):
        export(labeled, CHOICES, tmp_path, names)
    assert not list(tmp_path.iterdir())


def test_samples_that_are_not_in_the_data_are_refused(labeled, tmp_path):
    wrong = [*CHOICES, Choice(4, "rear/frame99", ""), Choice(5, "nowhere/frame1", "")]
    with pytest.raises(UsageError, match=r"2 of 5 chosen samples are not in .*, the first is 'rear/frame99'; give the"):
        export(labeled, wrong, tmp_path, ["folder"])
    with pytest.raises(UsageError, match="'rear/frame8' was chosen twice"):
        export(labeled, [*CHOICES, CHOICES[-1]], tmp_path, ["folder"])
    assert not list(tmp_path.iterdir())


def test_the_same_export_is_not_written_again_and_another_one_is_refused(labeled, tmp_path):
    (folder,) = export(labeled, CHOICES, tmp_path, ["folder"])
    (folder / "labels").mkdir()
    (folder / "labels" / "mine.png").write_bytes(b"work of days")
    told = Collected()
    assert export(labeled, CHOICES, tmp_path, ["folder"], reporter=told) == [folder]
    assert told.lines == [f"exported already: {folder}"]
    with pytest.raises(UsageError, match="is another export; give another --output=DIR, or delete it"):
        export(labeled, CHOICES[:2], tmp_path, ["folder"])
    assert (folder / "labels" / "mine.png").read_bytes() == b"work of days"


def test_a_folder_that_is_no_export_is_refused_before_anything_is_written(labeled, tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="is no export; give another --output=DIR"):
        export(labeled, CHOICES, tmp_path, ["cvat", "folder"])
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_an_interrupted_export_does_not_count(labeled, tmp_path, monkeypatch):
    def interrupted(folder, frames, space, title):
        next(frames)
        (folder / "half").write_text("")
        raise KeyboardInterrupt

    whole = plain.write
    monkeypatch.setattr(plain, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(labeled, CHOICES, tmp_path, ["folder"])
    monkeypatch.setattr(plain, "write", whole)
    assert not (tmp_path / "folder").exists()
    (folder,) = export(labeled, CHOICES, tmp_path, ["folder"])
    assert len(manifest(folder)["frames"]) == 3
    assert not list(tmp_path.rglob("half"))


def test_stored_images_stand_in_for_raw_files_that_are_gone(labeled, tmp_path):
    config = labeled.copy_and_resolve_references()
    config.data.raw_dir = str(tmp_path / "gone")
    told = Collected()
    (folder,) = export(config, CHOICES, tmp_path / "out", ["folder"], reporter=told)
    assert told.lines[0].startswith("exporting the stored images of 64x64, since data.raw_dir is empty or gone")
    assert pixels(folder / "images" / "rear" / "frame8.png").shape == (64, 64, 3)
    assert manifest(folder)["resolution"] == "stored images"
    assert "into labels/ of a new folder" in (folder / "README.txt").read_text()


def test_made_data_are_exported_as_they_are_stored(runs, prepared, tmp_path):
    config = configure("", prepared.partition("=")[2], "depth")
    name = open_source("street_scenes", config.data.prepared_dir, "train").names[2]
    told = Collected()
    (folder,) = export(
        config, [Choice(1, name, "")], tmp_path, ["folder"], str(runs / "semi_supervised"), reporter=told
    )
    assert "since they are made" in told.lines[0]
    assert manifest(folder)["classes"][0] == "road"
    assert len(list(folder.rglob("*.png"))) == 2


def test_other_data_sets_have_the_sample_as_key(tmp_path):
    tree_kitti.write(tmp_path / "raw")
    config = configure(tmp_path / "raw", tmp_path / "prepared", "kitti")
    prepare_data(config, ("video",), workers=1)
    name = open_source("kitti", config.data.prepared_dir, "video").names[0]
    (folder,) = export(config, [Choice(1, name, "")], tmp_path, ["folder"])
    assert pixels(folder / "images" / f"{name}.png").shape[:2] == tree_kitti.SHAPE
    assert "into labels/ of a new folder" in (folder / "README.txt").read_text()


def selected(workdir, criteria=("start", "ds", "us", "ds")):
    names = ("front/straße/frame7", *NAMES)
    write_chosen(workdir, [Chosen(i, n, 4, by, 0.5) for i, (n, by) in enumerate(zip(names, criteria, strict=True), 1)])


@pytest.mark.parametrize(
    ("flags", "ranks"),
    [({}, [2, 3, 4]), ({"export_count": 2}, [2, 3]), ({"export_from": 3}, [4]), ({"export_from": 2}, [3, 4])],
)
def test_the_flags_choose_a_part_of_the_list_without_what_was_labeled_before(labeled, tmp_path, flags, ranks):
    selected(tmp_path)
    given = arguments(workdir=tmp_path, export="folder", **flags)
    (folder,) = annotation_flags.from_flags(given, labeled)
    assert folder == tmp_path / "export" / "folder"
    assert [frame["rank"] for frame in manifest(folder)["frames"]] == ranks
    assert manifest(folder)["frames"][0]["note"].startswith(f"rank {ranks[0]}, ")


@pytest.mark.parametrize("flags", [{"export_count": 4}, {"export_from": 4}])
def test_more_frames_than_were_chosen_are_refused(labeled, tmp_path, flags):
    selected(tmp_path)
    with pytest.raises(UsageError, match=r"has . chosen frames; change --export_count"):
        annotation_flags.from_flags(arguments(workdir=tmp_path, export="folder", **flags), labeled)


def test_without_the_flag_nothing_is_exported(labeled, tmp_path):
    assert annotation_flags.from_flags(arguments(workdir=tmp_path), labeled) == []
    assert annotation_flags.check(arguments(workdir=tmp_path), labeled) is None


def test_flags_are_checked_before_any_work(bare, tmp_path):
    with pytest.raises(UsageError, match="nothing says which classes"):
        annotation_flags.check(arguments(export="cvat"), bare)
    with pytest.raises(UsageError, match="choose from cvat"):
        annotation_flags.check(arguments(export="voc"), bare)
    with pytest.raises(UsageError, match="--export_from is for the export of frames; add --export=cvat"):
        annotation_flags.check(arguments(export_from=3), bare)


def test_one_command_selects_and_exports(runs, prepared, tiny, command, refused, tmp_path):
    flags = [tiny("selection"), prepared, "--config.select.criterion=random", f"--checkpoint={runs / 'depth'}"]
    line = refused("select", *flags, f"--workdir={tmp_path / 'run'}", "--export=voc")
    assert "choose from cvat, label_studio, folder" in line
    assert not (tmp_path / "run").exists()
    status, _, err = command("select", *flags, f"--workdir={tmp_path / 'run'}", "--export=folder", "--export_count=2")
    assert status == 0, err
    frames = manifest(tmp_path / "run" / "export" / "folder")["frames"]
    assert [frame["name"] for frame in frames] == (tmp_path / "run" / "labels.txt").read_text().splitlines()[:2]
