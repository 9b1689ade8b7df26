"""Pages of the guide from top to bottom: their own commands and code, on networks and pictures of the smallest size."""

import importlib.util
import json
import pathlib
import re
import shlex
import threading
import urllib.error
import urllib.request
from http.server import HTTPServer

import cv2
import numpy as np
import pytest
from PIL import Image

from sde_seg_jax.data.street_scenes.clip import render_frame

pytestmark = pytest.mark.slow
ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guide"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^python -m sde_seg_jax\.cli\.(\w+) (.*)$", re.MULTILINE)
TOY = {
    "data.size": "(64,64)",
    "data.crop": "(64,64)",
    "data.batch_size": "2",
    "data.labels": "3",
    "dataset.counts.train": "6",
    "dataset.counts.val": "2",
    "model.width": "8",
    "model.decoder_channels": "(4,4,4,8,8)",
    "model.aspp_rates": "(1,2)",
    "train.steps": "2",
}
OWN = {  # a clip of 14 frames
    **{key: value for key, value in TOY.items() if not key.startswith("dataset.") and key != "data.labels"},
    "dataset.min_motion": "0.0",
    "dataset.val_fraction": "0.3",
    "model.pose_width": "8",
    "model.pose_channels": "8",
    "train.collapse_after": "1000000",
}
FEW = {"select.steps": "(2,3)", "select.student_steps": "(2,)"}
VIT = {
    "data.size": "(56,84)",
    "data.crop": "(56,56)",
    "model.width": "4",
    "model.encoder_options.blocks": "4",
    "model.decoder_options.features": "8",
    "model.decoder_options.reassembled": "(4,6,8,12)",
    "model.decoder_options.hidden": "4",
    "model.transfer": "()",  # a file of the hub
}


def commands(page):
    """[(command, its flags)] of a page, in order."""
    texts = [text.replace("\\\n", " ") for _, text in BLOCK.findall((GUIDE / page).read_text(encoding="utf-8"))]
    return [(name, shlex.split(flags, comments=True)) for text in texts for name, flags in COMMAND.findall(text)]


def as_flags(changes):
    return [f"--config.{key}={value}" for key, value in changes.items()]


