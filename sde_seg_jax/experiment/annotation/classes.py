"""Which classes a person is asked to label, and the `classes.json` that says so."""

from __future__ import annotations

import dataclasses
import itertools
import json
import pathlib

from ml_collections import config_dict

from sde_seg_jax.data.annotation import palette
from sde_seg_jax.data.datasets import folder
from sde_seg_jax.experiment.build import Trained
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.spaces import space_of
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.text_files import read_text

EXAMPLE = '[{"name": "road", "color": [128, 64, 128]}, {"name": "car", "color": [0, 0, 142]}]'
NOBODY = ("void", "ignore", "unlabeled", "nothing")  # names of the pixels without a class, by preference
BLACK = (0, 0, 0)


@dataclasses.dataclass(frozen=True)
class ClassList:
    """The classes of a labelling task.

    Attributes:
      space: the classes, in the order of the training ids.
      text: what `classes.json` says: the file that there is, or one with training ids.
    """

    space: LabelSpace
    text: str


def class_list(config: config_dict.ConfigDict, model: Trained | None = None, path: str = "") -> ClassList:
    """The classes to label: those of the file `path`, else of the data's own classes.json, data set, or model.

    Raises:
      UsageError: there are none, or the data's or the model's are others.
    """
    own = pathlib.Path(config.data.raw_dir) / folder.CLASSES
    own = own if config.data.dataset == folder.SPEC.name and config.data.raw_dir and own.is_file() else None
    if path or own:
        found = _read(own or path)
        if path and own and _read(path).space != found.space:
            raise UsageError(f"--classes={path} differs from '{own}', which labels follow already; leave --classes out")
    else:
        space = space_of(config)
        if (space is None or not space.num_classes) and model is not None:
            space = space_of(model.config)
        if space is None or not space.num_classes:
            raise UsageError(
                f"nothing says which classes to label in '{config.data.dataset}'; write a file like {EXAMPLE} and give "
                f"it as --classes=FILE"
            )
        found = ClassList(space, classes_text(space))
    if model is not None:
        _check_model(model, found.space)
    return found


def _read(path: str | pathlib.Path) -> ClassList:
    return ClassList(palette.read_classes(str(path)).space, read_text(path))


def classes_text(space: LabelSpace) -> str:
    """A `classes.json` with a line a class; where two have one color only the first gets it, as its reader demands."""
    nobody = next(name for name in NOBODY if name not in space.classes)
    entries, used = [], set()
    for number, (name, color) in enumerate(zip(space.classes, space.colors, strict=True)):
        entries.append({"name": name, "id": number} | ({} if color in used else {"color": list(color)}))
        used.add(color)
    black = {} if BLACK in used else {"color": list(BLACK)}
    entries.append({"name": nobody, "id": space.ignore, **black, "ignore": True})
    return "[\n" + ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries) + "\n]\n"


def _check_model(model: Trained, space: LabelSpace) -> None:
    theirs = space_of(model.config)
    if theirs is None or theirs.classes != space.classes:
        found = theirs.classes if theirs else ()
        pairs = itertools.zip_longest(space.classes, found, fillvalue="nothing")
        number, (wanted, other) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
        raise UsageError(
            f"--model predicts other classes than are to be labeled: class {number} is {other!r}, not {wanted!r}; "
            f"give a model of these classes, or none"
        )
