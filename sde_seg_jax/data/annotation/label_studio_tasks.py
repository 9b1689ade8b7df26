"""A project for Label Studio: its images, tasks, labeling interface, and how to bring them into it."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from PIL import Image

from sde_seg_jax.data.annotation import brush_rle
from sde_seg_jax.data.annotation.frames import Frame
from sde_seg_jax.data.annotation.label_studio_keys import FOLDER, IMAGE, KEY, address
from sde_seg_jax.label_spaces import LabelSpace

TASKS, CONFIG, README = "tasks.json", "labeling_config.xml", "README.txt"
CONTROL, MODEL = "label", "suggestion"  # the brush in the labeling interface, and who made the predictions
SUFFIX, QUALITY = ".jpg", 95  # of the images: to be looked at
LIMIT = 200 << 20  # bytes of a file of tasks; Label Studio takes 250 MiB at once
STEPS = """\
{title}: {count} frames to label in Label Studio

1. Let it serve this folder. Set these two before you start it, the second to the full path of this folder:
     export LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true
     export LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=/full/path/of/this/folder
     label-studio start
2. Create a project. Settings > Labeling Interface > Code: replace what is there by labeling_config.xml. Keep the names
   of the classes: they bring the labels back.
3. Settings > Cloud Storage > Add Source Storage > Local files, path /full/path/of/this/folder/images. Save it, but do
   not sync: that would make a task without suggestion of each image.
4. Import {tasks}. Where a model suggests something, frames show it (Settings > Annotation > Use predictions to prelabel
   tasks): correct it. Suggestions are no labels before you submit them.
5. Label with the brush; what is painted later lies over what was there. Leave out what you cannot tell: pixels without
   a label are ignored in training. Submit.
6. When done: Export > JSON. Put that file into the folder labels/ of your images, beside other labels,
   and prepare the data again.
"""


def write(folder: pathlib.Path, frames: Iterable[Frame], space: LabelSpace, title: str) -> list[pathlib.Path]:
    """Writes what a person needs for a project in Label Studio; returns the files, and the folder of the images.

    `images/<key>.jpg`, `tasks.json` (a long one continues in `tasks-2.json` and so on) with suggestions as brush masks
    of each class, `labeling_config.xml`, and `README.txt` with the steps. Frames are taken one by one; none is kept.

    Raises:
      ValueError: there are no frames, or a suggestion does not fit its frame or the classes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("tasks*.json"):  # of another export
        old.unlink()
    files, count = _write_tasks(folder, _tasks(folder, frames, space))
    if not count:
        raise ValueError(f"no frames to export to '{folder}'; select some first")
    (folder / CONFIG).write_text(_config(space), encoding="utf-8")
    text = STEPS.format(title=title, count=count, tasks=" and ".join(path.name for path in files))
    (folder / README).write_text(text, encoding="utf-8")
    return [folder / README, *files, folder / CONFIG, folder / FOLDER]


def _write_tasks(folder: pathlib.Path, tasks: Iterator[str]) -> tuple[list[pathlib.Path], int]:
    """Writes tasks into JSON lists of up to LIMIT bytes; returns the files and the number of tasks."""
    files, count = [], 0
    task = next(tasks, None)
    while task is not None:
        files.append(folder / (f"tasks-{len(files) + 1}.json" if files else TASKS))
        with open(files[-1], "w", encoding="utf-8") as file:
            file.write(f"[\n{task}")
            count += 1
            for task in tasks:
                if file.tell() + len(task) > LIMIT:
                    break  # it begins the next file
                file.write(f",\n{task}")
                count += 1
            else:
                task = None
            file.write("\n]\n")
    return files, count


def _tasks(folder: pathlib.Path, frames: Iterable[Frame], space: LabelSpace) -> Iterator[str]:
    """The tasks in JSON (ASCII), one by one; saves their images."""
    for frame in frames:
        path = f"{FOLDER}{frame.key}{SUFFIX}"
        yield json.dumps(_task(frame, path, space), separators=(",", ":"))
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(frame.image).save(folder / path, "JPEG", quality=QUALITY, subsampling=0)


def _task(frame: Frame, path: str, space: LabelSpace) -> dict[str, Any]:
    """A task of Label Studio's import, with the suggestion as a prediction."""
    task: dict[str, Any] = {"data": {IMAGE: address(path), KEY: frame.key, "note": frame.note}}
    if frame.suggestion is not None:
        task["predictions"] = [{"model_version": MODEL, "result": _results(frame, space)}]
    return task


def _results(frame: Frame, space: LabelSpace) -> list[dict[str, Any]]:
    """The suggestion as a brush mask for each class in it."""
    ids, (height, width) = np.asarray(frame.suggestion), frame.image.shape[:2]
    if ids.shape != (height, width):
        raise ValueError(f"frame '{frame.key}' has {(height, width)} pixels, its suggestion {ids.shape}")
    numbers = [number for number in np.unique(ids).tolist() if number != space.ignore]
    if numbers and numbers[-1] >= space.num_classes:
        raise ValueError(
            f"the suggestion for '{frame.key}' has the id {numbers[-1]}; expected 0 to {space.num_classes - 1}"
        )
    return [
        {
            "id": f"suggestion-{number}",
            "type": "brushlabels",
            "from_name": CONTROL,
            "to_name": IMAGE,
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {"format": "rle", "rle": brush_rle.encode(ids == number), "brushlabels": [space.classes[number]]},
        }
        for number in numbers
    ]


def _config(space: LabelSpace) -> str:
    """The labeling interface: the image, and a brush with all classes."""
    labels = "".join(
        f'    <Label value={quoteattr(name)} background="#{bytes(color).hex()}"/>\n'
        for name, color in zip(space.classes, space.colors, strict=True)
    )
    return (
        f'<View>\n  <Image name="{IMAGE}" value="${IMAGE}" zoom="true"/>\n'
        f'  <BrushLabels name="{CONTROL}" toName="{IMAGE}">\n{labels}  </BrushLabels>\n</View>\n'
    )
