"""A page on which a person sees why each frame was chosen: numbers, pictures, and what the labels bring."""

from __future__ import annotations

import collections
import itertools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from sde_seg_jax.display.budget import Budget, advice, budget_figure
from sde_seg_jax.display.page import Card, Cards, Figure, Section, Text, write_page
from sde_seg_jax.display.selection_choice import (
    CRITERIA,
    NONE,
    NUMBERS,
    STARTED,
    Choice,
    Jumps,
    Strips,
    criterion_name,
    digits,
    label_range,
)

__all__ = ["Choice", "write_selection_page"]

COLORS = "In the pictures near is bright, teacher and student have the same colors, and bright errors are large."
MISSING = (
    f"{NONE} stands where there is no such number: a random frame has no score, the very first frame no distance, and "
    "before the first labels there is no student and so no error."
)


def write_selection_page(
    path: str | pathlib.Path,
    *,
    title: str,
    intro: str,
    choices: Sequence[Choice],
    budget: Budget | None = None,
    summary: Mapping[str, Any] | None = None,
) -> pathlib.Path:
    """Writes the page and returns its path: headlines, budget, then every choice by label step.

    The strips stay files beside the page, loaded when scrolled to, so that a thousand of them do no harm.

    Args:
      path: the HTML file.
      intro: one or two sentences under the title.
      choices: in order of their rank; neighbors with the same `step` stand under one heading.
      budget: None leaves its section out.
      summary: facts for the end of the page: teacher, data, seed, config.

    Raises:
      ValueError: a picture's path is absolute.
    """
    path = pathlib.Path(path)
    groups = [list(group) for _, group in itertools.groupby(choices, key=lambda choice: choice.step)]
    sections = [Section("", [Cards(_headlines(choices, budget))])]
    if budget is not None:
        sections.append(_budget_section(budget))
    shown = [name for name in NUMBERS if any(getattr(choice, name) is not None for choice in choices)]
    sections.append(Section("How to read the list", [*_reading(choices, shown), Jumps([*map(_range, groups)])]))
    for group in groups:
        first, last = _range(group)
        parts = [Text(_decided(group)), Strips(group, shown, path.parent)]
        sections.append(Section(label_range(first, last).capitalize(), parts, anchor=f"label-{first}"))
    return write_page(path, title=title, intro=intro, sections=sections, summary=summary)


def _headlines(choices: Sequence[Choice], budget: Budget | None) -> list[Card]:
    """How many, by what, and what is left."""
    chosen = [choice for choice in choices if choice.criterion != STARTED]
    criteria = collections.Counter(criterion_name(choice.criterion) for choice in chosen)
    share = ", ".join(f"{count:,} {name}" for name, count in criteria.items()) if len(criteria) > 1 else ""
    steps = len({choice.step for choice in chosen})
    note = f"in {steps} step{'s' * (steps != 1)}"
    note += f", after {_frames(len(choices) - len(chosen))} labeled before" if len(chosen) < len(choices) else ""
    main = max(criteria, key=criteria.get, default=NONE)
    cards = [Card("Frames chosen", f"{len(chosen):,}", note=note), Card("Chosen by", main, note=share)]
    if budget is not None and budget.largest is not None and len(budget.labels):
        note = f"of an unlabeled frame to the nearest labeled; {digits(budget.largest[0])} "
        note += f"after {_count(budget.labels[0])}"
        cards.append(Card("Largest distance left", digits(budget.largest[-1]), note=note))
    if budget is not None and len(budget.uncertainty):
        (first, before), (last, after) = budget.uncertainty[0], budget.uncertainty[-1]
        note = f"mean score of the unlabeled after {_count(last)}"
        note += f"; {digits(before)} after {_count(first)}" if first < last else ""
        cards.append(Card("Uncertainty left", digits(after), note=note))
    return cards


def _budget_section(budget: Budget) -> Section:
    """The curves, in words too."""
    alt = "Line charts over the number of labels: distance of the unlabeled to the labeled frames, remaining score."
    figure = Figure(budget_figure(budget), "What is left after so many labels; lower is better.", alt)
    return Section("How many labels?", [figure, Text(advice(budget))])


def _reading(choices: Sequence[Choice], shown: Sequence[str]) -> list[Text]:
    """What the numbers and colors mean, as far as they occur."""
    sentences = [NUMBERS[name][1] for name in shown]
    if any(choice.picture is not None for choice in choices):
        sentences.append(COLORS)
    missing = any(getattr(choice, name) is None for choice in choices for name in shown)
    return [Text(" ".join(sentences)), *([Text(MISSING)] if missing else [])]


def _decided(group: Sequence[Choice]) -> str:
    """What decided in a step, a sentence a criterion."""
    counts = collections.Counter(choice.criterion for choice in group)
    return "\n\n".join(
        f"{criterion_name(name).capitalize()} ({_frames(count)}){': ' + CRITERIA[name][1] if name in CRITERIA else '.'}"
        for name, count in counts.items()
    )


def _range(group: Sequence[Choice]) -> tuple[int, int]:
    return group[0].rank, group[-1].rank


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count:,} frames"


def _count(labels: int) -> str:
    return "1 label" if labels == 1 else f"{labels:,} labels"
