"""Learnt intrinsics of a camera that nobody calibrated (after Gordon et al., Depth from Videos in the Wild, ICCV 2019).

The photometric loss is differentiable in the camera, too. A focal length shows only where the camera rotates: what a
translation does to the image can be explained with any.
"""

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from sde_seg_jax.models.init import ZEROS, Initial

CHANGES = {"focal": 1, "all": 4}  # what is learnt -> how many numbers; see geometry.camera.refine


class LearntIntrinsics(nn.Module):
    """What the nominal camera of every sample is changed by: numbers that start at zero, the same for all samples.

    They are parameters of their own, optimised with the networks. Gordon et al. predict them from the pose network's
    features, which suits videos of many cameras. We tried that, too (spatial mean, linear, starting at zero): on street
    scenes with one camera and true depth, started at 0.6 of the focal length, both reach 10 % in 750 steps, but the
    prediction spreads by 4 to 8 % over samples of the one camera, and until the rotations are known it wanders (0.49
    in one run, 0.78 in another, where the parameter stays at 0.61). A parameter is also read without any picture.
    """

    learn: str = "focal"

    def initial(self, channels: int) -> dict[str, Initial]:
        """How the parameters start."""
        del channels
        return {"change": ZEROS}

    @nn.compact
    def __call__(self, nominal: Float[Array, "B"]) -> Float[Array, "B n"]:
        """`nominal` is any number a sample."""
        count = CHANGES[self.learn]
        change = self.param("change", self.initial(0)["change"], (count,))
        return jnp.broadcast_to(change, (nominal.shape[0], count))
