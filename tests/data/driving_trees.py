"""Small trees in the file formats of Cityscapes and Mapillary Vistas, with made-up pictures."""

import json

import numpy as np
from PIL import Image

CITYSCAPES_SHAPE = (16, 32)  # a scaled-down 1024x2048
SNIPPETS = {  # city -> sequences; each has the frames 17..21 of its 30, and frame 19 is labeled
    "train": {"aachen": ("000000", "000001"), "zurich": ("000005",)},
    "val": {"frankfurt": ("000000", "000001", "000002")},
}
LABELED, FRAMES = 19, range(17, 22)
SIZES = {"training": [(24, 40), (30, 20), (17, 33)], "validation": [(20, 20), (12, 44), (16, 32)]}  # (height, width)


def picture(name, shape):
    """Noise that only depends on the name."""
    return np.random.default_rng(list(name.encode())).integers(0, 256, (*shape, 3), dtype=np.uint8)


def ids(name, end, shape):
    """Random ids 0..end-1 that only depend on the name."""
    return np.random.default_rng(list(name.encode())).integers(0, end, shape, dtype=np.uint8)


def save(path, values, palette=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values)
    if palette is not None:
        image.putpalette(np.array(palette, np.uint8).tobytes())
    image.save(path, quality=100, subsampling=0) if path.suffix == ".jpg" else image.save(path)


def labeled_names(split):
    return [f"{city}_{seq}_{LABELED:06d}" for city, sequences in SNIPPETS[split].items() for seq in sequences]


def write_cityscapes(root, sequences=True):
    """leftImg8bit, gtFine and, if wanted, leftImg8bit_sequence; no camera files."""
    for split, cities in SNIPPETS.items():
        for city, snippets in cities.items():
            for sequence in snippets:
                stem = f"{city}_{sequence}_{LABELED:06d}"
                save(root / f"leftImg8bit/{split}/{city}/{stem}_leftImg8bit.png", picture(stem, CITYSCAPES_SHAPE))
                label = ids(stem, 34, CITYSCAPES_SHAPE)
                save(root / f"gtFine/{split}/{city}/{stem}_gtFine_labelIds.png", label)
                save(root / f"gtFine/{split}/{city}/{stem}_gtFine_instanceIds.png", label.astype(np.uint16))
                for frame in FRAMES if sequences else ():
                    name = f"{city}_{sequence}_{frame:06d}"
                    path = root / f"leftImg8bit_sequence/{split}/{city}/{name}_leftImg8bit.png"
                    save(path, picture(name, CITYSCAPES_SHAPE))
    return root


def write_camera(root, split, name, **intrinsic):
    path = root / "camera" / split / name.split("_")[0] / f"{name}_camera.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    extrinsic = {"baseline": 0.21, "pitch": 0.05, "roll": 0.0, "x": 1.7, "y": 0.1, "yaw": 0.0, "z": 1.2}
    path.write_text(json.dumps({"extrinsic": extrinsic, "intrinsic": intrinsic}))
    return path


def write_mapillary(root, release, skipped, labels, config):
    """Photographs of several sizes; `skipped`: raw ids that are not evaluated; `labels`, `config`: where they go."""
    space = release.space
    entries, colors = [], iter(zip(space.classes, space.colors, strict=True))
    for raw_id in range(space.num_classes + len(skipped)):
        name, color = ("void", (0, 0, 0)) if raw_id in skipped else next(colors)
        entry = {"color": color, "instances": True, "readable": name, "name": name, "evaluate": raw_id not in skipped}
        entries.append(entry)
    root.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"labels": entries, "version": 1.1, "folder_structure": "{split}/{content}/{key:.{22}}.{ext}"})
    (root / config).write_text(text)
    for split, sizes in SIZES.items():
        for number, size in enumerate(sizes):
            key = f"_{split}-{number}".ljust(22, "x")
            save(root / split / "images" / f"{key}.jpg", picture(key, size))
            palette = [entry["color"] for entry in entries]
            save(root / split / labels / f"{key}.png", ids(key, len(entries), size), palette)
    return root
