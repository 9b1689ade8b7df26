"""cli.select on six tiny street scenes: the lists, what is refused, and going on after a kill."""

import csv
import os
import shutil
import signal
import time

import numpy as np
import pytest

from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.data.reading.subset import published_permutation, subset
from sde_seg_jax.experiment.build import load_trained
from sde_seg_jax.experiment.config import load_config
from sde_seg_jax.experiment.selection.files import COLUMNS
from sde_seg_jax.selection import distances
from sde_seg_jax.selection.farthest_point import from_matrix
from sde_seg_jax.selection.features import adaptive_pool, standardize

pytestmark = pytest.mark.slow


@pytest.fixture
def teacher(runs):
    return f"--checkpoint={runs / 'depth'}"


@pytest.fixture(scope="module")
def chosen(runs, prepared, finish, tmp_path_factory):
    """The workdir of a whole selection by ds_us, made by the real command."""
    folder = tmp_path_factory.mktemp("select") / "ds_us"
    flags = ("--config=tests/tiny/config.py:selection", prepared, f"--checkpoint={runs / 'depth'}")
    status, _, err = finish("select", *flags, f"--workdir={folder}")
    assert status == 0, err
    return folder


def rows(folder):
    with open(folder / "selection.csv", newline="") as file:
        return list(csv.DictReader(file))


def source_of(prepared):
    return open_source("street_scenes", prepared.partition("=")[2], "train")


def sorted_names(prepared):
    return sorted(source_of(prepared).names)


def test_a_list_says_which_sample_when_and_why(chosen, prepared):
    found = rows(chosen)
    assert tuple(found[0]) == COLUMNS
    assert [int(row["rank"]) for row in found] == [1, 2, 3, 4, 5]
    assert [int(row["step"]) for row in found] == [2, 2, 3, 5, 5]
    assert [row["criterion"] for row in found] == ["random", "ds", "ds_us", "ds_us", "ds_us"]
    assert len({row["name"] for row in found} & set(sorted_names(prepared))) == 5
    for row in found[2:]:
        score, distance, error = (float(row[key]) for key in ("score", "feature_distance", "depth_error"))
        assert error > 0
        # the distance is what is left of a float32 sum of the size of the score
        assert score == pytest.approx(distance + 1000 * error, rel=1e-6)
    assert found[0]["score"] == found[1]["depth_error"] == ""


def test_training_reads_the_list_in_its_order(chosen, prepared):
    names = (chosen / "labels.txt").read_text().split()
    assert names == [row["name"] for row in rows(chosen)]
    assert subset(source_of(prepared), chosen / "labels.txt", first=3) == sorted(names[:3])


def test_a_person_sees_every_choice_on_the_page(chosen):
    page = (chosen / "page.html").read_text()
    for row in rows(chosen):
        assert row["name"] in page
        picture = f"pictures/{int(row['rank']):05d}.jpg"
        assert picture in page
        assert (chosen / picture).stat().st_size > 1000


def test_the_budget_tells_what_every_label_leaves(chosen):
    with open(chosen / "budget.csv", newline="") as file:
        budget = list(csv.DictReader(file))
    assert [int(row["labels"]) for row in budget] == [1, 2, 3, 4, 5]
    largest = [float(row["largest_distance"]) for row in budget]
    assert largest == sorted(largest, reverse=True)
    assert [row["labels"] for row in budget if row["uncertainty"]] == ["2", "3"]


def test_students_learn_from_what_is_chosen_as_long_as_planned(chosen):
    names = (chosen / "labels.txt").read_text().split()
    for labels, steps in ((2, 2), (3, 4)):
        student = load_trained(str(chosen / "students" / f"{labels:05d}"))
        assert student.step == student.config.schedule.steps == steps
        assert (chosen / "students" / f"{labels:05d}.txt").read_text().split() == names[:labels]


