"""Parts of a job: how they are written, and what each does."""

import pytest

from sde_seg_jax.part import WHOLE, Part


@pytest.mark.parametrize("count", [1, 3, 16])
def test_the_parts_together_are_everything_once(count):
    values = list(range(10))
    parts = [Part.parse(f"{number}/{count}").of(values) for number in range(1, count + 1)]
    assert sorted(value for part in parts for value in part) == values
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert WHOLE.of(values) == values


@pytest.mark.parametrize(
    "text", ["0/4", "5/4", "3", "3/", "a/b", "-1/4", "1/0", "1/999999999", "1/4/4", "1.5/4", "²/3"]
)
def test_what_is_no_part_is_one_line_with_the_flag(text):
    with pytest.raises(ValueError, match=r"^--part=.* is no part; write NUMBER/COUNT, from 1/16 to 16/16"):
        Part.parse(text)


def test_a_part_is_written_as_it_is_read():
    assert str(Part.parse(" 3/16 ")) == "3/16"
