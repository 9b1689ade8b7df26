"""Optimisers with PyTorch's arithmetic, a learning rate per module, frozen modules, joint clipping.

Order within one update, as published: clip the norm of all trained gradients together, add the weight decay,
momentum or Adam, times the learning rate. See Q32 in docs/record/differences.md.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from sde_seg_jax.bounds import Bounds, NotNegative, Positive
from sde_seg_jax.lookup import choose, known
from sde_seg_jax.training.decay import DECAYS, layer_factors
from sde_seg_jax.training.decay import decay_mask as masked
from sde_seg_jax.training.schedules import Schedule, constant
from sde_seg_jax.types import Params

CLIP_EPSILON = 1e-6  # as in torch.nn.utils.clip_grad_norm_
ADAM_BETAS, ADAM_EPSILON = (0.9, 0.999), 1e-8  # PyTorch's defaults


class Optimizer(NamedTuple):
    """An optax transformation, and the learning rates it uses at a step, by module, for the log."""

    transform: optax.GradientTransformation
    learning_rates: Callable[[Int[Array, ""]], dict[str, Float[Array, ""]]]


class RateState(NamedTuple):
    """Number of updates done."""

    count: Int[Array, ""]


def joint_norm(tree: Params) -> Float[Array, ""]:
    """Square root of the sum of all squares.

    A sum per row of each array, then one of them all: on an accelerator a third of the kernels of a sum per array. The
    barrier keeps the compiler from moving the last sum back into the arrays.
    """
    rows = [jnp.square(x).sum(axis=-1).ravel() if x.ndim > 1 else jnp.square(x).ravel() for x in jax.tree.leaves(tree)]
    return jnp.sqrt(jax.lax.optimization_barrier(jnp.concatenate(rows)).sum())


def clip_by_joint_norm(maximum: float) -> optax.GradientTransformation:
    """g * min(1, maximum / (norm + 1e-6)), norm = L2 norm of all gradients together."""

    def update(gradients, state, params=None):
        del params
        norm = joint_norm(gradients)
        factor = jnp.minimum(1.0, maximum / (norm + CLIP_EPSILON))
        return jax.tree.map(lambda g: g * factor.astype(g.dtype), gradients), state

    return optax.GradientTransformation(optax.init_empty_state, update)


class AdamState(NamedTuple):
    """Number of updates done, and the moving averages of g and g^2."""

    count: Int[Array, ""]
    mean: Params
    square: Params


def adam_direction() -> optax.GradientTransformation:
    """m^ / (sqrt(v^) + 1e-8), hats for the bias correction (Kingma & Ba 2015).

    As `optax.scale_by_adam`, which relies on implicit promotion and so doesn't run in strict mode.
    """
    b1, b2 = ADAM_BETAS

    def init(params):
        # two calls: averages that share buffers could not be donated
        mean, square = (jax.tree.map(jnp.zeros_like, params) for _ in range(2))
        return AdamState(jnp.zeros([], jnp.int32), mean, square)

    def update(gradients, state, params=None):
        del params
        count = optax.safe_increment(state.count)
        mean = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mean, gradients)
        square = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g**2, state.square, gradients)
        n = count.astype(jax.dtypes.canonicalize_dtype(float))

        def direction(m, v):
            correct_m, correct_v = (1 - b1**n).astype(m.dtype), (1 - b2**n).astype(v.dtype)
            return m / correct_m / (jnp.sqrt(v / correct_v) + ADAM_EPSILON)

        return jax.tree.map(direction, mean, square), AdamState(count, mean, square)

    return optax.GradientTransformation(init, update)


DIRECTIONS = {
    "sgd": lambda momentum: optax.trace(decay=momentum),
    **dict.fromkeys(("adam", "adamw"), lambda momentum: adam_direction()),
}
DECOUPLED = ("adamw",)  # whose decay is no part of the gradient


def descend(rate_of: Callable[[str], float], schedule: Schedule) -> optax.GradientTransformation:
    """-rate * schedule(n) times each leaf's direction, with the rate looked up by the leaf's path."""

    def init(params):
        del params
        return RateState(jnp.zeros([], jnp.int32))

    def update(directions, state, params=None):
        del params
        factor = schedule(state.count)
        scaled = jax.tree_util.tree_map_with_path(
            lambda path, u: u * (-rate_of(_name(path)) * factor).astype(u.dtype), directions
        )
        return scaled, RateState(optax.safe_increment(state.count))

    return optax.GradientTransformation(init, update)


def _name(path) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _inside(name: str, module: str) -> bool:
    return name == module or name.startswith(module + "/")


def hold(params: Params, frozen: Sequence[str]) -> Params:
    """The same parameters, those of `frozen` paths as constants: no gradient, and no work for one."""
    return jax.tree_util.tree_map_with_path(
        lambda path, p: jax.lax.stop_gradient(p) if any(_inside(_name(path), module) for module in frozen) else p,
        params,
    )


def _check_modules(params: Params, asked: Sequence[str], what: str) -> None:
    names = [_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    for module in asked:
        if not any(_inside(name, module) for name in names):
            depth = module.count("/") + 1
            known = sorted({"/".join(name.split("/")[:depth]) for name in names})
            raise ValueError(f"{what} names {module!r}, but the parameters have: {', '.join(known)}")


def make_optimizer(
    params: Params,
    *,
    name: str = "sgd",
    learning_rate: NotNegative = 1e-2,
    module_rates: Mapping[str, NotNegative] | None = None,
    frozen: Sequence[str] = (),
    momentum: Annotated[float, Bounds(0, 1, open_high=True)] = 0.9,
    weight_decay: NotNegative = 5e-4,
    clip: Positive | None = 10.0,
    decay_mask: str = "all",
    layer_decay: Annotated[float, Bounds(0, 1, open_low=True)] = 1.0,
    schedule: Schedule | None = None,
) -> Optimizer:
    """SGD with momentum, Adam or AdamW, as PyTorch computes them.

    sgd: g' = clip(g) + weight_decay * p; v = momentum * v + g'; p -= rate * v (v starts as the first g').
    adam: p -= rate * m^ / (sqrt(v^) + 1e-8), betas 0.9 and 0.999, the same clipping and coupled decay.
    adamw: p -= rate * (m^ / (sqrt(v^) + 1e-8) + weight_decay * p), the same clipping (Loshchilov & Hutter 2019).

    `decay_mask`: "all" weights decay, as published, or "kernels" alone: no norms, biases, tokens, positions.
    `layer_decay`: below 1 the encoder's blocks learn the slower the earlier they are (`decay.layer_factors`).

    `module_rates` gives learning rates (absolute, not factors) by path in the parameter tree, as in
    {"encoder": 1e-3, "pose/encoder": 1e-6}; the longest path that contains a parameter decides, parameters
    outside them use `learning_rate`.
    `frozen` paths get no update, no decay and no optimiser state, and stay out of the clipped norm: name
    there what the task does not train, since JAX gives it zero gradients, which would still decay it.
    `clip=None` is no clipping. Every rate is multiplied by `schedule(number of updates done)`, 1 without a
    schedule.
    Raises ValueError for an unknown optimiser or mask, a clip that is not positive, a path that holds no parameter.
    """
    if name not in DIRECTIONS:
        raise ValueError(f"unknown optimiser {name!r}; {known(name, sorted(DIRECTIONS))}")
    module_rates = dict(module_rates or {})
    schedule = schedule or constant()
    if clip is not None and clip <= 0:
        raise ValueError(f"clip must be positive, got {clip}; None is no clipping")
    _check_modules(params, list(module_rates), "module_rates")
    _check_modules(params, frozen, "frozen")

    choose(DECAYS, decay_mask, "optim.decay_mask")
    slower = layer_factors(params, layer_decay)

    def rate_of(leaf: str) -> float:
        holding = [module for module in module_rates if _inside(leaf, module)]
        rate = module_rates[max(holding, key=len)] if holding else learning_rate
        return rate if layer_decay == 1 else rate * slower(leaf)

    mask = None if decay_mask == "all" else functools.partial(masked, which=decay_mask)
    decay = [optax.add_decayed_weights(weight_decay, mask)] if weight_decay else []
    before, after = ([], decay) if name in DECOUPLED else (decay, [])
    stages = [clip_by_joint_norm(clip)] if clip is not None else []
    stages += [*before, DIRECTIONS[name](momentum), *after, descend(rate_of, schedule)]
    labels = jax.tree_util.tree_map_with_path(
        lambda path, _: "frozen" if any(_inside(_name(path), module) for module in frozen) else "trained",
        params,
    )
    transform = optax.partition({"trained": optax.chain(*stages), "frozen": optax.set_to_zero()}, labels)

    def learning_rates(step):
        factor = schedule(step)
        return {module: rate * factor for module, rate in {"default": learning_rate, **module_rates}.items()}

    return Optimizer(transform, learning_rates)
