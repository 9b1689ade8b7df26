"""A reader who follows a page of the guide: its own commands, on networks and pictures of the smallest size."""

import json
import pathlib
import re
import shlex
import sys
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from pages_of_the_guide import PRETRAINED, ROOT, as_flags, commands, config_of
from PIL import Image

from sde_seg_jax.data.street_scenes.clip import render_frame
from sde_seg_jax.label_spaces import CITYSCAPES

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "data"))  # small trees of the data sets

SIZE, FRAMES = (64, 64), 14  # of the reader's own video
CLASSES = ({"name": "road", "id": 0, "color": [128, 64, 128]}, {"name": "tree", "id": 1, "color": [107, 142, 35]})
CLASSES += ({"name": "other", "id": 2, "color": [0, 0, 142]},)


class Ran(NamedTuple):
    """A command of a page as it was given, and what it printed."""

    name: str
    flags: list[str]
    out: str


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The folder in which a reader works, from page to page, with a picture in it."""
    folder = tmp_path_factory.mktemp("reader")
    image, *_ = render_frame("target", 0, 0, 0, (90, 160))
    Image.fromarray(image).save(folder / "street.jpg")
    return folder


@pytest.fixture
def give(command, place, monkeypatch):
    """give(name, *flags) runs a command in the reader's folder, which has to succeed -> what it printed."""
    monkeypatch.chdir(place)

    def call(name, *flags):
        status, out, err = command(name, *flags)
        assert status == 0, f"cli.{name} {shlex.join(flags)}\n{err}"
        return out

    return call


@pytest.fixture
def walk(give):
    """walk(page, changes, instead, more) runs a page's commands one by one: between two, the reader does the rest.

    changes: {what stands after --config=: {key: value}}, which are given as flags, too.
    instead: {a flag of the page: the one that the smallest size needs}.
    more: {what stands after --config=: flags that leave a part out}.
    """

    def call(page, changes=(), instead=(), more=()):
        for name, shown in commands(page):
            flags = [dict(instead).get(flag, flag) for flag in shown]
            config = config_of(flags)
            flags += [*as_flags(dict(changes)[config]), *dict(more).get(config, ())] if config else []
            yield Ran(name, flags, give(name, *flags))

    return call


@pytest.fixture
def follow(walk):
    """follow(page, changes, instead) runs a page from top to bottom -> what each of its commands printed."""
    return lambda *arguments: [ran.out for ran in walk(*arguments)]


@pytest.fixture
def quickstart(give, place):
    """What `make quickstart` leaves in runs/quickstart, once for all pages."""
    if not (place / "runs/quickstart/report.html").exists():
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        line = re.search(r"^quickstart:.*\n\t\S+ -m sde_seg_jax\.cli\.(\w+) (.*)$", makefile, re.MULTILINE)
        name, flags = line.groups()
        flags = flags.replace("configs/", f"{ROOT}/configs/").replace("$(WORKDIR)", "runs/quickstart").split()
        out = give(name, *flags, *as_flags(PRETRAINED))
        assert "report: runs/quickstart/report.html" in out
    return place / "runs" / "quickstart"


def scene(tick):
    """(frame, its true classes of CLASSES) of a drive through a street."""
    image, label, *_ = render_frame("target", 0, 0, tick, SIZE)
    road, tree = (label == CITYSCAPES.classes.index(name) for name in ("road", "vegetation"))
    return image, np.select([road, tree], [0, 1], 2).astype(np.uint8)


@pytest.fixture
def own_video(place):
    """my_videos/tour.mp4, a clip of a street, and classes.json beside the folder."""
    (place / "my_videos").mkdir(exist_ok=True)
    video = cv2.VideoWriter(str(place / "my_videos" / "tour.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 10, SIZE[::-1])
    for tick in range(FRAMES):
        video.write(scene(tick)[0][..., ::-1])
    video.release()
    (place / "classes.json").write_text(json.dumps(CLASSES))


@pytest.fixture
def add_labels(place):
    """add_labels(frames of tour.mp4) does what the page says to do with masks and classes.json."""

    def add(frames):
        folder = place / "my_videos" / "labels" / "tour"
        folder.mkdir(parents=True, exist_ok=True)
        for frame in frames:
            Image.fromarray(scene(frame)[1]).save(folder / f"{frame:06d}.png")
        (place / "my_videos" / "classes.json").write_text((place / "classes.json").read_text())

    return add