def test_diversity_is_farthest_point_sampling_on_the_teachers_features(runs, prepared, teacher, command, tmp_path):
    flags = ("--config.select.criterion=ds", "--config.select.steps=(4,)")
    status, _, err = command("select", *tiny_flags(prepared), teacher, *flags, f"--workdir={tmp_path / 'ds'}")
    assert status == 0, err
    trained, source = load_trained(str(runs / "depth")), source_of(prepared)
    names = sorted_names(prepared)
    images = np.stack([source.read(source.names.index(name), ())["image"] for name in names])
    variables = {"params": trained.variables.params, "batch_stats": trained.variables.batch_stats}
    level = trained.network.apply(variables, images.astype(np.float32) / 255, 3, method="decoder_level")
    features = standardize(np.asarray(adaptive_pool(level, (1, 2))))
    first = int(published_permutation(6, 42)[0])
    exact = from_matrix(np.asarray(distances.pairwise(features)), [first], 3)
    assert [row["name"] for row in rows(tmp_path / "ds")] == [names[i] for i in (first, *exact.indices)]
    # features come from two compilations of one network
    np.testing.assert_allclose([float(r["score"]) for r in rows(tmp_path / "ds")[1:]], exact.distances, rtol=1e-4)
    assert not (tmp_path / "ds" / "students").exists()


def test_coreset_is_farthest_point_sampling_on_an_encoders_features_without_depth(runs, prepared, command, tmp_path):
    start = ("--config.model.transfer=('encoder',)", f"--config.model.init={runs / 'depth'}")
    flags = ("--config.select.criterion=coreset", "--config.select.steps=(2, 4)", "--config.task.depth_checkpoint=")
    folder = tmp_path / "coreset"
    status, _, err = command("select", *tiny_flags(prepared), *flags, *start, f"--workdir={folder}")
    assert status == 0, err
    trained, source = load_trained(str(runs / "depth")), source_of(prepared)
    names = sorted_names(prepared)
    images = np.stack([source.read(source.names.index(name), ())["image"] for name in names])
    variables = {"params": trained.variables.params, "batch_stats": trained.variables.batch_stats}
    last = trained.network.apply(variables, images.astype(np.float32) / 255, method="bottleneck")
    features = standardize(np.asarray(adaptive_pool(last, (1, 2))))
    first = int(published_permutation(6, 42)[0])
    exact = from_matrix(np.asarray(distances.pairwise(features)), [first], 3)
    assert [row["name"] for row in rows(folder)] == [names[i] for i in (first, *exact.indices)]
    assert [row["criterion"] for row in rows(folder)] == ["random", "coreset", "coreset", "coreset"]
    assert not (folder / "students").exists()
    with open(folder / "budget.csv", newline="") as file:
        budget = list(csv.DictReader(file))
    assert float(budget[0]["largest_distance"]) > float(budget[-1]["largest_distance"]) > 0
    assert "diversity of images" in (folder / "page.html").read_text(encoding="utf-8")


def test_random_needs_no_network_and_follows_the_published_permutation(prepared, command, tmp_path):
    flags = ("--config.select.criterion=random", "--config.task.depth_checkpoint=", "--config.seed=7")
    status, _, err = command("select", *tiny_flags(prepared), *flags, f"--workdir={tmp_path / 'random'}")
    assert status == 0, err
    names = sorted_names(prepared)
    assert [row["name"] for row in rows(tmp_path / "random")] == [names[i] for i in published_permutation(6, 7)[:5]]


def test_entropy_learns_the_labels_of_what_it_chose(prepared, command, tmp_path):
    folder = tmp_path / "entropy"
    status, _, err = command("select", "--config=tests/tiny/config.py:entropy", prepared, f"--workdir={folder}")
    assert status == 0, err
    assert [row["criterion"] for row in rows(folder)] == ["random", "random", "entropy", "entropy", "entropy"]
    assert all(0 < float(row["score"]) <= 1 for row in rows(folder)[2:])
    assert load_trained(str(folder / "students" / "00003")).config.task.name == "supervised"


def test_labels_that_exist_begin_the_list_and_one_student_is_enough(prepared, teacher, command, tmp_path):
    names, start = sorted_names(prepared), tmp_path / "have.txt"
    start.write_text(f"{names[4]}\n{names[1]}\n")
    flags = (f"--config.select.start={start}", "--config.select.single=True", "--config.select.criterion=us")
    status, _, err = command("select", *tiny_flags(prepared), teacher, *flags, f"--workdir={tmp_path / 'us'}")
    assert status == 0, err
    found = rows(tmp_path / "us")
    assert [row["name"] for row in found[:2]] == [names[4], names[1]]
    assert [row["criterion"] for row in found] == ["start", "start", "us", "us", "us"]
    scores = [float(row["score"]) for row in found[2:]]
    assert scores == sorted(scores, reverse=True)
    assert [path.name for path in (tmp_path / "us" / "students").glob("*[0-9]")] == ["00002"]


