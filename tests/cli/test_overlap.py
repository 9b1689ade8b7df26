"""How much two selections agree: counted on lists made for it, beside chance, and on the published lists."""

import itertools
import math
import pathlib

import pytest

from sde_seg_jax.cli import overlap
from sde_seg_jax.experiment.selection.files import Chosen, write_chosen
from sde_seg_jax.experiment.selection.overlap import compare, read_lists, steps_of

PUBLISHED = pathlib.Path(__file__).resolve().parents[2] / "configs/paper/selections"
HEADER = "# indices into the sorted list of {} training files\n"


@pytest.fixture
def written(tmp_path):
    """written("a.txt", names, of=10) -> its path; `of`: the names are indices into so many."""

    def write(name, names, of=None):
        text = "".join(f"{name}\n" for name in names)
        (tmp_path / name).write_text("# a comment\n" + (HEADER.format(of) if of else "") + text)
        return tmp_path / name

    return write


@pytest.fixture
def shares(command):
    """shares(ours, *others, *flags) -> for each other list {labels: (common, share, chance)}, from what is printed."""

    def call(ours, *rest):
        flags = [word for word in rest if str(word).startswith("--")]
        others = ",".join(str(word) for word in rest if not str(word).startswith("--"))
        status, out, err = command("overlap", f"--ours={ours}", f"--other={others}", *flags)
        assert status == 0, err
        found = []
        for line in out.splitlines():
            words = line.split()
            if words[:1] == ["labels"]:
                found.append({})
            elif found and len(words) > 3 and words[3] == "%":
                found[-1][int(words[0])] = (int(words[1]), float(words[2]), " ".join(words[4:]))
        return found

    return call


class Source:
    """A data set of five samples."""

    name, names = "five", ["e", "d", "c", "b", "a"]


def test_the_first_n_of_both_are_compared_whatever_their_order(written, shares):
    ours = written("ours.txt", [3, 1, 4, 0, 5], of=10)
    other = written("other.txt", [1, 3, 9, 8, 4, 2], of=10)
    (found,) = shares(ours, other, "--steps=2,4,5")
    assert {n: (common, share) for n, (common, share, _) in found.items()} == {2: (2, 100), 4: (2, 50), 5: (3, 60)}


def test_chance_is_the_mean_and_deviation_over_all_random_lists():
    total, n = 6, 3
    counts = [len({0, 1, 2} & set(other)) for other in itertools.combinations(range(total), n)]
    mean = sum(counts) / len(counts)
    deviation = math.sqrt(sum((count - mean) ** 2 for count in counts) / len(counts))
    ours = [str(i) for i in range(n)]
    line = list(compare(ours, ours, [n], total))[1]
    assert line.endswith(f"{100 * mean / n:.1f} ± {100 * deviation / n:.1f} %")
    assert list(compare(["a"], ["a"], [1], 1))[1].endswith("100.0 ± 0.0 %")  # nothing to draw


def test_the_first_ranks_are_shown_side_by_side():
    lines = list(compare(["a", "b", "c"], ["a", "c", "d"], [3], None))
    assert " ".join(lines[1].split()) == "3 2 66.7 % not known: of how many, tells --config"
    assert lines[2] == "the same, rank by rank, up to rank 1"
    assert [line.split() for line in lines[4:]] == [
        ["1", "a", "a", "1"],
        ["2", "b", "c", "3"],
        ["3", "c", "d", "not", "there"],
    ]
    assert list(compare(["a"], ["b"], [1], None))[2] == "the first of both differ"


def test_the_published_steps_that_fit_are_the_default():
    assert steps_of("", 744) == (25, 50, 100, 200, 372, 744)
    assert steps_of("", 60) == (25, 50, 60)
    assert steps_of("", 4) == (4,)


