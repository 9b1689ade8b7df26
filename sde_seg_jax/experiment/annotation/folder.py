"""One export for one labelling tool: a folder that is whole or not there.

It holds what the tool reads, classes.json, manifest.json (what was exported) and README.txt (the way back).
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sde_seg_jax.data.annotation import tools
from sde_seg_jax.data.annotation.frames import Frame
from sde_seg_jax.data.inspecting.originals import Original
from sde_seg_jax.experiment.annotation import text
from sde_seg_jax.experiment.annotation.classes import ClassList
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.prediction.model import Model
from sde_seg_jax.reporter import SILENT, Reporter

MANIFEST, CLASSES, README = "manifest.json", "classes.json", "README.txt"
UNFINISHED = ".incomplete"  # ends the name of a folder that is being written


@dataclasses.dataclass(frozen=True)
class Task:
    """What is exported with every frame.

    Attributes:
      classes: to be labeled.
      model: draws first labels; None: nothing does.
      step: of its checkpoint.
    """

    classes: ClassList
    model: Model | None
    step: int | None


def is_finished(folder: pathlib.Path, facts: Mapping[str, Any]) -> bool:
    """Is there the same export already? Raises UsageError for anything else that is there."""
    if not folder.exists():
        return False
    try:
        there = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        for entry in there["frames"]:
            del entry["size"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"'{folder}' is no export; give another --output=DIR") from None
    if there != facts:
        raise UsageError(f"'{folder}' is another export; give another --output=DIR, or delete it")
    return True


def write(
    folder: pathlib.Path,
    name: str,
    task: Task,
    frames: Mapping[str, Original],
    facts: Mapping[str, Any],
    reporter: Reporter = SILENT,
) -> None:
    """Writes `folder` for tool `name`, under another name until it is whole; `facts` are those of the manifest."""
    partial = folder.with_name(folder.name + UNFINISHED)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    sizes: list[list[int]] = []
    bar = reporter.bar(facts["frames"], desc=f"export {name}", unit="img")
    tools.tool(name).write(partial, _read(bar, frames, task.model, sizes), task.classes.space, text.title(facts))
    root = partial / name if (partial / name).is_dir() else partial
    described = [{**entry, "size": size} for entry, size in zip(facts["frames"], sizes, strict=True)]
    manifest = json.dumps({**facts, "frames": described}, indent=1, ensure_ascii=False)
    told = (root / README).read_text(encoding="utf-8") if (root / README).is_file() else text.title(facts)
    (root / README).write_text(f"{told.rstrip()}\n\n{text.way_back(name, facts)}", encoding="utf-8")
    (root / MANIFEST).write_text(manifest + "\n", encoding="utf-8")
    if not (root / CLASSES).exists():  # label PNGs have ids, which the file beside them explains
        (root / CLASSES).write_text(task.classes.text, encoding="utf-8")
    root.rename(folder)
    shutil.rmtree(partial, ignore_errors=True)


def _read(
    chosen: Iterable[Mapping[str, Any]],
    frames: Mapping[str, Original],
    model: Model | None,
    sizes: list[list[int]],
) -> Iterator[Frame]:
    """The frames, one after the other; notes their sizes, (height, width)."""
    for entry in chosen:
        image = frames[entry["name"]].read()
        sizes.append([int(side) for side in image.shape[:2]])
        yield Frame(entry["key"], image, None if model is None else model.predict(image).classes, entry["note"])