def code(page):
    """The only Python block of a page."""
    (text,) = [text for language, text in BLOCK.findall((GUIDE / page).read_text("utf-8")) if language == "python"]
    return text


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The folder in which a reader works, from page to page, with a picture in it."""
    folder = tmp_path_factory.mktemp("reader")
    image, *_ = render_frame("target", 0, 0, 0, (90, 160))
    Image.fromarray(image).save(folder / "street.jpg")
    return folder


@pytest.fixture
def follow(command, place, monkeypatch):
    """follow(page, changes, instead) runs a page's commands -> what each one printed.

    changes: {what stands after --config=: {key: value}}, which are given as flags, too.
    instead: {a flag of the page: the one that the smallest size needs}.
    """
    monkeypatch.chdir(place)

    def call(page, changes=(), instead=()):
        printed = []
        for name, shown in commands(page):
            flags = [dict(instead).get(flag, flag) for flag in shown]
            config = next((flag[len("--config=") :] for flag in flags if flag.startswith("--config=")), "")
            more = as_flags(dict(changes)[config]) if config else []
            status, out, err = command(name, *flags, *more)
            assert status == 0, f"{page}: cli.{name} {shlex.join(flags + more)}\n{err}"
            printed.append(out)
        return printed

    return call


@pytest.fixture
def quickstart(command, place, monkeypatch):
    """What `make quickstart` leaves in runs/quickstart, once for all pages."""
    monkeypatch.chdir(place)
    if not (place / "runs/quickstart/report.html").exists():
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        line = re.search(r"^quickstart:.*\n\t\S+ -m sde_seg_jax\.cli\.(\w+) (.*)$", makefile, re.MULTILINE)
        name, flags = line.groups()
        flags = flags.replace("configs/", f"{ROOT}/configs/").replace("$(WORKDIR)", "runs/quickstart").split()
        status, out, err = command(name, *flags, *as_flags(TOY))
        assert status == 0, err
        assert "report: runs/quickstart/report.html" in out
    return place / "runs" / "quickstart"


def test_quickstart(quickstart, follow, place):
    predicted, scored = follow("quickstart.md")
    with Image.open(place / "predictions" / "street_classes.png") as classes:
        assert classes.size == (160, 90)
    assert (place / "predictions" / "street_depth.png").exists()
    assert "mIoU" in scored
    assert predicted


def test_export_and_serving(quickstart, follow, place, monkeypatch):
    exported, _ = follow("export_and_serving.md")
    assert "of the class ids equal" in exported
    (place / "serve.py").write_text(code("export_and_serving.md"), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("serve", place / "serve.py")
    serve = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(serve)
    monkeypatch.setattr(serve.Handler, "log_message", lambda *ignored: None)
    with HTTPServer(("localhost", 0), serve.Handler) as server:
        threading.Thread(target=lambda: [server.handle_request() for _ in range(2)]).start()
        address = f"http://localhost:{server.server_port}"
        with urllib.request.urlopen(address, (place / "street.jpg").read_bytes(), timeout=60) as reply:
            (place / "classes.png").write_bytes(reply.read())
        with pytest.raises(urllib.error.HTTPError, match="400: send the bytes of an image file") as refused:
            urllib.request.urlopen(address, b"no picture", timeout=60)
        refused.value.close()
    with Image.open(place / "classes.png") as answer:
        shown = np.asarray(answer)
    assert shown.shape == (90, 160, 3)
    colors = {tuple(color) for color in serve.colors.tolist()}
    assert {tuple(color) for color in shown.reshape(-1, 3).tolist()} <= colors


def test_weights_and_backbones(follow, place):
    (place / "my_dinov2.py").write_text(code("weights_and_backbones.md"), encoding="utf-8")
    lite0, dinov2, scored, *_ = follow(
        "weights_and_backbones.md",
        {
            "quickstart:baseline": {**TOY, "model.width": "32"},
            "my_dinov2.py": {**TOY, **VIT},
        },
    )
    (shown,) = re.findall(r"copied +([1-9][\d,]+)", (GUIDE / "weights_and_backbones.md").read_text(encoding="utf-8"))
    assert re.search(rf"encoder +encoder from imagenet +copied +{shown} +fresh +0", lite0)
    assert dinov2
    assert "mIoU" in scored
    assert (place / "shared" / "streets" / "model.safetensors").exists()
    assert (place / "lite0.safetensors").exists()


@pytest.fixture
def own_video(place):
    """my_videos/tour.mp4, a clip of a street, and classes.json."""
    (place / "my_videos").mkdir(exist_ok=True)
    frames = [render_frame("target", 0, 0, tick, (64, 64))[0] for tick in range(14)]
    video = cv2.VideoWriter(str(place / "my_videos" / "tour.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 10, (64, 64))
    for frame in frames:
        video.write(frame[..., ::-1])
    video.release()
    classes = [{"name": "road", "id": 0, "color": [128, 64, 128]}, {"name": "other", "id": 1, "color": [0, 0, 142]}]
    (place / "classes.json").write_text(json.dumps(classes))


@pytest.mark.whole
def test_which_frames_to_label(own_video, follow, place):
    changes = {name: value for name, value in OWN.items() if not name.startswith("model.pose")}
    *_, exported = follow(
        "which_frames_to_label.md",
        {"folder:quick_depth": OWN, "selection:ds_us,size=quick": {**changes, **FEW}},
        {"--export_count=50": "--export_count=3"},
    )
    assert len((place / "runs" / "select" / "labels.txt").read_text().split()) == 3
    assert {folder.name for folder in (place / "runs/select/export").iterdir()} == {"cvat", "label_studio", "folder"}
    assert "export" in exported
