"""A depth cache written by several machines, each its part: the files of one writer, and complete with the last one."""

import threading

import numpy as np
import pytest
from tiny_scenes import SIZE, SPEC

from sde_seg_jax.data.preparing.depth_cache_writer import CacheWriter
from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.data.stored.depth_cache import DepthCache, Place, encode
from sde_seg_jax.part import WHOLE, Part

ORIGIN = {"weights": "a" * 64, "checkpoint": "runs/depth", "step": 1400, "model": {}}
MAPS = np.random.default_rng(0).uniform(0, 1, (6, *SIZE)).astype(np.float32)


@pytest.fixture
def prepared(tmp_path):
    return prepare(SPEC, prepared_dir=tmp_path, size=SIZE, workers=1)


def writer(prepared, part=WHOLE, name="depth", **options):
    return CacheWriter(Place(prepared, name, "train"), ORIGIN, shard_size=1, part=part, **options)


def fill(made):
    """Writes what is missing: (samples written, is the cache complete?)."""
    indices = made.indices()
    return indices, made.fill(encode(MAPS[i]) for i in indices)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_parts_in_any_order_give_the_files_of_one_writer(prepared):
    fill(writer(prepared, name="whole"))
    for number, complete in ((3, False), (1, False), (2, False), (4, True)):
        with pytest.raises(ValueError, match=r"there is no depth cache|is unfinished"):
            DepthCache(prepared, "depth", "train")
        made = writer(prepared, Part(number, 4))
        wanted = list(range(number - 1, 6, 4))
        assert made.count() == len(wanted)
        assert fill(made) == (wanted, complete)
    assert contents(made.place.folder) == contents(writer(prepared, name="whole").place.folder)


def test_a_lost_part_does_what_is_missing(prepared):
    made = writer(prepared, Part(1, 2))

    def lost():
        yield encode(MAPS[0])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.fill(lost())
    assert fill(writer(prepared, Part(2, 2))) == ([1, 3, 5], False)
    assert fill(writer(prepared, Part(1, 2))) == ([2, 4], True)
    assert len(DepthCache(prepared, "depth", "train").facts["names"]) == 6


def test_a_part_leaves_alone_what_another_is_writing(prepared):
    first = writer(prepared, Part(1, 2))
    first.place.folder.mkdir(parents=True)
    (first.place.folder / "shard-00001.array_record.x.partial").touch()
    fill(first)
    assert (first.place.folder / "shard-00001.array_record.x.partial").exists()
    fill(writer(prepared, Part(2, 2)))
    assert not (first.place.folder / "shard-00001.array_record.x.partial").exists()


def test_a_part_without_files_is_done_at_once(prepared):
    assert fill(writer(prepared, Part(7, 7))) == ([], False)
    fill(writer(prepared))
    assert fill(writer(prepared, Part(7, 7))) == ([], True)


def test_parts_that_end_at_a_time_do_not_disturb_each_other(prepared):
    found = []

    def work(number):
        try:
            found.append(fill(writer(prepared, Part(number, 6)))[0])
        except BaseException as error:
            found.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [[0], [1], [2], [3], [4], [5]]
    DepthCache(prepared, "depth", "train")
