"""sde-seg config: every value, and the line that set it."""

import pathlib

import pytest

CONFIGS = pathlib.Path(__file__).resolve().parents[2] / "configs"


@pytest.fixture
def printed(command):
    """printed(*flags) -> {key: (value, place)} as the command prints them."""

    def call(*flags):
        status, out, err = command("config", *flags)
        assert status == 0, err
        lines = out.replace("\n  ", "  ").splitlines()  # what is long has its place on the next line
        pairs = (line.split("  # ") for line in lines)
        return {text.partition(" = ")[0]: (text.partition(" = ")[2].strip(), place) for text, place in pairs}

    return call


def line_of(place):
    file, _, number = place.rpartition(":")
    return (CONFIGS.parent / file).read_text().splitlines()[int(number) - 1]


def test_each_value_names_the_line_that_set_it(printed):
    found = printed("--config=folder:quick_depthmix", "--config.train.steps=7")
    assert found["train.steps"] == ("7", "command line")
    value, place = found["optim.learning_rate"]
    assert value == "0.001"
    assert place.startswith("configs/base.py:")
    assert "c.optim.learning_rate = 1e-3" in line_of(place)
    assert found["train.eval_every"][1].startswith("configs/base.py:")
    assert found["data.size"][1].startswith("configs/folder.py:")
    assert "c.data.flip = 0.5" in line_of(found["data.flip"][1])
    assert "c.model.encoder" in line_of(found["model.encoder"][1])
    assert found["model.transfer"][0].startswith("('encoder', 'segmentation/decoder")
    assert "TRANSFER" in line_of(found["model.transfer"][1])


def test_a_file_of_ones_own_is_named_by_its_path(printed, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import base\n\ndef get_config():\n  c = base.get_config()\n  c.seed = 3\n  return c\n"
    )
    found = printed(f"--config={tmp_path / 'mine.py'}")
    assert found["seed"] == ("3", f"{tmp_path / 'mine.py'}:5")


def test_sections_can_be_chosen(printed, refused):
    assert {key.partition(".")[0] for key in printed("--config=quickstart:depth", "--section=train,optim")} == {
        "train",
        "optim",
    }
    assert "--section=trian: the sections are" in refused("config", "--config=quickstart", "--section=trian")
    assert "cli.config needs --config=NAME" in refused("config")


def test_help_of_train_lists_the_sections(command):
    status, out, _ = command("train", "--help")
    assert status == 0
    assert "  optim     clip, decay_mask, frozen, layer_decay, learning_rate" in out
    assert "configs/base.py" in out


def test_what_training_would_refuse_is_told(refused):
    line = refused("config", "--config=folder:quick_supervised", "--config.schedule.name=cosin")
    assert "schedule.name" in line
    assert "cosine" in line
