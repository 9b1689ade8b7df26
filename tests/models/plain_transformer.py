"""A small transformer of flax's own layers, as another package might offer it: no batch norm, no `initial`."""

from flax import linen as nn

from sde_seg_jax.models.torch_names import EncoderNames

ENCODERS = ("plain",)
PATCH = 8


class Plain(nn.Module):
    """Two blocks whose tokens are two maps."""

    width: int = 8
    num_images: int = 1
    tokens = True

    @property
    def channels(self):
        return (self.width, self.width)

    @property
    def strides(self):
        return (PATCH, PATCH)

    @nn.compact
    def __call__(self, image, *, train=False):
        x = nn.Conv(self.width, (PATCH, PATCH), (PATCH, PATCH), "VALID", name="patches")(image)
        batch, height, width, channels = x.shape
        x = x.reshape(batch, height * width, channels)
        x = x + self.param("cls_token", nn.initializers.normal(0.5), (1, 1, self.width)).astype(x.dtype)
        maps = []
        for number in range(2):
            y = nn.LayerNorm(name=f"norm_{number}", dtype=x.dtype)(x)
            x = x + nn.gelu(nn.Dense(self.width, name=f"dense_{number}", dtype=x.dtype)(y))
            maps.append(x.reshape(batch, height, width, channels))
        return tuple(maps)


def make_encoder(name, *, width=8, num_images=1, dtype=None, remat=False):
    return Plain(width, num_images)


NAMES = EncoderNames(
    lambda path: path[0].replace("_", ".") if path else "",
    first="patches",
    starts=r"patches|norm\.\d|dense\.\d|cls_token",
)
