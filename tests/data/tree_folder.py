"""A tiny folder of one's own: two clips of images and a video, sparse labels of ids and of colors, two cameras."""

import fractions
import json

import av
import numpy as np
from PIL import Image

SHAPE = (24, 32)
FRAMES = 6
CLASSES = [
    {"name": "road", "id": 7, "color": [128, 64, 128]},
    {"name": "car", "id": 3, "color": [0, 0, 142]},
    {"name": "void", "id": 0, "color": [0, 0, 0], "ignore": True},
]
CAMERA = {"fx": 30.0, "fy": 30.0, "cx": 15.5, "cy": 11.5, "width": 32, "height": 24}


def write(root):
    """Two clips of images, one with labels of ids and one without, and a video with labels of colors."""
    for clip in ("front/straße", "rear"):
        for number in range(FRAMES):
            save(root / clip / f"frame{number + 7}.png", picture(number))
    write_video(root / "tour.mp4", [picture(number) for number in range(FRAMES)])
    ids, colors = (np.array([entry[key] for entry in CLASSES], np.uint8) for key in ("id", "color"))
    places = np.random.default_rng(0).integers(0, len(CLASSES), (FRAMES, *SHAPE))
    for number in (0, 2, 5):
        save(root / "labels" / "front/straße" / f"frame{number + 7}.png", ids[places[number]])
    for number in (0, 3, 4):
        save(root / "labels" / "tour" / f"{number:06d}.png", colors[places[number]])
    (root / "classes.json").write_text(json.dumps(CLASSES))
    (root / "camera.json").write_text(json.dumps(CAMERA))
    (root / "rear" / "camera.json").write_text(json.dumps({"field_of_view": 90}))


def picture(number):
    """Frame `number` of a wall of random tiles of 4x4 pixels that moves to the left by 2 of 32 pixels a frame."""
    tiles = np.random.default_rng(0).integers(0, 256, (SHAPE[0] // 4, 16, 3), np.uint8)
    return tiles.repeat(4, 0).repeat(4, 1)[:, 2 * number : 2 * number + SHAPE[1]]


def save(path, values):
    """Writes an image; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def write_video(path, pictures, codec="libx264", pixels="yuv420p", **options):
    """Encodes RGB pictures; `times` (in ms) makes the frame rate vary, `gop` and `b_frames` shape the stream."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times, gop, b_frames = (options.pop(key, value) for key, value in (("times", None), ("gop", 12), ("b_frames", 2)))
    with av.open(str(path), "w", options=options.pop("container", {})) as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.codec_context.gop_size = pixels, gop
        stream.codec_context.max_b_frames = b_frames
        for index, image in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[index], fractions.Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
