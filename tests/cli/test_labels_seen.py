"""Labels that are all ignored are told at the start and after the first batches."""

import itertools

import numpy as np
import pytest

from sde_seg_jax.experiment.labels_seen import told_of_labels
from sde_seg_jax.types import IGNORE, Batch, Intrinsics, Streams


def batch(label):
    zero = np.zeros(1, np.float32)
    label = None if label is None else np.full((1, 2, 2), label, np.uint8)
    return Batch(image=np.zeros((1, 2, 2, 3), np.uint8), intrinsics=Intrinsics(zero, zero, zero, zero), label=label)


def told(streams, first=3):
    lines = []
    assert list(told_of_labels(iter(streams), lines.append, first)) == streams
    return lines


NONE, SOME = Streams(labeled=batch(IGNORE)), Streams(labeled=batch(4))


@pytest.mark.parametrize("count", [2, 3, 5])
def test_no_label_at_all_is_told_twice(count):
    start, after = told([NONE] * count)
    assert start.startswith("warning: no pixel of the first labeled images has a label; if that is so for all, look at")
    assert after.startswith(f"warning: no pixel of {min(count, 3)} batches of labeled images has a label: nothing is ")


def test_the_second_warning_comes_while_training_goes_on():
    lines = []
    batches = told_of_labels(itertools.repeat(NONE), lines.append, 3)
    for _ in range(4):
        next(batches)
    assert len(lines) == 2


def test_labels_that_come_later_end_the_matter_and_those_after_the_first_batches_are_not_asked_for():
    assert len(told([NONE, NONE, SOME, NONE])) == 1
    assert told([SOME, NONE, NONE, NONE]) == []
    assert len(told([NONE, NONE, NONE, SOME])) == 2


def test_every_stream_is_looked_at_by_itself_and_what_has_no_labels_not_at_all():
    both = Streams(labeled=batch(IGNORE), source=batch(1), unlabeled=batch(IGNORE))
    assert [line.split(" images")[0].split()[-1] for line in told([both] * 3)] == ["labeled", "labeled"]
    assert told([Streams(unlabeled=batch(IGNORE))] * 3) == []
    assert told([Streams(labeled=batch(None), unlabeled=batch(None))] * 3) == []
    assert told([]) == []
