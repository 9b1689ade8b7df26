"""One self-contained HTML page about a run or a folder of runs."""

from __future__ import annotations

import json
import pathlib
import platform
from typing import Any

import jax
import numpy as np

import sde_seg_jax
from sde_seg_jax.display.summary import RunSummary
from sde_seg_jax.display.training_page import training_page
from sde_seg_jax.experiment.begun import CONFIG
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.evaluate import RESULT
from sde_seg_jax.experiment.spaces import space_of
from sde_seg_jax.experiment.train import PICTURES
from sde_seg_jax.image_files import open_image
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.training.log import METRICS, read_metrics

PAGE = "report.html"
ROLES = {"depth": "depth", "supervised": "baseline", "semi_supervised": "ours", "domain_adaptation": "ours"}
CAPTIONS = {
    "segmentation": "Validation images, ground truth and prediction",
    "depth": "Validation images, learnt disparity (near is bright) and true inverse depth",
    "training_depth": "The last training batch: disparity, warped neighbors, and where the warp counts (white)",
    "training_mixing": "The last training batch: each image is pasted on the next where the mask is white",
    "training_cross_mixing": "The last training batch: each source image is pasted on a target image, mask white",
    "training_matching": "Target crops, the source crops that were chosen for them, and random ones (near is bright)",
    "training_prediction": "The last training batch: ground truth and prediction",
}


def find_runs(workdir: str) -> list[pathlib.Path]:
    """Folders with a config.json: the workdir itself, or those in it, oldest first. Raises UsageError without any."""
    top = pathlib.Path(workdir).expanduser()
    runs = [top] if (top / CONFIG).is_file() else [path.parent for path in top.glob(f"*/{CONFIG}")]
    if not runs:
        raise UsageError(f"no run in {top}: give a --workdir that cli.train or cli.pipeline has written to")
    return sorted(runs, key=lambda path: (path / CONFIG).stat().st_mtime)


def summarize(folder: pathlib.Path) -> RunSummary:
    """One run's files as the report shows them."""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    lines = read_metrics(str(folder))
    result = folder / RESULT
    segmentation = config["task"]["name"] != "depth"
    return RunSummary(
        name=folder.name,
        metrics=folder / METRICS,
        config=config,
        final=json.loads(result.read_text(encoding="utf-8")) if result.is_file() else None,
        pictures=[
            (CAPTIONS.get(path.stem, path.stem), np.asarray(open_image(path).convert("RGB")))
            for path in sorted((folder / PICTURES).glob("*.png"))
        ],
        role=ROLES.get(config["task"]["name"], ""),
        seed=config["seed"],
        labels=(config["data"]["labels"] or None) if segmentation else 0,
        seconds=lines[-1]["seconds"] if lines else None,
    )


def write_report(workdir: str, title: str = "", summary: dict[str, Any] | None = None) -> pathlib.Path:
    """Writes report.html into the workdir and returns its path."""
    runs = [summarize(folder) for folder in find_runs(workdir)]
    facts = {
        "sde_seg_jax": sde_seg_jax.__version__,
        "jax": jax.__version__,
        "devices": ", ".join(str(device) for device in jax.devices()),
        "machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}",
        "seeds": ", ".join(sorted({str(r.seed) for r in runs})),
        **(summary or {}),
    }
    return training_page(
        pathlib.Path(workdir).expanduser() / PAGE,
        runs,
        title=title or pathlib.Path(workdir).expanduser().resolve().name,
        intro="Depth learnt from video alone, and what it does for segmentation with few labels.",
        space=space_of(runs[0].config) or LabelSpace(runs[0].config["data"]["dataset"], (), ()),
        summary=facts,
    )
