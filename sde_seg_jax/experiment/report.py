"""One self-contained HTML page about a run or a folder of runs."""

from __future__ import annotations

import pathlib
import platform
from typing import Any

import jax

import sde_seg_jax
from sde_seg_jax.display.training_page import training_page
from sde_seg_jax.experiment.begun import CONFIG, read_json, steps_done
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.evaluate import draw_examples
from sde_seg_jax.experiment.evaluated import OF_TRAINING, PICTURES, RESULT
from sde_seg_jax.experiment.run_summary import summarize
from sde_seg_jax.reporter import SILENT, Reporter
from sde_seg_jax.state_files.schemas import CONFIG as CONFIG_SCHEMA

PAGE = "report.html"
PUBLISHED = "whole image, as published"  # of runs that were scored before protocols had names


def find_runs(workdir: str) -> list[pathlib.Path]:
    """Folders of trainings: the workdir itself, or those in it, oldest first. Raises UsageError without any."""
    top = pathlib.Path(workdir).expanduser()
    runs = [top] if (top / CONFIG).is_file() else [path.parent for path in top.glob(f"*/{CONFIG}")]
    runs = [run for run in runs if "select" not in read_json(run / CONFIG, CONFIG_SCHEMA)]  # it has a page of its own
    if not runs:
        raise UsageError(f"no run in {top}: give a --workdir that cli.train or cli.pipeline has written to")
    return sorted(runs, key=lambda path: (path / CONFIG).stat().st_mtime)


def draw_missing(folder: pathlib.Path, reporter: Reporter) -> None:
    """Validation pictures of a run that was never evaluated, from its newest checkpoint; what hinders is told."""
    drawn = [path for path in (folder / PICTURES).glob("*.png") if not path.stem.startswith(OF_TRAINING)]
    if drawn or (folder / RESULT).is_file() or not steps_done(folder):
        return
    try:
        draw_examples(str(folder), reporter)
    except (ValueError, OSError) as error:
        reporter.tell(f"no pictures of {folder.name}: {error}")


def write_report(
    workdir: str, title: str = "", summary: dict[str, Any] | None = None, reporter: Reporter = SILENT
) -> pathlib.Path:
    """Writes report.html into the workdir and returns its path. Raises ValueError, OSError that name a file."""
    folders = find_runs(workdir)
    for folder in folders:
        draw_missing(folder, reporter)
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
        space=next((run.space for run in runs if run.space.num_classes), runs[0].space),
        summary=facts,
    )
