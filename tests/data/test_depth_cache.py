"""The cache of disparities beside prepared data: what is stored, what is read, what is refused."""

import itertools
import json
import shutil

import numpy as np
import pytest
from tiny_scenes import SIZE, SPEC

from sde_seg_jax.data.preparing.depth_cache_writer import CacheWriter
from sde_seg_jax.data.preparing.prepare import find_prepared, prepare
from sde_seg_jax.data.reading import memory, pipeline
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.data.spec import DatasetSpec
from sde_seg_jax.data.stored.depth_cache import DepthCache, Place, decode, dequantize, encode, quantize

COUNT = 6
ORIGIN = {"weights": "a" * 64, "checkpoint": "runs/depth", "step": 1400, "model": {"encoder": "resnet18"}}


def maps():
    return np.random.default_rng(0).uniform(0, 1, (COUNT, *SIZE)).astype(np.float32)


@pytest.fixture
def prepared(tmp_path):
    return prepare(SPEC, prepared_dir=tmp_path, size=SIZE, workers=1)


def writer(prepared, origin=ORIGIN, shard_size=4, **options):
    return CacheWriter(Place(prepared, "depth", "train"), origin, shard_size, **options)


def write(prepared, values=None, **options):
    made = writer(prepared, **options)
    made.fill(encode((maps() if values is None else values)[i]) for i in made.indices())
    return made.place.folder


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def change_facts(folder, **changes):
    path = folder / "cache.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_stored_disparity_is_at_most_one_level_below_the_networks():
    stored = decode(encode(maps()[0]))
    assert stored.dtype == np.float32
    # float32 rounds d * 65535 and the quotient, by 2^-24 of a value up to 1 each: about 0.01 of a level
    assert (stored - maps()[0]).max() < 0.01 / 65535
    assert (maps()[0] - stored).max() < 1.01 / 65535


def test_every_level_survives_reading_and_writing_again():
    levels = np.arange(65536, dtype=np.uint16)
    again = quantize(dequantize(levels)).astype(int)
    assert np.abs(again - levels).max() <= 1  # truncated twice
    assert dequantize(levels)[[0, -1]].tolist() == [0, 1]


@pytest.mark.parametrize("wrong", [np.nan, -0.1, 1.1])
def test_a_disparity_outside_its_range_is_refused(wrong):
    with pytest.raises(ValueError, match=r"disparities outside \[0,1\] or NaN"):
        quantize(np.array([[0.5, wrong]], np.float32))


def test_a_source_with_a_cache_has_the_disparity_of_each_sample(prepared):
    folder = write(prepared)
    assert folder == prepared / "disparity" / "depth" / "train"
    assert files(folder) == ["cache.json", "shard-00000.array_record", "shard-00001.array_record"]
    source = open_source(SPEC, prepared.parents[1], "train", "depth")
    assert source.fields == ("neighbors", "label", "depth", "pose", "disparity")
    for index, expected in enumerate(maps()):
        found = source.read(index)
        np.testing.assert_array_equal(found["disparity"], dequantize(quantize(expected)), strict=True)
        assert "disparity" not in source.read(index, ("label",))


def test_without_a_cache_nothing_changes(prepared):
    write(prepared)
    source = open_source(SPEC, prepared.parents[1], "train")
    assert "disparity" not in source.fields
    assert "disparity" not in source.read(0)


def test_disparity_is_cropped_and_mirrored_with_its_image(prepared):
    """The stored disparity is the red channel, so it has to stay so in every crop."""
    plain = open_source(SPEC, prepared.parents[1], "train")
    red = np.stack([plain.read(i)["image"][..., 0] for i in range(COUNT)])
    write(prepared, red.astype(np.float32) / 255)
    source = open_source(SPEC, prepared.parents[1], "train", "depth")
    arguments = {"seed": 3, "batch_size": 4, "crop": (6, 10), "fields": ("disparity",)}
    for batch in itertools.islice(pipeline.batches(source, **arguments), 6):
        assert batch.disparity.dtype == np.float32
        # 1.01 levels of 65535 is less than half a grey value
        np.testing.assert_array_equal(np.round(batch.disparity * 255), batch.image[..., 0])


