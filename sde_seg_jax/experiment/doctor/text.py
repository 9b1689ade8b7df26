"""What the doctor says: findings of `data.inspect` as short aligned lines, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sde_seg_jax.data.inspecting.inspect import Split
from sde_seg_jax.data.inspecting.measure import Camera

SHOWN_PROBLEMS = 20
SHOWN_CAMERAS = 3
SHOWN_SIZES = 4
SHOWN_CLASSES = 24  # rows of the table of classes, those with the most pixels
INDENT, KEY = " " * 10, 9


def split_lines(split: Split) -> list[str]:
    """One split: a line with the verdict, then what its samples hold; sizes are height x width."""
    measured, problems = split.measured, split.problems
    verdict = "ok" if not problems else "PROBLEM"
    head = f"{split.name:<{len(INDENT)}}{verdict:<{KEY}}{split.count} samples"
    lines = [f"{head}, {len(split.samples)} looked at" if len(split.samples) < split.count else head]
    if not measured:
        return lines
    has = [f"{split.having(field)} of {len(measured)} {words}" for field, words in _fields(split)]
    facts = [*(("frames", count) for count in split.counts), ("have", ", ".join(has))]
    sizes = [f"{h} x {w} in {n}" for (h, w), n in split.sizes.most_common(SHOWN_SIZES)]
    facts.append(("size", f"{', '.join(sizes)}{_more(len(split.sizes) - SHOWN_SIZES)}"))
    key = "camera" if split.judge_cameras else "unused"
    facts += [(key, camera_text(one, n)) for one, n in split.cameras.most_common(SHOWN_CAMERAS)]
    if len(split.cameras) > SHOWN_CAMERAS:
        facts.append(("", f"{len(split.cameras) - SHOWN_CAMERAS} more cameras, {_range_of_angles(split)}"))
    if split.having("label"):
        absent = split.missing_classes
        facts.append(
            ("classes", f"{split.space.num_classes - len(absent)} of {split.space.num_classes}{_absent(absent)}")
        )
    if split.having("neighbors"):
        facts.append(("standing", f"still in {len(split.still)} of {split.having('neighbors')}"))
    if split.depths:
        near, far, share = split.depths
        facts.append(("depth", f"{near:.2f} to {far:.1f} m, in {share:.0%} of the pixels"))
    if split.left_out:
        facts.append(("left out", f"{len(split.left_out)} samples; the first: {split.left_out[0]}"))
    facts += [("note", note) for note in split.notes]
    return [*lines, *(f"{INDENT}{key:<{KEY}}{text}" for key, text in facts)]


def camera_text(camera: Camera, samples: int) -> str:
    """Focal lengths, principal point and field of view of one camera."""
    (height, width), (across, down) = camera.size, camera.angles
    return (
        f"fx {camera.fx:.1f}, fy {camera.fy:.1f}, centre {camera.cx:.1f}, {camera.cy:.1f} px at {height} x {width}: "
        f"field of view {across:.1f} x {down:.1f} degrees, in {samples}"
    )


def class_lines(splits: Sequence[Split]) -> list[str]:
    """The share of every class in the labels of each split, in percent; empty without labels."""
    splits = [split for split in splits if split.pixels.any()]
    if not splits:
        return []
    names = [*splits[0].space.classes, "no label"]
    shares = np.array([split.pixels / split.pixels.sum() for split in splits]).T
    ids = list(range(len(names)))
    if len(ids) > SHOWN_CLASSES:
        ids = sorted(np.argsort(-shares.sum(1), kind="stable")[:SHOWN_CLASSES].tolist())
    wide = max(len("% of the pixels"), *(len(names[i]) for i in ids))
    lines = [f"{'% of the pixels':<{wide}}" + "".join(f"{split.name:>9}" for split in splits)]
    lines += [f"{names[i]:<{wide}}" + "".join(f"{100 * share:>9.2f}" for share in shares[i]) for i in ids]
    left = len(names) - len(ids)
    return [*lines, f"and {left} classes with fewer pixels"] if left else lines


def problem_lines(problems: Sequence[str]) -> list[str]:
    """The first problems, one a line, then how many more there are."""
    lines = [f"PROBLEM   {problem}" for problem in problems[:SHOWN_PROBLEMS]]
    left = len(problems) - SHOWN_PROBLEMS
    return [*lines, f"... and {left} more; --all --report=FILE.json lists every one"] if left > 0 else lines


def verdict(splits: Sequence[Split], problems: Sequence[str]) -> str:
    """How many problems there are and what to do; where whole splits are missing, how to go on without them."""
    healthy = [split.name for split in splits if not split.problems]
    lacking = [split.name for split in splits if not split.count]
    line = f"{len(problems)} {'problem' if len(problems) == 1 else 'problems'}; put right what is named above"
    if healthy and lacking:
        line += f", or do without {', '.join(lacking)} (--splits={','.join(healthy)} checks the rest)"
    return f"{line}, then run this again"


def cache_lines(caches: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Depth caches beside prepared data: whose weights made them."""
    return [
        f"cache     {path}: " + ", ".join(f"{key} {value}" for key, value in content.items() if _short(value))
        for path, content in caches
    ]


def as_json(splits: Sequence[Split]) -> dict[str, Any]:
    """Everything that was found in the splits, as JSON types."""
    return {split.name: _split_json(split) for split in splits}


def _split_json(split: Split) -> dict[str, Any]:
    total = max(1, int(split.pixels.sum()))
    names = [*split.space.classes, "no label"]
    return {
        "samples": split.count,
        "looked_at": len(split.samples),
        "readable": len(split.measured),
        **{field: split.having(field) for field in ("label", "neighbors", "depth", "pose")},
        "sizes": {f"{h}x{w}": n for (h, w), n in split.sizes.items()},
        "cameras": [
            {"fx": c.fx, "fy": c.fy, "cx": c.cx, "cy": c.cy, "size": c.size, "degrees": c.angles, "samples": n}
            for c, n in split.cameras.items()
        ],
        "class_shares": {name: int(n) / total for name, n in zip(names, split.pixels, strict=True)},
        "missing_classes": split.missing_classes,
        "still": split.still,
        "depth": split.depths,
        "left_out": list(split.left_out),
        "notes": list(split.notes),
        "frames": list(split.counts),
        "problems": split.problems,
    }


def _fields(split: Split) -> list[tuple[str, str]]:
    optional = [("depth", "depth"), ("pose", "pose")]
    return [("label", "a label"), ("neighbors", "neighbors"), *(entry for entry in optional if split.having(entry[0]))]


def _range_of_angles(split: Split) -> str:
    across = [camera.angles[0] for camera in split.cameras]
    return f"fields of view {np.nanmin(across):.1f} to {np.nanmax(across):.1f} degrees across"


def _absent(names: Sequence[str]) -> str:
    return f" occur; not {', '.join(names[:8])}{_more(len(names) - 8)}" if names else " occur"


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def _short(value: Any) -> bool:
    return isinstance(value, (str, int, float)) or (isinstance(value, list) and len(value) <= 4)
