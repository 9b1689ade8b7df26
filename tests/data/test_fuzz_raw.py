"""Damaged raw files of every data set: a clean result or one line that names a file, never a traceback or a hang."""

import json
import os
import pathlib
import shutil
import signal
import struct
import warnings
import zlib

import numpy as np
import pytest
import trees
from PIL import Image

from sde_seg_jax.data.raw_files import raw
from sde_seg_jax.data.spec import find, known
from sde_seg_jax.data.stored import codec

SIZE = (16, 32)
SEEDS = range(2)
SECONDS = 10  # a case takes 0.1
NAMES = [name for name in known() if (pathlib.Path(__file__).parent / f"tree_{name}.py").is_file()]
TEXTS = {".json", ".txt", ".csv", ".yaml"}
PICTURES = {".png", ".jpg", ".jpeg"}
SHAPES = (
    None,
    [],
    {},
    3,
    "text",
    [[1, 2]],
    {"labels": 1},
    {"labels": [{}]},
    {"intrinsic": {"fx": "a"}},
    [None],
    {"a": {}},
)


class Hang(BaseException):
    """Not an Exception, so that nothing takes it for a damaged file."""


def stop(*_):
    raise Hang(f"longer than {SECONDS} s")


def pick(rng, root, kinds=None):
    """A random file, of some endings if there is one with them."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    some = [path for path in files if kinds is None or path.suffix in kinds]
    return (some or files)[rng.integers(len(some or files))]


def pick_folder(rng, root):
    folders = sorted(path for path in root.rglob("*") if path.is_dir()) or [root]
    return folders[rng.integers(len(folders))]


def delete(rng, root):
    pick(rng, root).unlink()


def delete_folder(rng, root):
    shutil.rmtree(pick_folder(rng, root))


def truncate(rng, root):
    path = pick(rng, root)
    content = path.read_bytes()
    path.write_bytes(content[: rng.integers(max(1, len(content)))])


def make_empty(rng, root):
    pick(rng, root).write_bytes(b"")


def flip_bytes(rng, root):
    path = pick(rng, root)
    content = bytearray(path.read_bytes() or b"0")
    for place in rng.integers(len(content), size=rng.integers(1, 9)):
        content[place] ^= int(rng.integers(1, 256))
    path.write_bytes(content)


def flip_first_bytes(rng, root):
    path = pick(rng, root, PICTURES)
    content = bytearray(path.read_bytes())
    content[int(rng.integers(8, 33)) % len(content)] ^= int(rng.integers(1, 256))  # where a PNG tells its size and kind
    path.write_bytes(content)


def replace_picture(path, values, mode=None):
    image = Image.fromarray(values)
    image = image.convert(mode) if mode else image
    image.save(path, "PNG" if path.suffix != ".jpg" or image.mode == "I;16" else "JPEG")


def shape_of(path):
    with Image.open(path) as image:
        return image.size[::-1]


def sixteen_bit(rng, root):
    path = pick(rng, root, {".png"})
    replace_picture(path, rng.integers(0, 65536, shape_of(path) if path.suffix == ".png" else SIZE).astype(np.uint16))


def colored(rng, root):
    path = pick(rng, root, {".png"})
    replace_picture(path, rng.integers(0, 256, (*SIZE, 3)).astype(np.uint8))


def other_mode(rng, root):
    path = pick(rng, root, PICTURES)
    mode = ("1", "LA", "RGBA", "F", "CMYK")[rng.integers(5)]
    values = rng.integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    Image.fromarray(values).convert(mode).save(path, "TIFF")


def unknown_ids(rng, root):
    path = pick(rng, root, {".png"})
    replace_picture(path, rng.integers(0, 256, shape_of(path) if path.suffix == ".png" else SIZE).astype(np.uint8))


def resize(rng, root):
    path = pick(rng, root, PICTURES)
    if path.suffix in PICTURES:
        with Image.open(path) as image:
            small = image.resize((int(rng.integers(1, 40)), int(rng.integers(1, 40))), Image.Resampling.NEAREST)
        small.save(path)


def swap_folders(rng, root):
    groups = [
        sorted(p for p in parent.iterdir() if p.is_dir()) for parent in (root, *root.rglob("*")) if parent.is_dir()
    ]
    pairs = [group for group in groups if len(group) > 1] or [[pick_folder(rng, root)] * 2]
    group = pairs[rng.integers(len(pairs))]
    one, other = (group[i] for i in rng.permutation(len(group))[:2])
    if one != other:
        one.rename(root / "swapping")
        other.rename(one)
        (root / "swapping").rename(other)


def rename(rng, root):
    path = (pick, pick_folder)[rng.integers(2)](rng, root)
    if path != root:
        path.rename(
            path.with_name(
                ("Straße_дорога_道" + path.suffix, " " + path.name, path.name.upper() + "~")[rng.integers(3)]
            )
        )


def add_stray(rng, root):
    folder = pick_folder(rng, root)
    near = pick(rng, root)
    name = (
        f"stray{near.suffix}",
        f"a_b_c{near.suffix}",
        f"._{near.name}",
        f"{near.stem} (1){near.suffix}",
        "Thumbs.db",
        "1.png",
    )
    (folder / name[rng.integers(len(name))]).write_bytes(near.read_bytes())


def garbage_text(rng, root):
    pick(rng, root, TEXTS).write_bytes(rng.integers(0, 256, 80).astype(np.uint8).tobytes())


def other_json(rng, root):
    pick(rng, root, TEXTS).write_text(json.dumps(SHAPES[rng.integers(len(SHAPES))]))


def nested_json(rng, root):
    pick(rng, root, {".json"}).write_text("[" * 100_000)


def huge_picture(rng, root):
    """A PNG that claims 50000 x 50000 pixels, with a correct checksum."""
    path = pick(rng, root, {".png"})
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 50000, 50000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)


def strange_lines(rng, root):
    path = pick(rng, root, {".txt", ".csv"})
    lines = (
        "\n\n",
        "nan nan nan\n",
        "K: a b\n",
        "../../etc/passwd x\n",
        "one\n",
        "a b c d e f g\n",
        "\0 \0\n",
        "1e999 " * 12,
    )
    path.write_text("".join(lines[i] for i in rng.integers(len(lines), size=3)))


def empty_folder(rng, root):
    folder = pick_folder(rng, root)
    shutil.rmtree(folder)
    folder.mkdir(parents=True)


def loop(rng, root):
    path = (pick, pick_folder)[rng.integers(2)](rng, root)
    if path != root:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        path.symlink_to(path if rng.integers(2) else path.parent)


def folder_for_file(rng, root):
    path = pick(rng, root)
    path.unlink()
    path.mkdir()


def forbid(rng, root):
    (pick, pick_folder)[rng.integers(2)](rng, root).chmod(0)


MUTATIONS = [
    *(delete, delete_folder, truncate, make_empty, flip_bytes, flip_first_bytes, sixteen_bit, colored, other_mode),
    *(
        unknown_ids,
        resize,
        swap_folders,
        rename,
        add_stray,
        garbage_text,
        other_json,
        strange_lines,
        empty_folder,
        loop,
    ),
    *(folder_for_file, forbid, nested_json, huge_picture),
]


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    return {name: trees.write(name, tmp_path_factory.mktemp(name)) for name in NAMES}


def assert_clean(error, name, root):
    """One line that names a path, or the data set, or a sample in quotes."""
    message = str(error)
    assert "\n" not in message, message
    samples = {path.stem for path in root.rglob("*") if len(path.stem) > 4}
    assert str(root) in message or repr(name) in message or any(f"'{stem}" in message for stem in samples), message


def read_all(name, root, skip):
    """items, load and encode of every split, as preparation does them."""
    spec, problems = find(name), raw.Problems(skip=skip)
    options = spec.complete({})
    try:
        space = spec.space or spec.read_space(root, **options)
    except (ValueError, OSError) as error:
        assert_clean(error, name, root)
        return
    for split in spec.splits:
        try:
            items = spec.items(split, root, problems=problems, **options)
        except (ValueError, OSError) as error:
            assert_clean(error, name, root)
            continue
        for item in items:
            try:
                codec.encode(spec, item, SIZE, "jpeg", space)
            except (ValueError, OSError) as error:
                assert_clean(error, name, root)
    for message in problems.left_out:
        assert_clean(message, name, root)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_damage_ends_with_a_result_or_one_line(originals, tmp_path, name, mutate, seed):
    if mutate is forbid and os.getuid() == 0:
        pytest.skip("root may read everything")
    root = tmp_path / "raw"
    shutil.copytree(originals[name], root)
    mutate(np.random.default_rng((seed, MUTATIONS.index(mutate), *name.encode())), root)
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for skip in (False, True):
                read_all(name, root, skip)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    for warning in caught:
        assert_clean(warning.message, name, root)


def test_there_are_at_least_200_cases():
    assert len(NAMES) * len(MUTATIONS) * len(SEEDS) >= 200