def test_all_readers_yield_the_same_disparities(prepared, tmp_path):
    write(prepared)
    source = open_source(SPEC, prepared.parents[1], "train", "depth")
    memory.save_npz(source, tmp_path / "train.npz")
    arguments = {"seed": 3, "batch_size": 4, "crop": (6, 10)}
    expected = next(pipeline.batches(source, **arguments)).disparity
    for other in (source, memory.load_into_memory(source), memory.load_npz(tmp_path / "train.npz")):
        np.testing.assert_array_equal(next(memory.memory_batches(other, **arguments)).disparity, expected)


def test_a_second_call_writes_nothing(prepared):
    folder = write(prepared)
    before = {name: (folder / name).read_bytes() for name in files(folder)}
    assert writer(prepared).indices() == []
    write(prepared, 1 - maps())
    assert {name: (folder / name).read_bytes() for name in files(folder)} == before


def test_an_interrupted_call_continues_at_its_shard(prepared):
    made = writer(prepared)

    def records():
        for index in made.indices():
            if index == 5:
                raise KeyboardInterrupt
            yield encode(maps()[index])

    with pytest.raises(KeyboardInterrupt):
        made.fill(records())
    assert files(made.place.folder) == ["begun.json", "shard-00000.array_record"]
    with pytest.raises(ValueError, match=r"is unfinished: run the same cli.cache_depth again"):
        DepthCache(prepared, "depth", "train")
    (made.place.folder / "shard-00001.array_record.0.partial").write_bytes(b"of a call that was killed")
    assert writer(prepared, shard_size=2).indices() == [4, 5]  # the shards stay as they were begun
    folder = write(prepared)
    assert files(folder) == ["cache.json", "shard-00000.array_record", "shard-00001.array_record"]
    np.testing.assert_array_equal(DepthCache(prepared, "depth", "train").read(5), decode(encode(maps()[5])))


def test_a_missing_shard_is_named_and_written_again(prepared):
    folder = write(prepared)
    (folder / "shard-00000.array_record").unlink()
    with pytest.raises(ValueError, match=r"lacks '.*shard-00000.array_record': run the same cli.cache_depth again"):
        DepthCache(prepared, "depth", "train")
    assert writer(prepared).indices() == [0, 1, 2, 3]
    write(prepared)
    np.testing.assert_array_equal(DepthCache(prepared, "depth", "train").read(3), decode(encode(maps()[3])))


@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_a_damaged_shard_is_named(prepared, kept):
    path = write(prepared) / "shard-00001.array_record"
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    cache = DepthCache(prepared, "depth", "train")
    cache.read(3)
    with pytest.raises(ValueError, match=r"'.*shard-00001.array_record' is damaged: delete it and run the same"):
        cache.read(4)


def test_a_cache_of_other_weights_is_replaced_only_when_asked(prepared):
    write(prepared)
    (folder := prepared / "disparity" / "depth" / "train").joinpath("notes.txt").write_text("mine")
    other = ORIGIN | {"weights": "b" * 64, "step": 1500}
    message = r"was made from weights a{12} \(runs/depth, step 1400\), not b{12} \(runs/depth, step 1500\): give --repl"
    with pytest.raises(ValueError, match=message):
        writer(prepared, other)
    write(prepared, 1 - maps(), origin=other, replace=True)
    cache = DepthCache(prepared, "depth", "train")
    assert cache.facts["weights"] == "b" * 64
    np.testing.assert_array_equal(cache.read(2), decode(encode(1 - maps()[2])))
    assert (folder / "notes.txt").exists()  # only what belongs to the cache is deleted