def test_a_killed_selection_goes_on_to_the_same_list(chosen, start, finish, runs, prepared, tmp_path):
    folder = tmp_path / "killed"
    flags = ("--config=tests/tiny/config.py:selection", prepared, f"--checkpoint={runs / 'depth'}")
    for waited_for in ("features/00000000.npy", "students/00002/checkpoints", "scores/00003.npy"):
        process = start("select", *flags, f"--workdir={folder}")
        until = time.monotonic() + 900  # a busy machine
        try:
            while not (folder / waited_for).exists() and process.poll() is None:
                assert time.monotonic() < until
                time.sleep(0.02)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
    status, _, err = finish("select", *flags, f"--workdir={folder}")
    assert status == 0, err
    for name in ("selection.csv", "labels.txt", "budget.csv"):
        assert (folder / name).read_bytes() == (chosen / name).read_bytes()


def test_features_in_parts_lead_to_the_same_list(chosen, command, prepared, teacher, tmp_path):
    flags = (*tiny_flags(prepared), teacher, f"--workdir={tmp_path / 'parts'}")
    status, out, err = command("select", *flags, "--part=2/2")  # six samples are one file, of part 1
    assert status == 0, err
    assert out.splitlines()[-1].startswith("1 are missing: wait for the other parts")
    _, out, _ = command("select", *flags, "--part=1/2")
    assert out.splitlines()[-1] == "all are there: choose by the same command without --part"
    (file,) = (tmp_path / "parts/features").iterdir()
    before = file.stat().st_mtime_ns
    assert command("select", *flags)[0] == 0
    assert file.stat().st_mtime_ns == before
    assert [row["name"] for row in rows(tmp_path / "parts")] == [row["name"] for row in rows(chosen)]


def test_a_finished_selection_is_left_as_it_is(chosen, command, prepared, teacher):
    before = {path: path.stat().st_mtime_ns for path in chosen.rglob("*") if path.is_file() and "json" not in path.name}
    status, out, err = command("select", *tiny_flags(prepared), teacher, f"--workdir={chosen}")
    assert status == 0, err
    assert "5 samples are chosen" in out
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--config.select.steps=(4, 9)"], ("9", "train has 6 samples", "--config.select.steps=(4,)")),
        (["--config.select.criterion=coreset"], ("features of a trained encoder", "--config.model.transfer=")),
        (["--config.select.steps=(4, 3)"], ("select.steps", "growing")),
        (["--config.select.criterion=ds_uss"], ("select.criterion", "ds_us")),
        (["--config.select.error=abs_logg"], ("select.error", "abs_log")),
        (["--config.select.level=5"], ("select.level", "0 to 4")),
        (["--config.select.pool=(4,)"], ("select.pool", "(4, 8)")),
        (["--config.select.preselect=0.5"], ("select.preselect", "1 and more")),
        (["--config.select.grow=4"], ("select.grow=4", "odd")),
        (["--config.select.p=0.5"], ("select.p=0.5", "1 or more")),
        (["--config.select.bottom=1.0"], ("select.bottom=1.0", "below 1")),
        (["--config.select.bias=-1.0"], ("select.bias=-1.0", "0 or more")),
        (["--config.select.scale=1.0", "--config.select.far=0.999"], ("no pixel counts", "select.scale=0")),
        (["--config.data.size=(96, 64)", "--config.data.crop=(64, 64)"], ("prepared",)),
        (["--checkpoint=nowhere"], ("nowhere",)),
        (["--config.select.criterion=us", "--part=1/2"], ("criterion us looks at no features", "leave --part out")),
        (["--part=3/2"], ("--part=3/2 is no part", "NUMBER/COUNT")),
        (["--part=1/2", "--export=folder"], ("--part chooses nothing yet", "leave --export out")),
    ],
)
def test_what_cannot_be_selected_is_refused(prepared, teacher, refused, tmp_path, flags, words):
    error = refused("select", *tiny_flags(prepared), teacher, *flags, f"--workdir={tmp_path / 'x'}")
    assert all(word in error for word in words), error


