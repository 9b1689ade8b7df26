"""CutMix: in half of the images a box shows the other image (Yun et al. 2019; French et al. 2020; UniMatch).

The box's share of the image is U(0.02, 0.4), the ratio of its height to its width, as shares of the image's, U(0.3,
1 / 0.3). Ratio and place are drawn until the box lies inside the image.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from sde_seg_jax.mixing.rule import Margins, Rule, Side

PROBABILITY = 0.5  # of a box in an image
SHARES = (0.02, 0.4)  # of the image that a box covers
RATIOS = (0.3, 1 / 0.3)


def box_sides(share: Float[Array, ""], ratio: Float[Array, ""], size: tuple[int, int]) -> tuple[Array, Array]:
    """Height and width, in whole pixels, of a box that covers a share of an image of `size`."""
    height, width = size
    sides = jnp.sqrt(share * ratio) * height, jnp.sqrt(share / ratio) * width
    return tuple(side.astype(jnp.int32) for side in sides)


def draw_box(key: jax.Array, size: tuple[int, int]) -> tuple[Array, Array, Array, Array]:
    """Top, left, height, width of one box inside an image of `size`."""
    first, rest = jax.random.split(key)
    share = jax.random.uniform(first, (), minval=SHARES[0], maxval=SHARES[1])

    def attempt(key):
        ratio, top, left = jax.random.split(key, 3)
        sides = box_sides(share, jax.random.uniform(ratio, (), minval=RATIOS[0], maxval=RATIOS[1]), size)
        return jax.random.randint(top, (), 0, size[0]), jax.random.randint(left, (), 0, size[1]), *sides

    def outside(state):
        top, left, height, width = state[1]
        return (top + height > size[0]) | (left + width > size[1])

    def again(state):
        key, here = jax.random.split(state[0])
        return key, attempt(here)

    key, here = jax.random.split(rest)
    return jax.lax.while_loop(outside, again, (key, attempt(here)))[1]


def box_mask(key: jax.Array, size: tuple[int, int]) -> Bool[Array, "H W"]:
    """True inside a box that is drawn with `PROBABILITY`."""
    whether, box = jax.random.split(key)
    top, left, height, width = draw_box(box, size)
    rows, columns = jnp.arange(size[0])[:, None], jnp.arange(size[1])[None]
    inside = (rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)
    return inside & jax.random.bernoulli(whether, PROBABILITY)


def mask(kept: Side, under: Side, key, margins: Margins):
    """Outside the box the kept image is shown, inside the other one."""
    batch, *size = kept.classes.shape
    boxes = jax.vmap(lambda k: box_mask(k, tuple(size)))(jax.random.split(key, batch))
    return ~boxes[..., None]


RULE = Rule(mask)
