"""Small trees in the file formats of GTA5, VIPER and SYNTHIA, with made-up pictures; and reading them unprepared."""

import cv2
import numpy as np
from driving_trees import ids, picture, save

from sde_seg_jax.data.datasets import viper
from sde_seg_jax.data.raw_files.raw import Problems
from sde_seg_jax.data.spec import find
from sde_seg_jax.data.stored import codec
from sde_seg_jax.label_spaces import CITYSCAPES

SHAPE = (16, 32)
VIPER_FRAMES = {"train": {"001": range(1, 6), "024": range(7, 10)}, "val": {"060": range(1, 5)}}
SEASONS = {"SYNTHIA-SEQS-01-SUMMER": range(5), "SYNTHIA-SEQS-02-FALL": range(10, 13)}
VIEW = "Stereo_Left/Omni_F"


def listed(name, root, split="train", problems=None, **options):
    """What `items` finds; options not given have their defaults."""
    spec = find(name)
    return spec.items(split, root, problems=problems or Problems(), **spec.complete(options))


def examples(name, root, split="train", **options):
    """All raw examples of a split, checked as preparation checks them."""
    spec = find(name)
    found = [spec.load(item, SHAPE) for item in listed(name, root, split, **options)]
    for example in found:
        codec.check(example, spec)
    return found


def save_16_bit(path, red, green=0, blue=0):
    """A PNG with 16 bits a channel, which Pillow cannot write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = [np.broadcast_to(np.asarray(values, np.uint16), red.shape) for values in (blue, green, red)]
    assert cv2.imwrite(str(path), np.stack(channels, -1))


def cityscapes_palette():
    """Colors of raw ids 0..34, as far as they matter: those of the evaluated classes."""
    from sde_seg_jax.data.datasets.cityscapes import EVALUATED

    colors = np.zeros((35, 3), np.uint8)
    colors[list(EVALUATED)] = CITYSCAPES.colors
    return colors


def write_gta5(root):
    for number in range(1, 6):
        name = f"{number:05d}"
        save(root / f"images/{name}.png", picture(name, SHAPE))
        save(root / f"labels/{name}.png", ids(name, 35, SHAPE), cityscapes_palette())


def write_viper(root):
    for split, sequences in VIPER_FRAMES.items():
        for sequence, frames in sequences.items():
            for frame in frames:
                name = f"{sequence}_{frame:05d}"
                ending = "jpg" if split == "val" else "png"  # downloads come as either
                save(root / f"{split}/img/{sequence}/{name}.{ending}", picture(name, SHAPE))
                save(root / f"{split}/cls/{sequence}/{name}.png", ids(name, 32, SHAPE), viper.CLASS_COLORS)


def write_synthia(root):
    for number in range(4):
        name = f"{number:07d}"
        save(root / f"RGB/{name}.png", picture(name, SHAPE))
        save_16_bit(root / f"GT/LABELS/{name}.png", ids(name, 23, SHAPE), green=number)


def write_synthia_video(root):
    for sequence, frames in SEASONS.items():
        for frame in frames:
            name = f"{frame:06d}"
            save(root / sequence / "RGB" / VIEW / f"{name}.png", picture(sequence + name, SHAPE))
            colors = np.array(CITYSCAPES.colors, np.uint8)[ids(name, 19, SHAPE)]
            save(root / sequence / "GT/COLOR" / VIEW / f"{name}.png", colors)
    camera = root / "SYNTHIA-SEQS-01-SUMMER/CameraParams/intrinsics.txt"
    camera.parent.mkdir()
    camera.write_text("532.740352\n0\n640\n380\n")
