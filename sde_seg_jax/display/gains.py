"""What a row gains over the row that lacks just its ingredient: differences of runs of one seed, labels and data."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from scipy.special import stdtrit

from sde_seg_jax.display import tables

CONFIDENCE = 0.95
ONE_SEED = "one seed: no interval"
ENOUGH = 3  # seeds that a verdict needs: the interval of two that happen to agree is narrow and says nothing
TOO_FEW = "two seeds: too few to say"


@dataclasses.dataclass(frozen=True)
class Gain:
    """Paired differences, row minus partner, of n seeds: fractions, positive is better.

    low, high: the interval that holds the mean difference with 95 % confidence (Student's t); None for one seed.
    won: seeds in which the row is ahead. differences: by seed.
    """

    row: str
    partner: str
    labels: int
    network: Literal["student", "teacher"]
    differences: Mapping[int, float]
    mean: float
    low: float | None
    high: float | None
    won: int

    @property
    def n(self) -> int:
        """Number of seeds that both rows have finished."""
        return len(self.differences)

    @property
    def verdict(self) -> str:
        """What the interval allows to say."""
        if self.low is None or self.high is None:
            return ONE_SEED
        if math.isnan(self.mean):
            return tables.UNDEFINED
        if self.n < ENOUGH:
            return TOO_FEW
        return "gain" if self.low > 0 else "loss" if self.high < 0 else "no gain shown"


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % confidence interval of the mean of independent, normal values; None for fewer than two.

    mean ± t(0.975; n-1) · std / sqrt(n) with the sample standard deviation (Student 1908).
    """
    n = len(values)
    if n < 2:
        return None
    half = stdtrit(n - 1, (1 + CONFIDENCE) / 2) * statistics.stdev(values) / math.sqrt(n)
    mean = statistics.fmean(values)
    return mean - half, mean + half


def paired(
    row: str,
    partner: str,
    labels: int,
    network: Literal["student", "teacher"],
    scores: Mapping[int, float],
    partner_scores: Mapping[int, float],
) -> Gain | None:
    """The gain over a partner by the scores of each by seed, of the seeds that both have; None if they share none."""
    differences = {seed: scores[seed] - partner_scores[seed] for seed in scores if seed in partner_scores}
    if not differences:
        return None
    values = list(differences.values())
    finite = all(map(math.isfinite, values))
    low, high = (interval(values) if finite else (math.nan, math.nan) if len(values) > 1 else None) or (None, None)
    won = sum(value > 0 for value in values)
    mean = statistics.fmean(values) if finite else math.nan
    return Gain(row, partner, labels, network, differences, mean, low, high, won)


def lines(gains: Sequence[Gain]) -> list[dict[str, Any]]:
    """One line for each, for `COLUMNS`."""
    return [
        {
            "row": gain.row if gain.network == "student" else f"{gain.row}, teacher",
            "partner": gain.partner,
            "mean": gain.mean,
            "interval": spelled(gain),
            "won": f"{gain.won} of {gain.n}",
            "verdict": gain.verdict,
        }
        for gain in gains
    ]


def spelled(gain: Gain) -> str:
    """The interval in percentage points: "+0.31 to +2.05"."""
    if gain.low is None or gain.high is None or math.isnan(gain.mean):
        return "-"
    return f"{tables.points(gain.low, 2)} to {tables.points(gain.high, 2)}"


COLUMNS = [
    tables.Column("row", "row"),
    tables.Column("partner", "against"),
    tables.Column("mean", "difference, points", lambda value: tables.points(value, 2)),
    tables.Column("interval", "95 % interval"),
    tables.Column("won", "seeds won"),
    tables.Column("verdict", "so"),
]
NOTE = (
    "Differences: mean of the paired differences (same seed, labels and data) to the row beside it, with the 95 % "
    "interval of Student's t. An interval that includes 0 shows no gain."
)
