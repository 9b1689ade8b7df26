"""Initial weights: PyTorch's default for new layers, torchvision's for residual networks.

Kernels are HWIO; fan_in = H*W*I, fan_out = H*W*O. A layer's `initial(channels)` says how each of its
parameters starts; both `network.init` and `initial_variables` read it. The latter draws with NumPy: the same
values on every machine, at once, where the former compiles a random generator for each of some hundred
parameters. Layers without `initial`, such as flax's own, start as `network.init` has it.
"""

import dataclasses
import functools
import math
import zlib

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax

from sde_seg_jax.types import Variables


@dataclasses.dataclass(frozen=True)
class Initial:
    """How a parameter starts: "normal" with std `scale`, "uniform" in +-`scale`, or "constant" `scale`.

    Called with (key, shape, dtype) it is an initialiser as flax expects it.
    """

    kind: str
    scale: float

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
        if self.kind == "constant":
            return jnp.full(shape, self.scale, dtype)
        if self.kind == "uniform":
            return jax.random.uniform(key, shape, dtype, -self.scale, self.scale)
        return lax.mul(jax.random.normal(key, shape, dtype), jnp.full(shape, self.scale, dtype))

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """A float32 draw in NumPy."""
        if self.kind == "constant":
            return np.full(shape, self.scale, np.float32)
        if self.kind == "uniform":
            return generator.uniform(-self.scale, self.scale, shape).astype(np.float32)
        return generator.standard_normal(shape, np.float32) * np.float32(self.scale)


ONES, ZEROS = Initial("constant", 1.0), Initial("constant", 0.0)


def he_normal_fan_out(kernel_shape: tuple[int, ...]) -> Initial:
    """Normal with variance 2/fan_out (He et al. 2015), as torchvision starts residual networks."""
    height, width, _, features = kernel_shape
    return Initial("normal", math.sqrt(2.0 / (height * width * features)))


def torch_default(kernel_shape: tuple[int, ...]) -> Initial:
    """U(-b, b), b = 1/sqrt(fan_in): PyTorch's kaiming_uniform(a=sqrt(5)), for kernel and bias alike."""
    return Initial("uniform", 1.0 / math.sqrt(math.prod(kernel_shape[:3])))


def initial_variables(
    network: nn.Module, seed: int, size: tuple[int, int], method: str | None = "initialize"
) -> Variables:
    """Parameters and running statistics (NumPy) of a network for images of `size` (height, width).

    `method` is the one that reaches every part; None calls the module. Every leaf has its own stream, from
    the seed and the leaf's path, so parts do not shift each other's values. Without batch norm there are no statistics.
    """
    rules: dict[tuple[str, ...], dict[str, Initial]] = {}

    def record(call, args, kwargs, context):
        if hasattr(context.module, "initial") and context.method_name == "__call__":
            rules[context.module.path] = context.module.initial(args[0].shape[-1])
        return call(*args, **kwargs)

    image = jax.ShapeDtypeStruct((1, *size, 3), jnp.float32)
    made = functools.partial(network.init, method=method)
    with nn.intercept_methods(record):
        shapes = dict(jax.eval_shape(made, jax.random.key(0), image))

    def rule_of(path) -> Initial | None:
        _, *module, name = (entry.key for entry in path)
        return rules.get(tuple(module), {}).get(name)

    missing = [path for path, _ in jax.tree_util.tree_leaves_with_path(shapes) if rule_of(path) is None]
    others = _as_flax(made, seed, image, missing) if missing else {}

    def draw(path, leaf):
        if path in others:
            return others[path]
        stream = zlib.crc32("/".join(entry.key for entry in path).encode())
        return rule_of(path).draw(np.random.default_rng((seed, stream)), leaf.shape)

    drawn = jax.tree_util.tree_map_with_path(draw, shapes)
    return Variables(drawn["params"], drawn.get("batch_stats", {}))


def _as_flax(made, seed: int, image: jax.ShapeDtypeStruct, paths: list) -> dict:
    """Path -> what `made`, flax's `init`, gives there; nothing else is computed."""

    @jax.jit
    def wanted(key):
        leaves = dict(jax.tree_util.tree_leaves_with_path(dict(made(key, jnp.zeros(image.shape, image.dtype)))))
        return [leaves[path] for path in paths]

    return dict(zip(paths, map(np.asarray, wanted(jax.random.key(seed))), strict=True))
