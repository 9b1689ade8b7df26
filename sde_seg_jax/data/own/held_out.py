"""Which of a person's own frames are for validation: whole clips, or a block of each, so that neighbors do not leak."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence

from sde_seg_jax.data.own.clips import Clip
from sde_seg_jax.text_files import nfc

SNIPPET = re.compile(r"(?P<sequence>.+_\d+)_\d+_leftImg8bit")  # aachen_000000_000019_leftImg8bit

Chosen = tuple[int, tuple[int, ...]]  # index of a frame, indices of its neighbors


@dataclasses.dataclass(frozen=True)
class Part:
    """What is held out.

    Attributes:
      blocks: clip name -> first and last index of the frames that are not for training.
      scored: clip name -> indices of the frames that are for validation.
    """

    blocks: Mapping[str, tuple[int, int]]
    scored: Mapping[str, frozenset[int]]

    def trains(self, clip: str, index: int) -> bool:
        """Is this frame for training?"""
        first, last = self.blocks.get(clip, (0, -1))
        return not first <= index <= last

    def validates(self, clip: str, index: int) -> bool:
        """Is this frame for validation?"""
        return index in self.scored.get(clip, ())


def hold_out(
    clips: Sequence[Clip], labels: Mapping[str, Mapping[int, str]], val_clips: Sequence[str], val_fraction: float
) -> Part:
    """Holds out the labeled frames (all kept ones if none is labeled) of the clips `val_clips`, or a fraction of all.

    A fraction is the last of every clip; a block reaches half-way to the frames on either side of it, so that
    unlabeled frames beside it do not train. Clips with few frames share: of ten with one label each, one is held out.
    A fraction of 1 is everything: nothing trains, a trained network is scored.

    Raises:
      ValueError: a clip is unknown, the fraction is none, or nothing is held out, or there is nothing left to train on.
    """
    candidates = {clip.name: sorted(labels.get(clip.name, ()) if labels else clip.kept) for clip in clips}
    total = sum(map(len, candidates.values()))
    kind = "labeled frames" if labels else "frames"
    if val_clips:
        named = {nfc(name): name for name in candidates}
        val_clips = [named.get(nfc(name), name) for name in val_clips]
        unknown = [name for name in val_clips if name not in candidates]
        if unknown:
            raise ValueError(f"dataset.val_clips names {unknown[0]!r}; the clips are {', '.join(candidates)}")
        blocks = {clip.name: (0, len(clip.frames) - 1) for clip in clips if clip.name in val_clips}
        scored = {name: frozenset(candidates[name]) for name in blocks}
        if not any(scored.values()):
            raise ValueError(f"the clips {', '.join(val_clips)} of dataset.val_clips have no {kind}; name others")
        return Part(blocks, scored)
    if not 0 < val_fraction <= 1:
        raise ValueError(f"dataset.val_fraction is {val_fraction}; expected a share above 0, at most 1")
    if val_fraction == 1:
        blocks = {clip.name: (0, len(clip.frames) - 1) for clip in clips}
        return Part(blocks, {name: frozenset(here) for name, here in candidates.items()})
    if total < 2:
        raise ValueError(
            f"there are {total} {kind}, but training and validation need one each; add some or lower dataset.min_motion"
        )
    blocks, scored, wanted = {}, {}, min(max(1, round(total * val_fraction)), total - 1)
    seen = taken = 0
    for clip in clips:
        here = candidates[clip.name]
        seen += len(here)
        count = math.floor(wanted * seen / total) - taken  # so that the shares of all clips add up to `wanted`
        taken += count
        if count:
            blocks[clip.name] = _block(here, count, len(clip.frames))
            scored[clip.name] = frozenset(here[-count:])
    return Part(blocks, scored)


def in_split(split: str, clip: Clip, labels: Mapping[int, str], part: Part) -> list[Chosen]:
    """The frames of a clip in "train" or "val", of those that are kept and those with a label; without neighbors."""
    belongs = part.trains if split == "train" else part.validates
    return [(index, ()) for index in sorted({*clip.kept, *labels}) if belongs(clip.name, index)]


def in_video(clip: Clip, part: Part, max_step: int, trains: bool = True) -> list[Chosen]:
    """The frames of a clip that train and whose neighbors do, too; or of which all three are held out.

    Neighbors are the adjacent kept frames, if they are at most `max_step` frames away (0: at any distance).
    """
    found = []
    for before, index, after in zip(clip.kept, clip.kept[1:], clip.kept[2:], strict=False):
        near = not max_step or max(index - before, after - index) <= max_step
        near = near and len({_sequence(clip.names[i]) for i in (before, index, after)}) == 1
        if near and all(part.trains(clip.name, i) == trains for i in (before, index, after)):
            found.append((index, (before, after)))
    return found


def counted(
    split: str, clips: Sequence[Clip], labels: Mapping[str, Mapping[int, str]], part: Part, samples: int
) -> str:
    """How many of all frames are the samples of a split, and why the others are not: a line for people."""
    frames, labeled = sum(len(clip.frames) for clip in clips), sum(map(len, labels.values()))
    if split == "val":
        scored = sum(map(len, part.scored.values()))
        return f"{scored} of {labeled or frames} {'labeled ' if labeled else ''}frames, held out of training"
    if split == "train":
        usable = [(clip.name, i) for clip in clips for i in {*clip.kept, *labels.get(clip.name, ())}]
    else:
        usable = [(clip.name, i) for clip in clips for i in clip.kept]
    held = sum(not part.trains(*one) for one in usable)
    lonely = len(usable) - held - samples
    reasons = (
        (frames - len(usable), "moved too little or were skipped (dataset.min_motion, dataset.frame_step)"),
        (held, "are held out for validation, or lie between those"),
        (lonely, "lack a neighbor that trains"),
    )
    why = "; ".join(f"{count} {reason}" for count, reason in reasons if count)
    return f"{samples} of {frames} frames" + (f": {why}" if why else "")


def _sequence(name: str) -> str:
    """Of a frame with a name of Cityscapes, city and snippet: a folder holds many; of any other name ""."""
    match = SNIPPET.fullmatch(name)
    return match["sequence"] if match else ""


def _block(candidates: Sequence[int], count: int, frames: int) -> tuple[int, int]:
    """First and last index of the block around the last `count` candidates."""
    if count == len(candidates):
        return 0, frames - 1
    first, last = candidates[-count], candidates[-1]
    reach = (first - candidates[-count - 1]) // 2
    return first - reach, min(last + reach, frames - 1)
