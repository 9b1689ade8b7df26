"""What a mixing rule is: one record at the end of its module, found by the module's name.

One rule serves within a domain (each image kept on the next of its batch, config.task.mix) and across domains (source
images kept on target images, config.task.cross_mix).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Protocol

import jax
from jaxtyping import Array, Bool, Float, Int

from sde_seg_jax.lookup import Kind, known

RULES = Kind("mixing rule", "sde_seg_jax.mixing", attribute="RULE", group="sde_seg_jax.mixing")
PUBLISHED = ("depth", "class")  # in lists of names they come first

# (key, disparities) -> how much farther than the other image a pixel may be and still win: a number, or one an image
Margins = Callable[[jax.Array, Float[Array, "B H W 1"]], float | Float[Array, "B 1 1 1"]]


class Side(Protocol):
    """What a rule may look at, of the images that are kept and of those under them."""

    disparity: Float[Array, "B H W 1"] | None  # normalized per image to [0,1]; None unless the rule reads depth
    classes: Int[Array, "B H W"]  # ground truth or the teacher's opinion, IGNORE where there is none
    num_classes: int


@dataclasses.dataclass(frozen=True)
class Rule:
    """A way to choose pixels.

    mask: (kept, under, key, margins) -> bool [B,H,W,1], true where the kept image is shown. Random draws are made with
      `key`; margins are the rule's to ask for, with a key of their own if it draws more.
    reads_depth: whether it looks at disparities, which then have to come from somewhere.
    """

    mask: Callable[[Side, Side, jax.Array, Margins], Bool[Array, "B H W 1"]]
    reads_depth: bool = False


def names() -> list[str]:
    """Names of all rules, the published ones first."""
    return [*PUBLISHED, *(name for name in RULES.names() if name not in PUBLISHED)]


def find_rule(name: str, key: str = "task.mix") -> Rule:
    """The rule of a name. Raises ValueError that names the configuration key and lists the known ones."""
    found = RULES.look(name)
    if found is None:
        raise ValueError(f"unknown {key} '{name}'; {known(name, names())}")
    return found.RULE
