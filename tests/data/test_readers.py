"""Both readers, tf.data and memory, over the same prepared data."""

import itertools
import subprocess
import sys

import jax
import numpy as np
import pytest

from sde_seg_jax.data.reading import allocation, memory, pipeline
from sde_seg_jax.data.reading.subset import subset

ARGUMENTS = {"seed": 3, "batch_size": 4, "crop": (6, 10)}


def take(iterator, count):
    return list(itertools.islice(iterator, count))


def assert_equal(found, expected):
    assert len(found) == len(expected)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.fixture(scope="module")
def loaded(source):
    return memory.load_into_memory(source)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"crop": None, "flip": 0.0, "shuffle": False},
        {"start": 7, "host_index": 1, "host_count": 2},
        {"indices": [1, 4, 5], "labeled_names": ["train_001"], "fields": ("label",)},
    ],
)
def test_the_reader_without_tensorflow_yields_the_same_bits(source, loaded, changed):
    arguments = ARGUMENTS | changed
    expected = take(pipeline.batches(source, **arguments), 4)
    assert_equal(take(memory.memory_batches(loaded, **arguments), 4), expected)
    assert_equal(take(memory.memory_batches(source, **arguments), 4), expected)
    assert_equal(take(memory.memory_batches(source, **arguments, threads=2), 4), expected)


def test_reading_ahead_in_threads_is_bounded(source):
    slots = []

    class Counting:
        def __getattr__(self, name):
            return getattr(source, name)

        def __len__(self):
            return len(source)

        def read(self, index, *arguments):
            slots.append(index)
            return source.read(index, *arguments)

    batches = memory.memory_batches(Counting(), seed=0, batch_size=2, prefetch=3, threads=2)
    next(batches)
    batches.close()
    assert 2 <= len(slots) <= 2 * (1 + 3)


def test_leaving_while_batches_are_read_ahead_ends_the_process(prepared_dir):
    code = f"""
import sys
sys.path.insert(0, {str(__file__.rsplit("/", 1)[0])!r})
from tiny_scenes import SPEC
from sde_seg_jax.data.reading import pipeline
from sde_seg_jax.data.reading.source import open_source
source = open_source(SPEC, {str(prepared_dir)!r}, "train")
kept = [pipeline.batches(source, seed=0, batch_size=64, prefetch=50) for _ in range(2)]
print([next(batches).image.shape for batches in kept])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_cache_that_exceeds_memory_is_refused(source):
    fields = ("neighbors", "label", "depth")
    wanted = 6 * 8 * 16 * (3 + 6 + 1 + 4)
    examples = memory.load_into_memory(source, fields)._examples
    maps = ("image", *fields)
    assert allocation.decoded_bytes(source, fields) == wanted == sum(e[key].nbytes for e in examples for key in maps)
    assert allocation.check_fits(source, fields, wanted) == "caching 6 samples: 10.8 kB"
    with pytest.raises(
        ValueError, match=r"caching 6 samples of 'tiny_scenes' takes 10\.8 kB, 10\.8 kB .* data\.in_memory=false"
    ):
        allocation.check_fits(source, fields, wanted - 1)
    assert allocation.available_memory() > 1e6


def test_evaluation_reads_every_sample_once_in_order(source, loaded):
    found = list(pipeline.eval_batches(source, 4))
    assert [len(batch.image) for batch in found] == [4, 2]
    assert np.concatenate([batch.name for batch in found]).tolist() == source.names
    assert_equal(list(memory.memory_eval_batches(loaded, 4)), found)


def test_a_file_carries_samples_to_a_host_without_prepared_data(source, loaded, tmp_path):
    memory.save_npz(source, tmp_path / "train.npz")
    carried = memory.load_npz(tmp_path / "train.npz")
    assert (carried.name, carried.space, carried.size) == (source.name, source.space, source.size)
    assert (carried.names, carried.fields) == (source.names, source.fields)
    expected = take(memory.memory_batches(loaded, **ARGUMENTS), 2)
    assert_equal(take(memory.memory_batches(carried, **ARGUMENTS), 2), expected)


def test_withheld_labels_are_ignored_everywhere(source):
    names = subset(source, 2, seed=1)
    for batch in take(pipeline.batches(source, **ARGUMENTS, labeled_names=names), 6):
        np.testing.assert_array_equal(batch.labeled, np.isin(batch.name, names))
        hidden = batch.label[~batch.labeled]
        assert (hidden == source.space.ignore).all()
        assert all((label != source.space.ignore).any() for label in batch.label[batch.labeled])


def test_a_stream_over_chosen_samples_reads_no_others(source):
    found = take(memory.memory_batches(source, seed=0, batch_size=2, indices=[0, 3]), 5)
    assert set(np.concatenate([batch.name for batch in found])) == {"train_000", "train_003"}


def test_fields_that_are_not_asked_for_are_not_there(source):
    batch = next(pipeline.batches(source, **ARGUMENTS, fields=("neighbors",)))
    assert batch.neighbors.shape == (4, 2, 6, 10, 3)
    assert batch.label is None
    assert batch.depth is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"crop": (9, 16)}, r"crop \(9, 16\) exceeds image \(8, 16\) in 'tiny_scenes'"),
        ({"indices": [6]}, r"indices must be a non-empty choice of 0..5"),
        ({"indices": []}, r"indices must be a non-empty choice of 0..5"),
        ({"labeled_names": ["nobody"]}, r"1 of 1 names are not in 'tiny_scenes', the first is 'nobody'"),
        ({"fields": ("disparity",)}, r"'tiny_scenes' has no \['disparity'\]"),
        ({"host_count": 3}, r"batch_size 4 is no positive multiple of the 3 hosts"),
    ],
)
@pytest.mark.parametrize("reader", [pipeline.batches, memory.memory_batches])
def test_wrong_arguments_fail_before_the_first_batch(source, reader, changed, message):
    with pytest.raises(ValueError, match=message):
        reader(source, **(ARGUMENTS | changed))


def test_tensorflow_sees_no_accelerator():
    import tensorflow as tf

    assert {device.device_type for device in tf.config.get_visible_devices()} == {"CPU"}


def test_the_memory_reader_works_where_tensorflow_is_absent(source, tmp_path):
    memory.save_npz(source, tmp_path / "train.npz")
    code = f"""
import sys
sys.modules["tensorflow"] = sys.modules["tensorflow_datasets"] = None  # importing them fails
import sde_seg_jax.data
from sde_seg_jax.data.reading import memory
source = memory.load_npz({str(tmp_path / "train.npz")!r})
print(next(memory.memory_batches(source, seed=0, batch_size=2)).image.shape)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(2, 8, 16, 3)"


def test_preparing_and_opening_do_not_load_tensorflow(prepared_dir):
    code = f"""
import sys
sys.path.insert(0, {str(__file__.rsplit("/", 1)[0])!r})
from tiny_scenes import SPEC
from sde_seg_jax.data.reading.source import open_source
open_source(SPEC, {str(prepared_dir)!r}, "val").read(0)
print("tensorflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
