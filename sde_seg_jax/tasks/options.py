"""The options of training that several tasks share; configs/base.py has each with its meaning."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sde_seg_jax.bounds import Count, CountOrNone, Dropout, NotNegative, Positive, Probability
from sde_seg_jax.geometry.depth import DepthRange
from sde_seg_jax.lookup import choose
from sde_seg_jax.losses import photometric
from sde_seg_jax.losses.pseudo_label import CONFIDENT, DIVISORS, rarity
from sde_seg_jax.mixing.masks import MARGIN
from sde_seg_jax.training.ema import DECAY

UNLABELED, LABELED = "unlabeled", "labeled"
KEPT = {name: name for name in (UNLABELED, LABELED)}


@dataclasses.dataclass(frozen=True)
class Photometric(DepthRange):
    """Of self-supervised depth.

    frames: "minimum" or "average" over the source frames. error: "ssim_l1" or "l1".
    """

    frames: str = "minimum"
    error: str = "ssim_l1"
    auto_mask: bool = True
    tie_break: NotNegative = photometric.TIE_BREAK

    def of_terms(self) -> dict[str, dict[str, Any]]:
        """Options of the loss terms by name. Raises ValueError for unknown names."""
        return {
            "photometric": {
                "min_depth": self.min_depth,
                "max_depth": self.max_depth,
                "error": choose(photometric.ERRORS, self.error, "task.error"),
                "reduce": choose(photometric.REDUCTIONS, self.frames, "task.frames"),
                "auto_mask": self.auto_mask,
                "tie_break": self.tie_break,
            }
        }


@dataclasses.dataclass(frozen=True)
class Mixing:
    """Of what is mixed.

    mix: a rule of `mixing`. confidence: teacher probability from which a pixel counts as confident. temperature: the
    teacher's logits are divided by it before (Guo et al. 2017); 1 as published. teacher: how it
    predicts, "batch_stats" (as published: statistics of the batch) or "ema_stats" (averaged running statistics).
    weighting: what confidence decides, as `losses.pseudo_label.confidence_weights` says. ramp: (a, b), the loss on
    mixed images does not count in the first a updates, and fully from update b on (`ramped`); published: (0, 0).
    kept: what is pasted on unlabeled images: "unlabeled" (as published) or "labeled" ones with their ground truth, so
    that rare classes, of which a weak teacher sees ever less, stay (as Tranheden et al., DACS 2021, across domains).
    prior: the teacher's probabilities are divided by the classes' shares of the labeled pixels to this power
    (`losses.pseudo_label.rarity`); 0 as published. divisor: over which pixels the loss on mixed images is averaged, as
    `losses.pseudo_label.over` says. teacher_decay: how much of the teacher stays in an update, at most
    (`training.ema.alpha`).
    views: how many strong views of each mix the student learns from, each with a mask and an augmentation of its own
    (`tasks.views`); published: 1. complementary: share of the mixes of which two views see complementary halves of the
    encoder's channels (`tasks.views.complementary_factors`; UniMatch V2, Yang et al. 2024); published: 0.
    """

    mix: str = "depth"
    mix_margin: float = MARGIN
    confidence: Probability = CONFIDENT
    temperature: Positive = 1.0
    teacher: str = "batch_stats"
    weighting: str = "batch"
    ramp: tuple[CountOrNone, CountOrNone] = (0, 0)
    kept: str = UNLABELED
    prior: NotNegative = 0.0
    divisor: str = "all"
    teacher_decay: Dropout = DECAY
    views: Count = 1
    complementary: Probability = 0.0

    def __post_init__(self):
        choose(KEPT, self.kept, "task.kept")
        choose(DIVISORS, self.divisor, "task.divisor")
        if self.complementary and self.views != 2:
            raise ValueError(
                f"task.complementary={self.complementary} shares the channels between two views, and "
                f"task.views={self.views}; set task.views=2, or task.complementary=0.0"
            )
        if len(self.ramp) != 2 or self.ramp[0] > self.ramp[1]:
            raise ValueError(f"task.ramp={tuple(self.ramp)}: expected two numbers of updates, the second not smaller")

    def class_factors(self, shares: Sequence[float] | None) -> Float[Array, " C"] | None:
        """Factors of the teacher's probabilities; None as published. Raises ValueError if the shares are missing."""
        if not self.prior:
            return None
        if shares is None:
            raise ValueError("task.prior needs class_shares, the classes' shares of the labeled pixels")
        return rarity(shares, self.prior)

    def ramped(self, weight: float, step: Int[Array, ""]) -> float | Float[Array, ""]:
        """A weight of mixed images at an update, `step` updates being done: it rises linearly over `ramp`."""
        first, full = self.ramp
        if not full:
            return weight
        share = (step - first).astype(jax.dtypes.canonicalize_dtype(float)) / max(full - first, 1)
        return weight * jnp.clip(share, 0, 1)


@dataclasses.dataclass(frozen=True)
class CrossMixing(Mixing):
    """The same across domains, too.

    cross_mix: how source images are mixed with target images, a rule of `mixing`. margin_sign: of mix_margin there,
    "random" (each image draws + or -) or "fixed" (+).
    """

    cross_mix: str = "depth"
    margin_sign: str = "random"


@dataclasses.dataclass(frozen=True)
class Domains:
    """Weights of the parts of domain adaptation; a weight of 0 removes its part and what only that part computes."""

    source: NotNegative = 1.0
    target: NotNegative = 1.0
    intra_domain: NotNegative = 1.0
    cross_domain: NotNegative = 1.0