def test_a_selection_of_ours_is_read_from_its_folder_or_table_or_list(tmp_path, written, shares):
    names = ["b", "a", "c"]
    write_chosen(tmp_path, [Chosen(rank, name, 3, "ds") for rank, name in enumerate(names, start=1)])
    other = written("other.txt", ["a", "b", "d"])
    for ours in (tmp_path, tmp_path / "selection.csv", tmp_path / "labels.txt"):
        (found,) = shares(ours, other, "--steps=1,2,3")
        assert {n: common for n, (common, *_) in found.items()} == {1: 0, 2: 2, 3: 2}


def test_indices_and_names_meet_in_the_data_set(written):
    paths = [written("names.txt", ["a", "e", "b"]), written("indices.txt", [0, 3], of=5)]
    assert read_lists(paths, Source) == ([["a", "e", "b"], ["a", "d"]], 5)


def test_published_selections_begin_as_they_were_made(shares):
    """us and ent with the same random images; ds and ds_us with the same farthest points from the same first image."""
    for seed in (42, 43, 44):
        us, ent, ds, ds_us = (PUBLISHED / f"cityscapes_{name}_{seed}.txt" for name in ("us", "ent", "ds", "ds_us"))
        assert shares(us, ent)[0][25] == (25, 100.0, "0.8 ± 1.8 %")
        one, two = shares(ds, ds_us, us)
        assert one[25][:2] == (25, 100.0)
        assert two[25][0] <= 2
        assert one[744][0] > two[744][0] > 744 * 744 / 2975  # more than by chance


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "cli.overlap needs --ours=DIR and --other=FILE"),
        (("--ours={names}",), "cli.overlap needs --ours=DIR and --other=FILE"),
        (("--ours={names}", "--other={nothing}"), "nothing.txt: no such file; expected a workdir of cli.select, sel"),
        (("--ours={folder}", "--other={names}"), "selection.csv: no selection there, run cli.select; expected a work"),
        (("--ours={names}", "--other={indices}"), "indices.txt holds indices, {names} names: give --config=FILE"),
        (("--ours={more}", "--other={indices}"), "different data sets, by the number of training files ({more}: 9"),
        (("--ours={names}", "--other={names}", "--steps=2,5"), "--steps=2,5: 5 is not between 1 and 3, what the sho"),
        (("--ours={names}", "--other={names}", "--steps=0"), "--steps=0: 0 is not between 1 and 3"),
        (("--ours={names}", "--other={twice}"), "twice.txt' lists 1 samples more than once"),
        (("--ours={names}", "--other={empty}"), "empty.txt lists nothing"),
        (("--ours={names}", "--other={table}"), "table.csv has no column 'name'; expected selection.csv of cli.sel"),
    ],
)
def test_lists_that_cannot_be_compared_are_told_with_the_remedy(refused, written, tmp_path, flags, message):
    written("names.txt", ["a", "e", "b"])
    written("indices.txt", [0, 3], of=5)
    written("more.txt", [0, 3], of=9)
    written("twice.txt", ["a", "a"])
    written("empty.txt", [])
    (tmp_path / "table.csv").write_text("rank,sample\n1,a\n")
    (tmp_path / "folder").mkdir()
    places = {name: tmp_path / f"{name}.txt" for name in ("names", "indices", "more", "nothing", "twice", "empty")}
    places |= {"folder": tmp_path / "folder", "table": tmp_path / "table.csv"}
    assert message.format(**places) in refused("overlap", *(flag.format(**places) for flag in flags))


def test_a_name_that_the_data_set_lacks_is_an_error(written):
    with pytest.raises(ValueError, match="1 of 2 names are not in 'five', the first is 'x'"):
        read_lists([written("names.txt", ["a", "x"])], Source)


def test_data_that_are_not_prepared_are_told(refused, written, tiny, tmp_path):
    path = written("names.txt", ["a"])
    flags = (f"--ours={path}", f"--other={path}", tiny("depth"), f"--config.data.prepared_dir={tmp_path / 'none'}")
    assert "'street_scenes' is not prepared in" in refused("overlap", *flags)


def test_the_command_explains_itself(command):
    status, out, _ = command("overlap", "--help")
    assert status == 0
    assert overlap.__doc__.splitlines()[0] in out
