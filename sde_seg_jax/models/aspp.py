"""Atrous spatial pyramid pooling (Chen et al. 2017, "Rethinking Atrous Convolution", section 3.3)."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from sde_seg_jax.models.layers import ConvNormRelu


class ASPP(nn.Module):
    """1x1, dilated 3x3 and image-pooling branches in parallel, concatenated and projected to `features`.

    Every branch has `features` channels. `dropout` is the rate behind the projection, used where `dropout` of
    the call is true; it then needs the random stream "dropout".
    """

    features: int
    rates: tuple[int, ...]
    image_pooling: bool = True
    dropout_rate: float = 0.5
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"], *, train: bool, dropout: bool) -> Float[Array, "B H W F"]:
        branches = [ConvNormRelu(self.features, kernel=1, dtype=self.dtype, name="pointwise")(x, train=train)]
        for index, rate in enumerate(self.rates):
            branch = ConvNormRelu(self.features, dilation=rate, dtype=self.dtype, name=f"dilated_{index}")
            branches.append(branch(x, train=train))
        if self.image_pooling:
            pooled = x.mean(axis=(1, 2), keepdims=True)  # [B 1 1 C]
            pooled = ConvNormRelu(self.features, kernel=1, dtype=self.dtype, name="pooled")(pooled, train=train)
            branches.append(jnp.broadcast_to(pooled, branches[0].shape))
        y = jnp.concatenate(branches, axis=-1)
        y = ConvNormRelu(self.features, kernel=1, dtype=self.dtype, name="project")(y, train=train)
        return nn.Dropout(self.dropout_rate, deterministic=not dropout)(y)
