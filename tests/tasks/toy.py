"""A network of some hundred parameters with every part, and a batch: losses compile in seconds."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from sde_seg_jax.models.batch_norm import BatchNorm
from sde_seg_jax.models.maps import Maps
from sde_seg_jax.training.step import init_state
from sde_seg_jax.types import IGNORE, Batch, Intrinsics, Outputs, Streams, Variables

CLASSES = 5
SIZE = (16, 24)


class Encoder(nn.Module):
    dtype: str = "float32"

    @nn.compact
    def __call__(self, image, train):
        x = nn.Conv(6, (3, 3), 2, dtype=self.dtype)(image.astype(self.dtype))
        return jnp.tanh(BatchNorm()(x, train=train).astype(jnp.float32))


class Toy(nn.Module):
    """The interface of models.network.Network."""

    dtype: str = "float32"
    encoder_type: type = Encoder
    intrinsics: nn.Module | None = None

    def setup(self):
        self.encoder = self.encoder_type(self.dtype)
        self.depth_decoder = nn.Conv(1, (1, 1))
        self.segmentation = nn.Conv(CLASSES, (1, 1))
        self.pose_network = nn.Dense(6, kernel_init=nn.initializers.normal(1e-3))
        self.drop = nn.Dropout(0.5)

    @property
    def maps(self):
        return Maps((6,), (2,), tokens=False, multiple=2)

    def __call__(self, image, *, train=False, dropout=None, factors=None):
        x = self.encoder(image, train)
        x = x if factors is None else x * factors[0][:, None, None]
        kept = self.drop(x, deterministic=not (train if dropout is None else dropout))
        disparity = tuple(
            nn.sigmoid(self.depth_decoder(y) - 3) for y in (jax.image.resize(x, (*image.shape[:3], 6), "nearest"), x)
        )
        logits = jax.image.resize(self.segmentation(kept), (*image.shape[:3], CLASSES), "bilinear")
        return Outputs(disparity=disparity, logits=logits, bottleneck=x)

    def pose(self, earlier, later, *, train=False):
        x = jnp.concatenate([self.encoder(earlier, train), self.encoder(later, train)], -1).mean((1, 2))
        found = self.pose_network(x)
        return found[:, :3], found[:, 3:] + jnp.array([[0.0, 0.0, 0.1]])

    def camera_change(self, nominal):
        return self.intrinsics(nominal)

    def bottleneck(self, image, *, train=False):
        return self.encoder(image, train)

    def initialize(self, image):
        self(image)
        self.pose(image, image)
        if self.intrinsics is not None:
            self.camera_change(image[:, 0, 0, 0])


def variables(network, seed=0):
    found = network.init(jax.random.key(seed), jnp.zeros((1, *SIZE, 3)), method="initialize")
    return Variables(found["params"], found["batch_stats"])


def batch(size, seed=0, labeled=None):
    """Random pictures; `labeled` says which samples keep their labels (default: all)."""
    rng = np.random.default_rng(seed)
    labeled = np.ones(size, bool) if labeled is None else np.array(labeled)
    label = rng.integers(0, CLASSES, (size, *SIZE)).astype(np.uint8)
    label[:, :2] = IGNORE
    label[~labeled] = IGNORE
    one = np.ones(size, np.float32)
    frames = rng.integers(0, 256, (size, 3, *SIZE, 3)).astype(np.uint8)
    return Batch(
        image=frames[:, 0],
        neighbors=frames[:, 1:],
        label=label,
        labeled=labeled,
        intrinsics=Intrinsics(fx=20 * one, fy=20 * one, cx=11.5 * one, cy=7.5 * one),
    )


def streams(size, seed=0, labeled=None):
    return Streams(labeled=batch(size, seed), unlabeled=batch(size, seed + 1, labeled))


def fast_jit(function):
    """jit without the optimisations that take most of the time to compile."""
    return jax.jit(function, compiler_options={"xla_backend_optimization_level": 0})


def assert_finite(tree):
    for leaf in jax.tree.leaves(tree):
        assert np.isfinite(leaf).all()


def dtypes(tree):
    return {leaf.dtype.name for leaf in jax.tree.leaves(tree)}


def state_of(network, optimizer, *, teacher=False, frozen=None, seed=0):
    return init_state(variables(network), optimizer, seed=seed, teacher=teacher, frozen=frozen)
