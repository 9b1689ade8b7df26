import numpy as np
import pytest

from sde_seg_jax.data.reading.subset import indices_of, subset


class Names:
    name = "names"
    names = tuple(f"n{index}" for index in range(10))
    labeled = np.array([True] * 8 + [False] * 2)


def test_the_seed_chooses_and_the_order_is_the_sources():
    chosen = subset(Names, 4, seed=1)
    assert chosen == subset(Names, 4, seed=1) == sorted(chosen)
    assert len({tuple(subset(Names, 4, seed=seed)) for seed in range(10)}) > 5


def test_more_labels_of_one_seed_contain_the_fewer():
    assert set(subset(Names, 3, seed=2)) < set(subset(Names, 6, seed=2))


def test_only_labeled_samples_are_drawn():
    assert subset(Names, 8) == [f"n{index}" for index in range(8)]
    with pytest.raises(ValueError, match="9 labels wanted, but 'names' has 8 labeled samples"):
        subset(Names, 9)


def test_the_published_draw_counts_in_sorted_order_of_the_labeled_samples():
    drawn = np.random.RandomState(3).permutation(8)[:4]
    assert subset(Names, 4, seed=3, draw="published") == [f"n{index}" for index in sorted(drawn)]
    with pytest.raises(ValueError, match="unknown draw of labels 'numpy'; known: ours, published"):
        subset(Names, 4, draw="numpy")


def test_names_come_from_a_list_or_a_file(tmp_path):
    path = tmp_path / "chosen.txt"
    path.write_text("n5\nn2\n")
    assert subset(Names, ["n5", "n2"]) == subset(Names, path) == ["n2", "n5"]
    np.testing.assert_array_equal(indices_of(Names, ["n5", "n2"]), [2, 5])


def test_unknown_names_and_files_are_errors(tmp_path):
    with pytest.raises(ValueError, match=r"2 of 3 names are not in 'names', the first is 'x'; .* like 'n0'"):
        subset(Names, ["n1", "x", "y"])
    with pytest.raises(ValueError, match="does not exist"):
        subset(Names, tmp_path / "no.txt")


def test_a_file_is_taken_from_the_top(tmp_path):
    path = tmp_path / "chosen.txt"
    path.write_text("# chosen by hand\nn5\n\nn2\nn7\n")
    assert subset(Names, path, first=2) == ["n2", "n5"]
    assert subset(Names, path) == ["n2", "n5", "n7"]
    with pytest.raises(ValueError, match="lists 3 samples, 4 are wanted; 0 takes all of them"):
        subset(Names, path, first=4)
    path.write_text("n5\nn5\n")
    with pytest.raises(ValueError, match="lists 1 samples more than once"):
        subset(Names, path)


class Unsorted:
    name = "unsorted"
    names = ("b", "c", "a")
    labeled = np.ones(3, bool)


def test_a_file_of_indices_counts_in_sorted_order(tmp_path):
    path = tmp_path / "indices.txt"
    path.write_text("# indices into the sorted list of 3 training files\n2\n0\n")
    assert subset(Unsorted, path) == ["c", "a"]  # in the order of the source
    assert subset(Unsorted, path, first=1) == ["c"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("of 4 training files\n0", "holds indices into 4 training files, but 'unsorted' has 3"),
        ("of 3 training files\n3", "holds '3' among its indices; expected 0 to 2"),
        ("of 3 training files\na", "holds 'a' among its indices; expected 0 to 2"),
    ],
)
def test_indices_that_do_not_fit_are_errors(tmp_path, text, message):
    path = tmp_path / "indices.txt"
    path.write_text(f"# indices into the sorted list {text}\n")
    with pytest.raises(ValueError, match=message):
        subset(Unsorted, path)