def test_there_is_no_cache_of_that_name(prepared):
    write(prepared)
    with pytest.raises(
        ValueError, match=r"no depth cache 'x' of split 'train' in .* \(there: depth\): run cli.cache_d"
    ):
        open_source(SPEC, prepared.parents[1], "train", "x")
    with pytest.raises(ValueError, match=r"no depth cache 'depth' of split 'val' in .*val': run cli.cache_depth first"):
        open_source(SPEC, prepared.parents[1], "val", "depth")


def test_a_cache_may_lie_elsewhere(prepared, tmp_path):
    folder = write(prepared)
    shutil.move(folder.parent, tmp_path / "caches")
    source = open_source(SPEC, prepared.parents[1], "train", str(tmp_path / "caches"))
    np.testing.assert_array_equal(source.read(1)["disparity"], decode(encode(maps()[1])))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": 4}, r"was made for 6 other samples, now there are 4: run cli.cache_depth --replace, or choose"),
        ({"size": (4, 8)}, r"was made for data prepared with size \[8, 16\], now it is \[4, 8\]: run cli.cache_depth"),
        ({"image_format": "png"}, r"was made for data prepared with image_format jpeg, now it is png"),
    ],
)
def test_a_cache_of_data_that_were_prepared_otherwise_is_refused(prepared, tmp_path, changes, message):
    folder = write(prepared)
    if "count" in changes:
        change_facts(folder, recipe=json.loads((folder / "cache.json").read_text())["recipe"] | {"options": None})
    arguments = {"size": SIZE, "workers": 1} | changes
    other = prepare(SPEC, prepared_dir=tmp_path / "other", **arguments)
    shutil.copytree(prepared / "disparity", other / "disparity")
    if "count" in changes:
        recipe = json.loads((other / "metadata.json").read_text())["recipe"]
        change_facts(other / "disparity" / "depth" / "train", recipe=recipe)
    for use in (DepthCache, lambda *place: CacheWriter(Place(*place), ORIGIN)):
        with pytest.raises(ValueError, match=message.split(":")[0]):
            use(other, "depth", "train")
    with pytest.raises(ValueError, match=message):
        DepthCache(other, "depth", "train")


def test_a_cache_of_other_samples_names_the_first(prepared):
    folder = write(prepared)
    names = json.loads((folder / "cache.json").read_text())["names"]
    change_facts(folder, names=[*names[:2], "x", *names[3:]])
    with pytest.raises(ValueError, match="was made for other samples: number 2 was 'x', now it is 'train_002'"):
        DepthCache(prepared, "depth", "train")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"schema": 1', r"cache.json' is damaged .*: run cli.cache_depth --replace"),
        ("[1, 2]", r"cache.json' is damaged .*: run cli.cache_depth --replace"),
        ('{"schema": 0}', r"cache.json' has schema 0, wanted 1: run cli.cache_depth --replace"),
    ],
)
def test_damaged_facts_are_named_and_can_be_replaced(prepared, content, message):
    folder = write(prepared)
    (folder / "cache.json").write_text(content)
    for use in (lambda: DepthCache(prepared, "depth", "train"), lambda: writer(prepared)):
        with pytest.raises(ValueError, match=message):
            use()
    write(prepared, replace=True)
    assert DepthCache(prepared, "depth", "train").facts["weights"] == ORIGIN["weights"]


def test_no_space_left_is_told_with_the_remedy(prepared, monkeypatch):
    class Full:
        def __init__(self, path, options):
            raise RuntimeError("write() failed: No space left on device")

    monkeypatch.setattr("array_record.python.array_record_module.ArrayRecordWriter", Full)
    with pytest.raises(OSError, match=r"No space left on device.*: free disk space and start again"):
        write(prepared)
    assert find_prepared(SPEC, prepared.parents[1]) == prepared


def test_no_description_may_declare_disparities():
    with pytest.raises(ValueError, match=r"declares fields \['disparity'\]; possible are"):
        DatasetSpec("x", "1.0.0", SPEC.space, ("train",), None, None, fields=("disparity",))
