"""Pages of the guide from top to bottom that need rendered street scenes only."""

import importlib.util
import re
import threading
import urllib.error
import urllib.request
from http.server import HTTPServer

import numpy as np
import pytest
from pages_of_the_guide import GUIDE, PRETRAINED, TOY, code
from PIL import Image

pytestmark = pytest.mark.slow
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
            "quickstart:baseline": PRETRAINED,
            "my_dinov2.py": {**TOY, **VIT},
        },
    )
    (shown,) = re.findall(r"copied +([1-9][\d,]+)", (GUIDE / "weights_and_backbones.md").read_text(encoding="utf-8"))
    assert re.search(rf"encoder +encoder from imagenet +copied +{shown} +fresh +0", lite0)
    assert dinov2
    assert "mIoU" in scored
    assert (place / "shared" / "streets" / "model.safetensors").exists()
    assert (place / "lite0.safetensors").exists()
