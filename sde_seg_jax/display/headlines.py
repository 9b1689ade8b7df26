"""The cards at the top of a report: did depth learn, did unlabeled video help, with how many labels, in what time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sde_seg_jax.display import summary as of
from sde_seg_jax.display import tables
from sde_seg_jax.display.page import Card
from sde_seg_jax.display.summary import Groups


def headlines(groups: Groups) -> list[Card]:
    """The four cards: depth against a constant, segmentation against the baseline, labels, time."""
    runs = runs_of(groups)
    each = ", ".join(f"{name}: {tables.duration(of.total_seconds(seeds))}" for name, seeds in groups.items())
    return [
        _depth_card(groups),
        _segmentation_card(groups),
        _labels_card(runs),
        Card("Time taken", tables.duration(of.total_seconds(runs)), note=each),
    ]


def _value_and_unit(score: of.Score, format: Callable[[Any], str]) -> tuple[str, str]:
    """The mean in large print, its spread in small print."""
    text, _, rest = format(score).partition(" ±")
    return (text, f"±{rest}") if rest else (text, "")


def _depth_card(groups: Groups) -> Card:
    title = "Depth error (AbsRel)"
    evaluated = (seeds for seeds in groups.values() if of.score(seeds, "abs_rel") is not None)
    seeds = of.of_role(groups, "depth") or next(evaluated, ())
    error, constant = of.score(seeds, "abs_rel"), of.constant_error(seeds)
    value, unit = _value_and_unit(error, tables.number)
    if error is None and (judged := [run for run in runs_of(groups) if run.verdict]):
        return _video_card(judged[0])
    if of.mean(error) is None:
        return Card(title, value, unit, status="neutral" if error is None else "bad")
    if not isinstance(constant, float):
        return Card(title, value, unit, note=f"best constant depth: {constant or tables.NOT_RUN}")
    note = f"best constant depth: {tables.number(constant)}"
    below = 1 - of.mean(error) / constant if constant else 0.0  # a depth without error is not beaten
    if below > 0:
        return Card(title, value, unit, f"{below:.0%} below a constant depth", note, "good")
    return Card(title, value, unit, "no better than a constant depth", note, "bad")


def _video_card(run: of.RunSummary) -> Card:
    """Without true depth: the share of held-out frames that depth explains."""
    share = of.score([run], "video/explained")
    return Card(
        "Depth explains the video, %", tables.percent(share, 0), "of held-out frames", run.verdict, run.name,
        run.verdict_status,
    )  # fmt: skip


def _labels_card(runs: Sequence[of.RunSummary]) -> Card:
    """How many labels the runs read that read any; several numbers are a range."""
    title, reading = "Labeled images used", [run for run in runs if run.labels]
    if not reading:
        known = [run.labels for run in runs if run.labels is not None]
        return Card(title, tables.integer(known[0]) if known else tables.NOT_RUN)
    least, most = (choose(reading, key=lambda run: run.labels) for choose in (min, max))
    value = tables.integer(most.labels)
    if least.labels != most.labels:
        value = f"{tables.integer(least.labels)} to {value}"
    share = f"of {most.images:,} training images ({most.labels / most.images:.1%})" if most.images else ""
    return Card(title, value, note=share)


def runs_of(groups: Groups) -> list[of.RunSummary]:
    """All seeds of all models."""
    return [run for seeds in groups.values() for run in seeds]


def _segmentation_card(groups: Groups) -> Card:
    ours, baseline = (of.score(of.of_role(groups, role), "miou") for role in ("ours", "baseline"))
    (value, unit), note = _value_and_unit(ours, tables.percent), f"baseline: {tables.percent(baseline)}"
    title = "Segmentation (mIoU, %)"
    if ours is None and baseline is None:  # of other tasks
        scored = {name: score for name, seeds in groups.items() if (score := of.score(seeds, "miou")) is not None}
        if scored:
            name = max(scored, key=lambda name: of.mean(scored[name]) or 0.0)
            return Card(title, *_value_and_unit(scored[name], tables.percent), note=name)
    if ours is None and baseline is not None:
        return Card(title, *_value_and_unit(baseline, tables.percent), note="the baseline alone; nothing beside it yet")
    if of.mean(ours) is None or of.mean(baseline) is None:
        return Card(title, value, unit, note=note)
    gain = of.mean(ours) - of.mean(baseline)
    verdict = f"{tables.points(gain)} points against the baseline"
    stds = [score.std for score in (ours, baseline) if isinstance(score, tables.Spread)]
    if stds and abs(gain) <= max(stds):
        return Card(title, value, unit, f"{verdict}, within the spread of seeds", note, "unclear")
    return Card(title, value, unit, verdict, note, "good" if gain > 0 else "bad")
