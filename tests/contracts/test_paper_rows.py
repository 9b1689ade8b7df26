"""The paper's tables as rows: each row builds at every label count, selections and quoted numbers are in order."""

import pathlib
import re

import pytest

from sde_seg_jax.experiment.check import check
from sde_seg_jax.experiment.config import UsageError, load_config, load_module
from sde_seg_jax.experiment.rows import parse
from sde_seg_jax.experiment.table.file import references

ROOT = pathlib.Path(__file__).resolve().parents[2]
STREETS = ROOT / "configs/streets_ablation.py"
ADAPTATION = ROOT / "configs/paper/ssda.py"
PAPER_FILES = sorted(
    path for path in (ROOT / "configs/paper").glob("*.py") if path.stem not in ("published", "select_images")
)
TABLES = {path: load_module(str(path)) for path in (*PAPER_FILES, STREETS)}
ALL = [(path, row) for path, table in TABLES.items() for row in table.ROWS]
PAPER_ROWS = [(path, row) for path, row in ALL if path != STREETS]


def name_of(x):
    return getattr(x, "stem", x)


def config_of(path, *words):
    return load_config(str(path), ",".join(words))


# what a table file says


@pytest.mark.parametrize(("path", "row"), ALL, ids=name_of)
def test_a_row_builds_at_every_label_count(path, row):
    for labels in TABLES[path].LABELS:
        config = config_of(path, row, f"labels={labels}", "seed=43")
        check(config)
        assert (config.seed, config.data.label_seed, config.data.labels) == (43, 43, labels)


@pytest.mark.parametrize("path", TABLES, ids=name_of)
def test_quoted_numbers_belong_to_rows_and_have_a_source(path):
    table = TABLES[path]
    assert {row for row, _ in table.PAPER} <= set(table.ROWS)
    assert {labels for _, labels in table.PAPER} <= set(table.LABELS)
    assert all(re.fullmatch(r"\d\d\.\d\d( ± \d\.\d\d)?", text) for text in table.PAPER.values())
    assert table.SOURCE.startswith("as quoted in ") or not table.PAPER


def test_a_cell_that_several_tables_quote_is_quoted_alike():
    found = {}
    for table in TABLES.values():
        for (row, labels), text in table.PAPER.items():
            row = {"random": "baseline", "ds_us": "selection"}.get(row, row)
            assert found.setdefault((row, labels), text) == text


@pytest.mark.parametrize(("path", "row"), ALL, ids=name_of)
def test_every_stage_that_a_row_starts_from_can_be_run(path, row):
    for name in references(config_of(path, row)):
        file, _, stage = TABLES[path].STAGES[name].partition(":")
        config = load_config(str(ROOT / file), stage)
        check(config)
        assert set(references(config)) <= set(TABLES[path].STAGES)


def test_published_rows_train_as_published():
    for path, row in PAPER_ROWS:
        config = config_of(path, row)
        assert (config.optim.name, config.optim.learning_rate, config.optim.clip) == ("sgd", 1e-2, 10.0)
        assert config.optim.module_rates.encoder == 1e-3
        assert (config.train.steps, config.schedule.milestones, config.data.batch_size) == (40000, (0.75,), 2)
        assert config.data.size == (512, 1024)
        assert config.data.crop == (512, 512)
        if "per_batch" in config.task:
            assert config.task.per_batch == (row != "augmentation_per_image")
        if config.model.distillation_level is not None:
            assert config.optim.module_rates.pose == 1e-6


@pytest.mark.parametrize(
    ("dataset", "size", "steps"), [("camvid", (512, 672), 20000), ("mapillary", (512, 704), 40000)]
)
def test_rows_without_video_build_on_the_other_data_sets(dataset, size, steps):
    for path in set(PAPER_FILES) - {ADAPTATION}:  # whose target is Cityscapes
        for row, changes in TABLES[path].ROWS.items():
            if changes["task.name"].startswith("multitask") or "data.unlabeled_split" in changes:
                with pytest.raises(UsageError, match=f"needs video of the training streets, which '{dataset}'"):
                    config_of(path, row, f"dataset={dataset}")
            else:
                config = config_of(path, row, f"dataset={dataset}", "selection=random")
                check(config)
                assert (config.data.size, config.train.steps) == (size, steps)


@pytest.mark.parametrize("size", ["gpu", "cpu", "toy"])
def test_streets_build_at_every_size(size):
    for row in (*TABLES[STREETS].ROWS, "depth"):
        config = config_of(STREETS, row, "labels=3", f"size={size}")
        check(config)
        assert config.data.prepared_dir == f"prepared/streets_{size}"


# domain adaptation


