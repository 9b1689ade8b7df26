"""One self-contained HTML page about a run or a folder of runs."""

from __future__ import annotations

import pathlib
import platform
from typing import Any

import jax

import sde_seg_jax
from sde_seg_jax.display.summary import RunSummary
from sde_seg_jax.display.training_page import training_page
from sde_seg_jax.experiment.begun import CONFIG, read_json
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.evaluated import OF_TRAINING, PICTURES, RESULT
from sde_seg_jax.experiment.spaces import space_of
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.state_files.pictures import read_picture
from sde_seg_jax.state_files.reading import DamagedFile
from sde_seg_jax.state_files.schemas import CONFIG as CONFIG_SCHEMA
from sde_seg_jax.state_files.schemas import SCORES
from sde_seg_jax.training.log import METRICS, read_metrics

PAGE = "report.html"
PUBLISHED = "whole image, as published"  # of runs that were scored before protocols had names
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
    """Folders of trainings: the workdir itself, or those in it, oldest first. Raises UsageError without any."""
    top = pathlib.Path(workdir).expanduser()
    runs = [top] if (top / CONFIG).is_file() else [path.parent for path in top.glob(f"*/{CONFIG}")]
    runs = [run for run in runs if "select" not in read_json(run / CONFIG, CONFIG_SCHEMA)]  # it has a page of its own
    if not runs:
        raise UsageError(f"no run in {top}: give a --workdir that cli.train or cli.pipeline has written to")
    return sorted(runs, key=lambda path: (path / CONFIG).stat().st_mtime)


def summarize(folder: pathlib.Path) -> RunSummary:
    """One run's files as the report shows them; a damaged picture is left out with a sentence about it.

    Raises ValueError that names any other file that is damaged.
    """
    config = read_json(folder / CONFIG, CONFIG_SCHEMA)
    lines = read_metrics(str(folder))
    result = folder / RESULT
    segmentation = config["task"]["name"] != "depth"
    pictures, left_out = _pictures(folder)
    return RunSummary(
        name=folder.name,
        metrics=folder / METRICS,
        config=config,
        final=read_json(result, SCORES) if result.is_file() else None,
        pictures=pictures,
        left_out=left_out,
        role=ROLES.get(config["task"]["name"], ""),
        seed=config["seed"],
        labels=(config["data"]["labels"] or None) if segmentation else 0,
        seconds=lines[-1].get("seconds") if lines else None,
    )


def _pictures(folder: pathlib.Path) -> tuple[list[tuple[str, Any]], list[str]]:
    """(caption, picture) of those that can be read, and why the others cannot."""
    found, left_out = [], []
    for path in sorted((folder / PICTURES).glob("*.png")):
        remedy = f"cli.evaluate --checkpoint={folder} draws it again"
        if path.stem.startswith(OF_TRAINING):
            remedy = "it is drawn again when the run goes on"
        try:
            found.append((CAPTIONS.get(path.stem, path.stem), read_picture(path, remedy)))
        except (DamagedFile, OSError) as error:
            left_out.append(f"left out: {error}")
    return found, left_out


def _space(run: RunSummary, folder: pathlib.Path) -> LabelSpace:
    try:
        return space_of(run.config) or LabelSpace(run.config["data"]["dataset"], (), ())
    except ValueError as error:
        raise UsageError(f"{folder / CONFIG} cannot be used ({error}): correct it, or delete that folder") from error


def write_report(workdir: str, title: str = "", summary: dict[str, Any] | None = None) -> pathlib.Path:
    """Writes report.html into the workdir and returns its path. Raises ValueError, OSError that name a file."""
    folders = find_runs(workdir)
    runs = [summarize(folder) for folder in folders]
    facts = {
        "sde_seg_jax": sde_seg_jax.__version__,
        "jax": jax.__version__,
        "devices": ", ".join(str(device) for device in jax.devices()),
        "machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}",
        "seeds": ", ".join(sorted({str(r.seed) for r in runs})),
        "protocol of scores": "; ".join(sorted({(r.final or {}).get("protocol", PUBLISHED) for r in runs})),
        **(summary or {}),
    }
    return training_page(
        pathlib.Path(workdir).expanduser() / PAGE,
        runs,
        title=title or pathlib.Path(workdir).expanduser().resolve().name,
        intro="Depth learnt from video alone, and what it does for segmentation with few labels.",
        space=_space(runs[0], folders[0]),
        summary=facts,
    )
