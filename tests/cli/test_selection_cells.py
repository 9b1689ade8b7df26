"""selection.csv: names that a spreadsheet would take for formulas, and files that one saved."""

import csv

import pytest

from sde_seg_jax.experiment.selection.cells import write_rows
from sde_seg_jax.experiment.selection.files import TABLE, Chosen, read_chosen, write_chosen
from sde_seg_jax.experiment.selection.overlap import read_lists

FORMULAS = ('=cmd|" /C calc"!A0', "+1", "-2+3", "@SUM(A1)", "\tx", "\rx", "'=x")
NAMES = (*FORMULAS, "''", "'quoted'", "plain, name", 'a"b', "ü")


@pytest.mark.parametrize("name", NAMES)
def test_every_name_comes_back_and_none_begins_like_a_formula(tmp_path, name):
    rows = [Chosen(1, name, 25, "ds", -0.5, None, 2.0)]
    write_chosen(tmp_path, rows)
    with (tmp_path / TABLE).open(newline="", encoding="utf-8") as file:
        cell = list(csv.reader(file))[1][1]
    assert cell[0] not in "=+-@\t\r"
    assert (cell == name) == (name not in FORMULAS)
    assert read_chosen(tmp_path) == rows


def test_numbers_stay_numbers():
    assert write_rows([("a", -1.5, None, 3)]) == "a,-1.5,,3\n"


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16"])
def test_a_table_that_a_spreadsheet_saved_is_read(tmp_path, codec):
    write_chosen(tmp_path, [Chosen(1, "=ü", 25, "ds"), Chosen(2, "b", 25, "ds")])
    text = (tmp_path / TABLE).read_text(encoding="utf-8")
    (tmp_path / TABLE).write_bytes(text.replace("\n", "\r\n").encode(codec))
    assert [row.name for row in read_chosen(tmp_path)] == ["=ü", "b"]
    assert read_lists([tmp_path / TABLE]) == ([["=ü", "b"]], None)


def test_a_table_in_latin_1_is_refused_by_name(tmp_path):
    (tmp_path / TABLE).write_bytes("rank,name\n1,Straße\n".encode("latin-1"))
    for read in (lambda: read_chosen(tmp_path), lambda: read_lists([tmp_path / TABLE])):
        with pytest.raises(ValueError, match=r"selection\.csv.*byte 0xdf at 16 .*Latin-1; save it as UTF-8"):
            read()