@pytest.mark.parametrize(
    ("source", "stage", "subsets"), [("gta5", "sde_source_gta", 0), ("synthia", "sde_source_synthia", (16, 13))]
)
def test_either_source_domain_has_its_rows_depth_and_classes(source, stage, subsets):
    for row in TABLES[ADAPTATION].ROWS:
        config = config_of(ADAPTATION, row, f"source={source}", "labels=500", "seed=44")
        check(config)
        assert config.eval.classes == subsets
        assert config.model.init == "@sde_feature_distance"
        if row == "target_only":
            assert "source_data" not in config
            continue
        assert (config.source_data.dataset, config.source_data.size) == (source, config.data.size)
        across_by_depth = "cross" in row
        assert config.task.source_depth_checkpoint == (f"@{stage}" if across_by_depth else "")
        assert bool(config.task.depth_checkpoint) == (across_by_depth or "intra" in row)
    depth = load_config(str(ROOT / "configs/sde_source.py"), TABLES[ADAPTATION].STAGES[stage].partition(":")[2])
    assert depth.data.dataset == {"gta5": "viper", "synthia": "synthia_video"}[source]
    assert (depth.model.aspp_rates, depth.model.decoder_channels) == ((3, 6, 9), (16, 32, 64, 128, 256))
    assert depth.optim.module_rates.to_dict() == {"encoder": 1e-5}


def test_rows_of_domain_adaptation_do_what_their_names_say():
    for row in set(TABLES[ADAPTATION].ROWS) - {"target_only"}:
        config, words = config_of(ADAPTATION, row), row.split("_")
        assert config.task.intra_domain == ("intra" in words)
        assert config.task.cross_domain == ("cross" in words or row == "classmix")
        assert config.task.cross_mix == ("class" if row == "classmix" else "depth")
        assert config.task.target == (row != "source_only")
        assert config.matching.candidates == (5 if "matching" in words else 0)
        assert bool(config.data.label_file) == ("selection" in words)
        assert ("photometric" in config.losses) == (config.model.distillation_level == 2) == ("mtl" in words)


# published selections


def listed(path):
    lines = path.read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_published_selections_hold_what_was_published():
    found = {path.stem: listed(path) for path in (ROOT / "configs/paper/selections").glob("*.txt")}
    assert len(found) == 15
    for name, samples in found.items():
        assert len(set(samples)) == len(samples) == (744 if name.startswith("cityscapes") else 100)
        if name.startswith("cityscapes"):
            assert all(0 <= int(index) < 2975 for index in samples)
        else:
            assert all(re.fullmatch(r"(0001TP|0006R0|0016E5)_f?\d+", sample) for sample in samples)
    for seed in (42, 43, 44):  # the seed draws the first image, whatever the method
        assert len({found[f"cityscapes_{method}_{seed}"][0] for method in ("ent", "us", "ds", "ds_us")}) == 1


@pytest.mark.parametrize("labels", [100, 372, 744])
def test_a_selection_is_the_top_of_its_list(labels):
    config = config_of(ROOT / "configs/paper/multitask.py", "selection_mtl", f"labels={labels}", "seed=44")
    assert pathlib.Path(config.data.label_file).name == "cityscapes_ds_us_44.txt"
    assert config.data.labels == labels


def test_all_labels_leave_nothing_to_select():
    config = config_of(ROOT / "configs/paper/multitask.py", "selection", "labels=2975")
    assert config.data.label_file == ""


def test_a_selection_can_be_asked_for_or_switched_off():
    path = ROOT / "configs/paper/multitask.py"
    assert config_of(path, "transfer", "selection=ent").data.label_file.endswith("cityscapes_ent_42.txt")
    assert config_of(path, "selection", "selection=random").data.label_file == ""
    camvid = config_of(path, "selection", "dataset=camvid", "labels=50").data.label_file
    assert camvid.endswith("camvid_ds_us_42.txt")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("depthmx", "no row 'depthmx'; did you mean 'depthmix'"),
        ("depthmix,lables=100", "no option 'lables'; did you mean 'labels'"),
        ("depthmix,labels=few", "labels=few: expected a whole number"),
        ("depthmix,labels=2976", "labels=2976: 'cityscapes' has 2975"),
        ("depthmix,dataset=camvd", "dataset=camvd: did you mean 'camvid'"),
        ("depthmix,100", "'100' is neither first"),
        ("depthmix,labels=100,labels=372", "labels is given twice"),
        ("depthmix,selection=ds,labels=800", "labels=800: the published selections list 744"),
        ("depthmix,selection=ds,dataset=mapillary", "selection=ds: not published for 'mapillary'; known: random"),
        ("depthmix,selection=ds,seed=7", "seed=7: selections are published for the seeds 42, 43, 44"),
    ],
)
def test_a_wrong_argument_is_told_with_the_remedy(words, message):
    with pytest.raises(UsageError, match=message):
        config_of(ROOT / "configs/paper/semi.py", words)


def test_an_argument_without_a_row_takes_the_first():
    assert parse("n=3", {"a": {}, "b": {}}, {"n": 1, "kind": ("x", "y")}, "f.py") == ("a", {"n": 3, "kind": "x"})
    assert parse("b, kind=y", {"a": {}, "b": {}}, {"n": 1, "kind": ("x", "y")}, "f.py") == ("b", {"n": 1, "kind": "y"})
