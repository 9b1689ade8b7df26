"""What `input.py` compares: our readers, a plain PyTorch loader, decoding alone. Each is an endless iterator."""

from __future__ import annotations

import pathlib

BATCH = 4
WORKERS = 2  # of PyTorch
FIELDS = {"single": ("label",), "triplet": ("neighbors",), "cached": ("label",)}
FRAMES = {"single": 1, "triplet": 3, "cached": 1}
CONTENDERS = {
    "single": ["ours, 1 thread", "ours, 2 threads", "ours without TensorFlow, 2 threads"],
    "triplet": ["ours, 1 thread", "ours, 2 threads", "ours without TensorFlow, 2 threads"],
    "cached": ["ours, cached"],
}
REFERENCES = ["torch, uint8", "torch, float32", "decoding alone, 1 thread", "decoding alone, 2 threads"]


def opened(folder: str, split: str):
    """The prepared split in `folder`, <prepared_dir>/<name>/<version>."""
    from sde_seg_jax.data.reading.source import open_source

    folder = pathlib.Path(folder)
    return open_source(folder.parent.name, folder.parents[1], split)


def start(data: dict, case: str, contender: str):
    """The iterator that a contender's name means."""
    crop = tuple(data["crop"])
    if contender.startswith("torch"):
        return torch_loader(data["files"], data["intrinsics"], case, crop, "float32" in contender)
    if contender.startswith("decoding"):
        contents = [
            {
                "images": [pathlib.Path(p).read_bytes() for p in f["images"]],
                "label": pathlib.Path(f["label"]).read_bytes(),
            }
            for f in data["files"]
        ]
        return decoding(contents, case, 1 if "1 thread" in contender else 2)
    return ours(opened(data["folder"], data["split"]), case, crop, contender)


def ours(source, case: str, crop, contender: str):
    """Our batches, without end."""
    from sde_seg_jax.data.reading import memory, pipeline

    arguments = {"seed": 0, "batch_size": BATCH, "crop": crop, "fields": FIELDS[case]}
    if contender == "ours, cached":
        return memory.memory_batches(memory.load_into_memory(source, FIELDS[case]), **arguments)
    if "without TensorFlow" in contender:
        return memory.memory_batches(source, threads=2, **arguments)
    return pipeline.batches(source, threads=1 if "1 thread" in contender else 2, **arguments)


def torch_loader(files, intrinsics, case: str, crop, normalized: bool):
    """Batches of a plain loader over the files: open, crop, flip, stack; float32 in [0,1] if `normalized`."""
    import numpy as np
    import torch
    from PIL import Image

    torch.set_num_threads(1)
    height, width = crop

    class Frames(torch.utils.data.Dataset):
        def __len__(self):
            return len(files)

        def __getitem__(self, index):
            names = files[index]
            images = [Image.open(name) for name in (names["images"] if case == "triplet" else names["images"][:1])]
            top = int(torch.randint(images[0].height - height + 1, ()))
            left = int(torch.randint(images[0].width - width + 1, ()))
            flipped = bool(torch.rand(()) < 0.5)

            def window(image):
                image = image.crop((left, top, left + width, top + height))
                return np.asarray(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flipped else image)

            frames = torch.from_numpy(np.stack([window(image) for image in images]))
            if normalized:
                frames = frames.float().div_(255)
            if case == "triplet":
                fx, fy, cx, cy = intrinsics[index]
                centre = width - 1 - (cx - left) if flipped else cx - left
                return frames, torch.tensor([fx, fy, centre, cy - top])
            return frames[0], torch.from_numpy(window(Image.open(names["label"])).copy())

    loader = torch.utils.data.DataLoader(
        Frames(),
        BATCH,
        shuffle=True,
        num_workers=WORKERS,
        drop_last=True,
        persistent_workers=True,
        multiprocessing_context="fork",
    )
    while True:
        yield from loader


def decoding(contents, case: str, threads: int):
    """Decodes the same files whole, in `threads`, and hands nothing over: yields after each batch."""
    import concurrent.futures
    import itertools

    import cv2
    import numpy as np

    def decode(sample):
        for content in sample["images"][: FRAMES[case]]:
            cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
        if case != "triplet":
            cv2.imdecode(np.frombuffer(sample["label"], np.uint8), cv2.IMREAD_UNCHANGED)

    samples = itertools.cycle(contents)
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        while True:
            for _ in pool.map(decode, [next(samples) for _ in range(BATCH)]):
                pass
            yield
