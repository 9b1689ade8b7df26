"""What `batch_sums.py` counts in programs whose sums are known."""

import jax
import jax.numpy as jnp
from batch_sums import rounds

from sde_seg_jax.models.batch_norm import normalize

BATCH = 13


def told(function, *shapes):
    return rounds(jax.make_jaxpr(function)(*map(jnp.zeros, shapes)).jaxpr, BATCH)


def test_a_sum_over_images_is_told_and_one_over_pixels_is_not():
    assert told(lambda x: x.sum(0), (BATCH, 4)) == [4 * 4]
    assert told(lambda x: x.sum(1), (BATCH, 4)) == []
    assert told(lambda x: x.sum(0), (5, 4)) == []


def test_what_does_not_depend_on_each_other_is_one_round():
    assert told(lambda x: (x.sum(0), x.max(0)), (BATCH, 4)) == [2 * 4 * 4]
    assert told(lambda x: (x - x.sum(0)[None]).max(0), (BATCH, 4)) == [4 * 4, 4 * 4]


def test_batch_norm_takes_two_rounds_forward_and_one_back():
    def loss(x, scale, bias):
        return jnp.square(normalize(x, scale, bias)[0][:, 0, 0]).sum(1)

    shapes = (BATCH, 8, 8, 4), (4,), (4,)
    assert told(lambda *given: normalize(*given)[0], *shapes) == [16, 2 * 16]
    assert told(lambda *given: jax.vjp(loss, *given)[1](jnp.ones(BATCH)), *shapes) == [16, 2 * 16, 2 * 16]


def test_programs_inside_are_looked_into():
    inner = jax.jit(lambda x: x.sum(0))
    assert told(lambda x: inner(x - inner(x)[None]), (BATCH, 4)) == [16, 16]
