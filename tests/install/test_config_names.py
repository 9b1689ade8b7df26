"""Configurations by name from any folder, files of one's own by path, and what their imports find."""

import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

from sde_seg_jax.experiment.config import ConfigFile, UsageError, as_json, load_config
from sde_seg_jax.experiment.configuration.files import find, load_module, names, shipped, split
from sde_seg_jax.experiment.table.file import read_table, stages_of

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder without configurations, to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(text))


def test_a_checkout_keeps_its_configurations_at_the_top():
    assert shipped() == ROOT / "configs"
    assert {"base", "folder", "quickstart", "paper/semi"} <= set(names())
    assert "paper/published" not in names()  # shared by others, no configuration


@pytest.mark.parametrize(
    ("name", "row"), [("folder", "quick_depth"), ("quickstart", "depth"), ("paper/semi", "depthmix")]
)
def test_a_name_is_the_file_of_the_package_from_any_folder(elsewhere, name, row):
    assert as_json(load_config(name, row)) == as_json(load_config(str(ROOT / f"configs/{name}.py"), row))


def test_a_folder_of_the_same_name_does_not_hide_a_configuration(elsewhere):
    (elsewhere / "quickstart").mkdir()
    (elsewhere / "folder").write_text("")
    assert find("quickstart").parent == shipped()
    assert find("folder").parent == shipped()


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("quickstrat", "no configuration of that name; did you mean quickstart?"),
        ("semi", "did you mean paper/semi?"),
        ("streets_select", "did you mean streets_selection"),
        ("zzz", "known: adaptation, base, camvid"),
        ("configs/quickstart.py", "no such file; did you mean quickstart, which comes with the package?"),
        ("mine", r"a path ends in .py; did you mean mine.py\?"),
        ("configs/mien.py", "no such file; did you mean configs/mine.py?"),
    ],
)
def test_what_is_not_there_is_told_with_what_is_near(elsewhere, reference, message):
    write(elsewhere, mine="")
    write(elsewhere / "configs", mine="")
    with pytest.raises(UsageError, match=message):
        find(reference)


def test_a_file_that_is_no_configuration_is_told(elsewhere):
    write(elsewhere, own="VALUE = 3")
    for reference in ("own.py", str(shipped() / "paper/published.py")):
        with pytest.raises(UsageError, match=r"\.py: defines no get_config\(\), which returns the configuration"):
            load_config(reference)


def test_a_row_stands_after_the_first_colon_but_that_of_a_drive():
    assert split("own.py:depth,size=cpu") == ("own.py", "depth,size=cpu")
    assert split("C:\\mine\\own.py:depth") == ("C:\\mine\\own.py", "depth")
    assert split("quickstart") == ("quickstart", "")


BASE = """
    def get_config():
        from ml_collections import ConfigDict
        return ConfigDict({"name": "%s"})
"""
OWN = """
    import base

    def get_config():
        return base.get_config()
"""


def test_a_file_of_ones_own_builds_on_the_base_of_the_package(elsewhere):
    write(elsewhere / "my", own=OWN)
    assert as_json(load_config("my/own.py")) == as_json(load_config("base"))


def test_another_base_is_the_base_of_its_own_folder_only(elsewhere):
    write(elsewhere / "a", base=BASE % "a", own=OWN)
    write(elsewhere / "b", base=BASE % "b")
    write(elsewhere / "b/deeper", own=OWN)
    write(elsewhere / "c", own=OWN)
    given = load_config("base").name
    for _ in range(2):  # whatever was loaded before
        found = [load_config(file).name for file in ("a/own.py", "b/deeper/own.py", "c/own.py")]
        assert found == ["a", "b", given]
        assert load_config("quickstart", "depth").data == load_config(str(ROOT / "configs/quickstart.py"), "depth").data


def test_a_folder_that_a_file_puts_on_the_path_comes_before_the_package(elsewhere, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    write(elsewhere / "a", base=BASE % "a")
    write(elsewhere / "c", own=f"import sys\nsys.path.insert(0, {str(elsewhere / 'a')!r})\n" + textwrap.dedent(OWN))
    assert load_config("c/own.py").name == "a"


def test_loading_leaves_no_trace_that_others_could_import(elsewhere):
    before, modules = [*sys.path], {*sys.modules}
    load_config("paper/semi", "depthmix")
    assert sys.path == before
    assert not {"base", "published"} & ({*sys.modules} - modules)


def test_files_and_packages_beside_a_configuration_are_found_also_while_it_runs(elsewhere):
    write(elsewhere / "my/tools_of_mine", __init__="VALUE = 3")
    write(elsewhere / "my", words="import base\nNAME = base.get_config().name")
    write(
        elsewhere / "my",
        own="import words, tools_of_mine\ndef get_config():\n    from words import NAME\n    return NAME",
    )
    module = load_module("my/own.py")
    assert module.get_config() == load_config("base").name
    assert module.tools_of_mine.VALUE == 3


def test_files_that_import_each_other_share_one_module(elsewhere):
    write(
        elsewhere,
        first="import second\nimport third",
        second="import third\nVALUES = third.VALUES",
        third="VALUES = []",
    )
    module = load_module("first.py")
    assert module.second.VALUES is module.third.VALUES
    write(elsewhere, third="VALUES = [1]")
    assert load_module("first.py").second.VALUES == [1]  # what was changed since is read again


def test_dataclasses_of_a_configuration_work(elsewhere):
    write(
        elsewhere,
        own="""
        from __future__ import annotations
        import dataclasses

        @dataclasses.dataclass
        class Mine:
            value: int = 2
        """,
    )
    assert load_module("own.py").Mine().value == 2


def test_a_program_s_own_base_in_the_working_folder_is_neither_found_nor_hidden(tmp_path):
    write(tmp_path, base="VALUE = 1")
    write(tmp_path / "my", own=OWN)
    code = (
        "import base; from sde_seg_jax.experiment.config import load_config;"
        "assert load_config('my/own.py').name == load_config('base').name;"
        "load_config('quickstart', 'depth'); import base; assert base.VALUE == 1"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)


def test_the_stages_of_a_table_are_found_from_any_folder(elsewhere):
    table = read_table(ConfigFile("paper/multitask"))
    found = stages_of(load_config("paper/multitask", "mtl"), table, {})
    assert "sde_feature_distance" in found
    write(
        elsewhere,
        own="""
        import base
        TITLE, ROWS, LABELS, SEEDS, STAGES = "own", {"only": {}}, (3,), (42,), {"sde": "sde_frozen"}

        def get_config(arg="only"):
            c = base.get_config()
            c.model.init = "@sde"
            return c
        """,
    )
    stages = stages_of(load_config("own.py"), read_table(ConfigFile("own.py")), {})
    assert as_json(stages["sde"]) == as_json(load_config("sde_frozen"))
