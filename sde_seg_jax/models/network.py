"""The whole network: an encoder and, each optional, depth decoder, segmentation decoder and pose network.

With both decoders and a distillation level they exchange features: the multi-task network.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from flax import linen as nn
from jaxtyping import Array, Float

from sde_seg_jax.bounds import Count
from sde_seg_jax.models.backbones import configured_encoder
from sde_seg_jax.models.depth_decoder import LEVELS
from sde_seg_jax.models.intrinsics import CHANGES, LearntIntrinsics
from sde_seg_jax.models.maps import Maps, common_multiple, declared
from sde_seg_jax.models.options import Decoders, Head, Motion
from sde_seg_jax.models.pad import Distillation, SegmentationBranch, decode_together
from sde_seg_jax.models.pose import PoseNetwork
from sde_seg_jax.models.precision import at_least_float32, compute_dtype
from sde_seg_jax.models.segmentation import FINEST_LAYER, SegmentationDecoder
from sde_seg_jax.options import flat
from sde_seg_jax.types import Outputs


class Network(nn.Module):
    """Parts on one encoder. Parameters: `encoder`, `depth_decoder`, `segmentation`, `distillation`, `pose`,
    `intrinsics`, if present.

    Images are float in [0,1]. `train=True` normalises with batch statistics, moves the running ones (if the
    collection `batch_stats` is mutable) and drops out; `dropout=False` keeps dropout off even then, as the
    EMA teacher needs it. Dropout needs the random stream "dropout".
    """

    preserve_adopted_names = True  # so that pose_network's parameters are called "pose", as it was named

    encoder: nn.Module
    depth_decoder: nn.Module | None = None  # of `decoders`
    segmentation: SegmentationDecoder | SegmentationBranch | None = None
    pose_network: PoseNetwork | None = None
    distillation: Distillation | None = None
    intrinsics: LearntIntrinsics | None = None

    @property
    def maps(self) -> Maps:
        """What the encoder declares."""
        return declared(self.encoder)

    @property
    def stride(self) -> int:
        """Height and width of an image must be multiples of this."""
        return common_multiple(self.encoder, getattr(self.pose_network, "encoder", None))

    @property
    def least(self) -> int:
        """The smallest height and width of an image, in pixels, that the decoders can process."""
        found = [self.depth_decoder, getattr(self.segmentation, "decoder", None)]
        return max([self.stride, *(decoder.least for decoder in found if decoder is not None)])

    def check_size(self, height: int, width: int) -> None:
        """Raises ValueError, naming the next valid sizes, unless the network can process such an image.

        Skips only fit multiples of the output stride, patches only multiples of their size.
        """
        problems = []
        least = -(-self.least // self.stride) * self.stride
        for side, size in (("height", height), ("width", width)):
            if size % self.stride or size < least:
                below = size // self.stride * self.stride
                valid = [n for n in (below, below + self.stride) if n >= least] or [least]
                problems.append(f"{side} {size}; next valid: {' or '.join(map(str, valid))}")
        if problems:
            raise ValueError(
                f"image of {height}x{width} does not fit the network's {self.maps.unit} {self.stride} "
                f"(multiples of it from {least} on): {'. '.join(problems)}. "
                "Change data.crop or data.size"
            )

    def fitting_size(self, height: int, width: int) -> tuple[int, int]:
        """The nearest size of whole patches; (height, width) itself for a pyramid, which has no patches."""
        if not self.maps.tokens:
            return height, width
        least = -(-self.least // self.stride)
        rows, columns = (max(least, round(side / self.stride)) for side in (height, width))
        return self.stride * rows, self.stride * columns

    def __call__(
        self,
        image: Float[Array, "B H W 3"],
        *,
        train: bool = False,
        dropout: bool | None = None,
        factors: Sequence[Float[Array, "B c"]] | None = None,
    ) -> Outputs:
        """Disparities and logits of the parts that exist, and the encoder's last map.

        factors: of the channels of each of the encoder's maps, by which the decoders see them multiplied.
        """
        self.check_size(*image.shape[1:3])
        maps = self.encoder(image, train=train)
        bottleneck = at_least_float32(maps[-1])
        if factors is not None:
            maps = tuple(x * f.astype(x.dtype)[:, None, None] for x, f in zip(maps, factors, strict=True))
        if self.distillation is not None:
            decoders = (self.depth_decoder, self.segmentation, self.distillation)
            dropout = train if dropout is None else dropout
            return Outputs(*decode_together(maps, *decoders, train=train, dropout=dropout), bottleneck)
        disparity = logits = None
        if self.depth_decoder is not None:
            disparity = self.depth_decoder(maps, train=train, dropout=dropout).disparity
        if self.segmentation is not None:
            logits = self.segmentation(maps, train=train, dropout=dropout)
        return Outputs(disparity=disparity, logits=logits, bottleneck=bottleneck)

    def pose(
        self, earlier: Float[Array, "B H W 3"], later: Float[Array, "B H W 3"], *, train: bool = False
    ) -> tuple[Float[Array, "B 3"], Float[Array, "B 3"]]:
        """Axis-angle and translation from the earlier to the later camera (images in temporal order)."""
        if self.pose_network is None:
            raise ValueError("this network has no pose part; make it with pose=True")
        return self.pose_network(earlier, later, train=train)

    def camera_change(self, nominal: Float[Array, "B"]) -> Float[Array, "B n"]:
        """What was learnt of the camera, for so many samples: `geometry.camera.refine` applies it."""
        return self.intrinsics(nominal)

    def bottleneck(self, image: Float[Array, "B H W 3"], *, train: bool = False) -> Float[Array, "B h w F"]:
        """The encoder's last map alone; only the parameters of `encoder` are needed."""
        return at_least_float32(self.encoder(image, train=train)[-1])

    def decoder_level(self, image: Float[Array, "B H W 3"], level: int) -> Float[Array, "B h w c"]:
        """Features of the depth decoder at a level (4 coarse .. 0 fine), in evaluation mode."""
        return at_least_float32(self.depth_decoder(self.encoder(image)).level(level))

    def initialize(self, image: Float[Array, "B H W 3"]) -> None:
        """Runs every part once: `network.init(rngs, image, method="initialize")` makes all parameters."""
        self(image)
        if self.pose_network is not None:
            self.pose(image, image)
        if self.intrinsics is not None:
            self.camera_change(image[:, 0, 0, 0])


