"""ImageNet's colours, as networks see them that were published in the last years."""

import jax.numpy as jnp
from jaxtyping import Array, Float

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of RGB in [0,1]


def normalised(image: Float[Array, "B H W 3n"]) -> Float[Array, "B H W 3n"]:
    """(image - mean) / std of each channel, of n images stacked on that axis."""
    images = image.shape[-1] // len(MEAN)
    mean, std = (jnp.tile(jnp.asarray(v, image.dtype), images).reshape(1, 1, 1, -1) for v in (MEAN, STD))
    return (image - mean) / std