@pytest.mark.parametrize(
    ("listed", "word"), [("nobody\n", "nobody"), ("{0}\n{0}\n", "more than once"), ("{all}", "give")]
)
def test_a_start_list_names_each_sample_once_and_leaves_some(prepared, teacher, refused, tmp_path, listed, word):
    names = sorted_names(prepared)
    (tmp_path / "start.txt").write_text(listed.format(names[0], all="\n".join(names[:5])))
    flags = (f"--config.select.start={tmp_path / 'start.txt'}", f"--workdir={tmp_path / 'x'}")
    assert word in refused("select", *tiny_flags(prepared), teacher, *flags)


def test_depth_must_come_from_a_depth_run(prepared, runs, refused, tmp_path):
    flags = (f"--checkpoint={runs / 'semi_supervised'}", f"--workdir={tmp_path / 'x'}")
    assert "holds no depth network" in refused("select", *tiny_flags(prepared), *flags)
    assert "looks at depth" in refused(
        "select", *tiny_flags(prepared), "--config.task.depth_checkpoint=", f"--workdir={tmp_path / 'x'}"
    )


def test_a_folder_of_other_settings_or_another_teacher_is_refused(chosen, runs, prepared, teacher, refused, tmp_path):
    copy = shutil.copytree(chosen, tmp_path / "copy")
    flags = (*tiny_flags(prepared), f"--workdir={copy}")
    assert "select.bias differs" in refused("select", *flags, teacher, "--config.select.bias=10.0")
    (copy / "facts.json").write_text(
        (copy / "facts.json").read_text().replace('"teacher weights": "', '"teacher weights": "0')
    )
    assert "begun with other teacher weights" in refused("select", *flags, teacher)


def test_a_damaged_list_names_the_file(chosen, prepared, teacher, refused, tmp_path):
    copy = shutil.copytree(chosen, tmp_path / "copy")
    (copy / "selection.csv").write_text("rank,name\n1,a\n")
    error = refused("select", *tiny_flags(prepared), teacher, f"--workdir={copy}")
    assert "selection.csv is damaged" in error
    assert "delete it" in error
    table = (chosen / "selection.csv").read_text()
    (copy / "selection.csv").write_text(table.replace(rows(chosen)[0]["name"], "elsewhere"))
    error = refused("select", *tiny_flags(prepared), teacher, f"--workdir={copy}")
    assert "lists 'elsewhere'" in error
    assert "delete that file" in error


def tiny_flags(prepared):
    return ("--config=tests/tiny/config.py:selection", prepared)


def test_published_steps_and_students_are_the_defaults():
    base = load_config("configs/paper/select_images.py", "ds_us")
    assert tuple(base.select.steps) == (25, 50, 100, 200, 372, 744)
    assert tuple(base.select.student_steps)[:5] == (4000, 8000, 12000, 16000, 20000)
    assert (base.select.bias, base.select.far, base.select.bottom, base.select.level) == (1000.0, 0.07, 0.13, 3)


def test_cached_disparities_take_the_place_of_the_teachers(chosen, prepared, teacher, command, tmp_path):
    status, _, err = command("cache_depth", *tiny_flags(prepared), teacher, "--config.data.depth_cache=tiny")
    assert status == 0, err
    flags = ("--config.data.depth_cache=tiny", f"--workdir={tmp_path / 'cached'}")
    status, out, err = command("select", *tiny_flags(prepared), teacher, *flags)
    assert status == 0, err
    assert "made from weights" in out
    found, before = rows(tmp_path / "cached"), rows(chosen)
    for column in ("rank", "name", "step", "criterion"):
        assert [row[column] for row in found[:2]] == [row[column] for row in before[:2]]  # no student yet
    # Without the disparity as an output the teacher is another program, whose float32 features are rounded otherwise in
    # each of some thirty layers: 30 x 6e-8, and room for sums.
    nearest, before_nearest = (float(table[1]["feature_distance"]) for table in (found, before))
    assert nearest == pytest.approx(before_nearest, rel=1e-5)
    assert float(found[2]["depth_error"]) > 0
    assert load_trained(str(tmp_path / "cached" / "students" / "00002")).config.data.depth_cache == "tiny"
