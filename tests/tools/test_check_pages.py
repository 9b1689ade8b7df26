import importlib.util
import pathlib

import pytest

SCRIPT = pathlib.Path(__file__).with_name("check_pages.py")
SPEC = importlib.util.spec_from_file_location("check_pages", SCRIPT)
check_pages = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check_pages)


def remarks(text):
    return list(check_pages.faults(text))


def test_a_page_of_short_sentences_passes():
    assert (
        remarks("# Depth\n\nThe mean intersection over union (mIoU) rises. So does\nthe mIoU of the teacher.\n") == []
    )


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("x" * 111, "1: 111 characters, at most 110; break the line"),
        ("```\n" + "x" * 111 + "\n```\n", "2: 111 characters, at most 110; break the line"),
        ("Short.\n\n" + "word " * 20 + "\n" + "word " * 10 + "end.", "3: 31 words, at most 29; split"),
        ("The SDE helps.", "1: SDE is used before its meaning; write its words and then (SDE)"),
        ("- fine\n- the mIoU rises\n", "2: mIoU is used before its meaning; write its words and then (mIoU)"),
    ],
)
def test_what_is_hard_to_read_is_named_with_its_line(text, remark):
    (found,) = remarks(text)
    assert found.startswith(remark)


@pytest.mark.parametrize(
    "text",
    [
        "| " + "cell " * 40 + "|",  # tables
        "[" + "x" * 60 + "](" + "y" * 60 + ")",  # links
        "```\n" + "word " * 20 + "\n" + "word " * 20 + "\n```\n",  # code has no sentences
        "- " + "word " * 20 + "\n- " + "word " * 20,  # two items
        "A mean intersection over union (mIoU). The mIoU rises.",
        "**EMA** (exponential moving average) follows.",
        "Set `SDE_SEG_TRACEBACK=1` or `SDE`.",
    ],
)
def test_what_is_excepted_passes(text):
    assert remarks(text) == []


def test_a_page_that_reads_well_has_to_leave_the_list(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(check_pages, "ROOT", tmp_path)
    monkeypatch.setattr(check_pages, "PENDING", tmp_path / "pending.txt")
    (tmp_path / "good.md").write_text("Short.\n")
    (tmp_path / "bad.md").write_text("x" * 111)
    (tmp_path / "pending.txt").write_text("bad.md\n")
    assert check_pages.main([]) == 0
    (tmp_path / "pending.txt").write_text("bad.md\ngood.md\ngone.md\n")
    assert check_pages.main([]) == 1
    out = capsys.readouterr().out
    assert "good.md: reads well now; take it from pending.txt" in out
    assert "gone.md: not there; take it from pending.txt" in out
    (tmp_path / "pending.txt").write_text("")
    assert check_pages.main([]) == 1