@flat
def make_network(
    *,
    num_classes: int | None = None,
    encoder: str = "resnet101",
    width: Count = 64,
    dilate: Sequence[bool] = (False, False, True),
    decoders: Decoders = Decoders(),
    depth: bool = True,
    disparity_bias: float | None = None,
    encoder_options: Mapping[str, Any] | None = None,
    segmentation: bool = True,
    head: Head = Head(),
    distillation_level: int | None = None,
    side_output: bool = True,
    pose: bool = True,
    motion: Motion = Motion(),
    learn_intrinsics: str = "none",
    dtype: str | None = "float32",
    remat: bool = False,
) -> Network:
    """A network from plain values (`models.options` has those of the parts); the defaults are the published ones.

    `width` is the channels of the encoder's first map; `dilate` replaces the stride of its layer2, layer3, layer4 by
    dilation; `encoder_options` are those that only this encoder has. `distillation_level` makes the two decoders
    exchange features at that level (published: 2), with `side_output` an intermediate segmentation there; then only
    `head_stride` of the head counts. `disparity_bias` is the initial bias of the disparity heads; with a pose part
    `learn_intrinsics` "focal" or "all" learns the camera.
    `dtype`: what convolutions compute in (None: the input's). `remat` computes blocks and levels again going back.
    Raises ValueError for misfits.
    """
    shared = {"dtype": dtype, "remat": remat}
    backbone = configured_encoder(encoder, encoder_options or {}, width=width, dilate=dilate, **shared)
    maps = declared(backbone)
    _check_head(num_classes, segmentation, head.head_layers, maps)
    _check_exchange(distillation_level, depth and segmentation)
    depth_decoder = decoders.make(maps, **shared, heads=True, disparity_bias=disparity_bias) if depth else None
    segmentation_decoder = exchange = None
    if distillation_level is not None:
        branch, computed = decoders.make(maps, **shared, heads=False), compute_dtype(dtype)
        segmentation_decoder = SegmentationBranch(branch, num_classes, head.head_stride, side_output, computed)
        exchange = Distillation(distillation_level, computed)
    elif segmentation:
        branch = decoders.make(maps, **shared, heads=False)
        segmentation_decoder = SegmentationDecoder(branch, head.make(num_classes, dtype))
    intrinsics = _learnt_intrinsics(learn_intrinsics)
    pose_network = motion.make(dtype, remat) if pose else None
    parts = (depth_decoder, segmentation_decoder, pose_network, exchange, intrinsics if pose else None)
    return Network(backbone, *parts)


def _learnt_intrinsics(learn: str) -> LearntIntrinsics | None:
    if learn not in ("none", *CHANGES):
        raise ValueError(f"unknown model.learn_intrinsics '{learn}'; known: none, {', '.join(CHANGES)}")
    return None if learn == "none" else LearntIntrinsics(learn)


def _check_head(num_classes: int | None, segmentation: bool, head_layers: Sequence[int], maps: Maps) -> None:
    if segmentation and num_classes is None:
        raise ValueError("segmentation=True needs num_classes; give it, or set segmentation=False")
    first = FINEST_LAYER - LEVELS[0]  # that is the decoder's
    known = [*range(min(first, len(maps.channels))), *range(first, FINEST_LAYER + 1)]
    if not head_layers or not set(head_layers) <= set(known):
        raise ValueError(f"head_layers {list(head_layers)}: need at least one, each of {known}")


def _check_exchange(level: int | None, both_decoders: bool) -> None:
    if level is None:
        return
    if level not in range(1, 5):
        raise ValueError(f"distillation_level {level}: the decoders can exchange at levels 1 (fine) to 4")
    if not both_decoders:
        raise ValueError(
            f"distillation_level {level} needs a depth and a segmentation decoder that exchange features; "
            "set it to None, or train a multitask task"
        )
