"""What a check found, to be seen: lines without the verdict, a contact sheet, and a JSON file."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from sde_seg_jax.data.inspecting.inspect import Split
from sde_seg_jax.data.inspecting.inspect_prepared import Prepared
from sde_seg_jax.data.stored.remote import is_remote
from sde_seg_jax.display.contact_sheet import Section, contact_sheet
from sde_seg_jax.experiment.doctor import text
from sde_seg_jax.experiment.doctor.check import Target, problems_of
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.training.log import write_text


def describe(target: Target, found: Prepared) -> list[str]:
    """Everything but the verdict, as lines."""
    where = f"raw files in '{target.raw_dir}'" if target.raw_dir else "rendered samples, there are no raw files"
    lines = [
        f"{target.dataset}: "
        + (f"prepared in '{found.folder or target.prepared_dir}'" if target.prepared_dir else where)
    ]
    if found.facts:
        facts = {key: value for key, value in found.facts.items() if key not in ("schema", "splits") and value != {}}
        lines.append("          " + ", ".join(f"{key} {value}" for key, value in facts.items()))
    for split in found.splits:
        lines += ["", *text.split_lines(split)]
    shares = text.class_lines(found.splits)
    caches = text.cache_lines(found.caches)
    warned = [f"warning   at preparation: {warning}" for warning in found.warnings]
    return [
        *lines,
        *(["", *warned] if warned else []),
        *(["", *shares] if shares else []),
        *(["", *caches] if caches else []),
    ]


def draw(target: Target, found: Prepared, output: str) -> pathlib.Path | None:
    """Writes the contact sheet; None if there is no split to draw."""
    if not found.splits:
        return None
    path = pathlib.Path(output).expanduser() if output else _default_output(target)
    kind = "prepared" if target.prepared_dir else "raw files" if target.raw_dir else "rendered"
    sections = [Section(_heading(split), not split.problems, found.pictures[split.name]) for split in found.splits]
    space = found.splits[0].space
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = contact_sheet(f"{target.dataset}, {kind}", sections, space, _shares(found.splits, space))
    Image.fromarray(sheet).save(path, format="PNG")
    return path


def _default_output(target: Target) -> pathlib.Path:
    folder = "" if is_remote(target.prepared_dir) else target.prepared_dir
    return pathlib.Path(folder).expanduser() / f"doctor_{target.dataset}.png"


def _heading(split: Split) -> str:
    sizes = [f"{height} x {width}" for height, width in split.sizes]
    size = sizes[0] if len(sizes) == 1 else f"{len(sizes)} sizes"
    problems = f", {len(split.problems)} problems" if split.problems else ""
    return f"{split.name}: {split.count} samples, {size}{problems}"


def _shares(splits: Sequence[Split], space: LabelSpace) -> dict[int, float]:
    pixels = sum((split.pixels for split in splits), np.zeros(space.num_classes + 1, int))
    ids = [*range(space.num_classes), space.ignore]
    return {i: float(n / pixels.sum()) for i, n in zip(ids, pixels, strict=True)} if pixels.any() else {}


def write_findings(target: Target, found: Prepared, file: str) -> None:
    """Writes everything that was found as JSON."""
    facts = {"dataset": target.dataset, "facts": dict(found.facts), "caches": dict(found.caches)}
    content = {**facts, "problems": problems_of(found), "splits": text.as_json(found.splits)}
    write_text(pathlib.Path(file), json.dumps(content, indent=1) + "\n")
