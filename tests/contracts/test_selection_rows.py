"""Configurations that choose images to label: the published constants, and tables that train on the chosen lists."""

import pathlib

import pytest

from sde_seg_jax.experiment.config import UsageError, as_json, load_config, load_module
from sde_seg_jax.experiment.selection.select import check_selection
from sde_seg_jax.experiment.table.file import references

ROOT = pathlib.Path(__file__).resolve().parents[2]
STREETS, ABLATION = ROOT / "configs/streets_selection.py", ROOT / "configs/streets_ablation.py"
FEW, FEW_LABELS = ROOT / "configs/streets_few_selection.py", ROOT / "configs/streets_few_labels.py"
TABLE, IMAGES = ROOT / "configs/paper/selection.py", ROOT / "configs/paper/select_images.py"
CRITERIA = {"entropy": "entropy", "us": "us", "ds": "ds", "ds_us": "ds_us"}  # row -> criterion


def config_of(path, *words):
    return load_config(str(path), ",".join(words))


@pytest.mark.parametrize("dataset", ["cityscapes", "camvid"])
@pytest.mark.parametrize("row", [*CRITERIA, "random"])
def test_a_paper_selection_is_run_as_published(dataset, row):
    config = config_of(IMAGES, row, f"dataset={dataset}", "seed=44")
    plan = check_selection(config)
    count = 6 if dataset == "cityscapes" else 3
    assert (config.seed, plan.criterion) == (44, row)
    assert plan.steps == (25, 50, 100, 200, 372, 744)[:count]
    assert [plan.training_steps(n) for n in plan.steps] == [4000, 8000, 12000, 16000, 20000, 24000][:count]
    assert (plan.bias, plan.level, plan.pool, plan.pool_kind) == (1000.0, 3, (4, 8), "average")
    assert config.schedule.to_dict() == {"name": "poly", "steps": 0}  # over train.steps; its default power is 0.9
    if row != "entropy":
        assert (config.task.name, config.losses.to_dict()) == ("student_depth", {"berhu": 1.0})
        assert (config.model.encoder, config.model.batch_norm) == ("resnet50", True)
        assert config.model.decoder_channels == (64, 64, 128, 128, 256)
        assert "resnet50" in config.sources.imagenet
        assert config.model.transfer == ("encoder from imagenet",)
        assert (config.optim.name, config.optim.learning_rate) == ("adam", 1e-4)


@pytest.mark.parametrize("dataset", ["cityscapes", "camvid"])
@pytest.mark.parametrize("seed", [42, 44])
def test_a_list_of_ours_is_made_by_the_stage_of_its_criterion_and_seed_on_the_same_data(dataset, seed):
    stages = load_module(str(TABLE)).STAGES
    for row, criterion in CRITERIA.items():
        run = config_of(TABLE, row, f"dataset={dataset}", "lists=ours", "labels=100", f"seed={seed}")
        (name,) = references(run)
        assert run.data.label_file == f"@{name}/labels.txt"
        file, _, words = stages[name].partition(":")
        stage = config_of(ROOT / file, words)
        assert (stage.select.criterion, stage.seed) == (criterion, seed)
        for key in ("dataset", "prepared_dir", "size", "train_split"):
            assert stage.data[key] == run.data[key]
        assert list(references(stage)) == ([] if row == "entropy" else ["sde_feature_distance"])


def test_published_lists_need_no_stage_and_random_none_of_ours():
    assert not list(references(config_of(TABLE, "us")))
    assert config_of(TABLE, "random", "lists=ours").data.label_file == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("us,lists=ours,labels=800", "labels=800: our selections list 744 images"),
        ("us,lists=ours,labels=200,dataset=camvid", "labels=200: our selections list 100 images"),
        ("us,lists=ours,dataset=mapillary", "selection=us: not made for 'mapillary'; known: random"),
        ("us,lists=ours,seed=7", "seed=7: selections are made for the seeds 42, 43, 44"),
        ("us,lists=own", "lists=own: known: published, ours"),
    ],
)
def test_a_list_that_nobody_makes_is_refused(words, message):
    with pytest.raises(UsageError, match=message):
        config_of(TABLE, words)


@pytest.mark.parametrize("size", ["gpu", "cpu", "toy"])
def test_selections_of_street_scenes_build_at_every_size_and_reach_every_label_count(size):
    table = load_module(str(STREETS))
    for row in table.SELECT:
        plan = check_selection(config_of(STREETS, row, f"size={size}", "seed=43"))
        assert size == "toy" or plan.steps[-1] == max(table.LABELS)
    for row in table.ROWS:
        run = config_of(STREETS, row, f"size={size}", "labels=4", "seed=43")
        baseline = config_of(ABLATION, "baseline", f"size={size}", "labels=4", "seed=43")
        baseline.name, baseline.data.label_file = run.name, run.data.label_file
        assert as_json(run) == as_json(baseline)
        assert set(references(run)) <= set(table.STAGES)


def test_selections_of_a_redundant_video_build_and_train_the_baseline_of_few_labels():
    table = load_module(str(FEW))
    for row in table.SELECT:
        config = config_of(FEW, row, "seed=3")
        assert check_selection(config).steps[-1] == max(table.LABELS)
        assert config.dataset.pool == "video"
    for row in table.ROWS:
        run = config_of(FEW, row, "labels=48", "seed=3")
        baseline = config_of(FEW_LABELS, "baseline", "labels=48", "seed=3")
        baseline.name, baseline.data.label_file = run.name, run.data.label_file
        baseline.data.prepared_dir = run.data.prepared_dir
        baseline.dataset = {**baseline.dataset, "pool": "video"}
        assert as_json(run) == as_json(baseline)
        assert set(references(run)) <= set(table.STAGES)
    with pytest.raises(UsageError, match="labels=49: the selections list 48 scenes"):
        config_of(FEW, "ds", "labels=49")


@pytest.mark.parametrize("size", ["gpu", "cpu"])
def test_the_depth_stage_is_that_of_the_ablation_table(size):
    assert as_json(config_of(STREETS, "depth", f"size={size}")) == as_json(config_of(ABLATION, "depth", f"size={size}"))


def test_more_labels_than_a_list_holds_are_refused_before_any_work():
    with pytest.raises(UsageError, match="labels=41: the selections list 40 scenes; random takes more"):
        config_of(STREETS, "us", "size=cpu", "labels=41")
    assert config_of(STREETS, "random", "size=cpu", "labels=41").data.labels == 41


@pytest.mark.parametrize("data", ["folder", "street_scenes", "camvid"])
@pytest.mark.parametrize("size", ["full", "quick"])
def test_a_selection_of_ones_own_data_starts_with_nothing_but_a_depth_run(data, size):
    for row in (*CRITERIA, "random"):
        config = config_of(ROOT / "configs/selection.py", row, f"data={data}", f"size={size}")
        if "depth_checkpoint" in config.task:
            config.task.depth_checkpoint = "runs/depth"
        if size == "full":
            config.sources.imagenet = str(pathlib.Path(__file__))  # stands for weights that have been downloaded
        assert check_selection(config).criterion == row
