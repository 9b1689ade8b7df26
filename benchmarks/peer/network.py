"""The whole network in PyTorch, from the keyword arguments of `sde_seg_jax.models.network.make_network`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from peer.decoders import (
    FINEST_LAYER,
    LEVELS,
    DepthDecoder,
    Distillation,
    Options,
    SegmentationBranch,
    SegmentationDecoder,
    SegmentationHead,
)
from peer.dpt import DPT, DPTSegmentation, Head
from peer.encoder import ResNet, wide
from peer.pose import PoseNetwork
from peer.vit import PATCH, SIZES, ViT

MODERN = {"decoder": "dpt", "head_kind": "convolution", "depth": False, "segmentation": True, "pose": False}


class PeerOutputs(NamedTuple):
    """What a network returns; a part that it lacks is None. Float32, or float64 for a float64 network."""

    disparity: list[Tensor] | None  # sigmoid maps [B,1,h,w], fine to coarse
    logits: Tensor | None  # [B,C,H,W]
    intermediate_logits: Tensor | None
    bottleneck: Tensor  # the encoder's last map


class PeerNetwork(nn.Module):
    """An encoder and the parts on it. Sub-modules are named as our parameters; `pose(earlier, later)` is one."""

    def __init__(
        self,
        encoder: ResNet | ViT,
        depth_decoder: DepthDecoder | None,
        segmentation: SegmentationDecoder | SegmentationBranch | DPTSegmentation | None,
        distillation: Distillation | None,
        pose: PoseNetwork | None,
    ):
        super().__init__()
        self.encoder, self.depth_decoder, self.segmentation = encoder, depth_decoder, segmentation
        self.distillation, self.pose = distillation, pose

    def forward(self, image: Tensor, dropout: bool = False) -> PeerOutputs:
        """Of images [B,3,H,W] in [0,1]. Batch norm follows the module's mode, dropout only the argument."""
        maps = self.encoder(image)
        if self.distillation is not None:
            disparity, logits, intermediate = self._decode_together(maps, dropout)
            return PeerOutputs(disparity, logits, intermediate, wide(maps[-1]))
        disparity = logits = None
        if self.depth_decoder is not None:
            disparity = self.depth_decoder.disparities(self.depth_decoder(maps, dropout))
        if self.segmentation is not None:
            logits = self.segmentation(maps, dropout)
        return PeerOutputs(disparity, logits, None, wide(maps[-1]))

    def _decode_together(self, maps: list[Tensor], dropout: bool) -> tuple[list[Tensor], Tensor, Tensor | None]:
        """(disparities, logits, intermediate logits): both decoders run to one level, exchange, and go on."""
        level, branch = self.distillation.level, self.segmentation
        size = (2 * maps[0].shape[2], 2 * maps[0].shape[3])
        decoders = (self.depth_decoder, branch.decoder)
        coarse = [i for i in LEVELS if i >= level]
        depth, segmentation = (decoder.decode(maps[-1], maps, coarse, dropout) for decoder in decoders)
        intermediate = None
        if branch.intermediate is not None:
            intermediate = branch.logits(branch.intermediate, segmentation[level], size)
        exchanged = self.distillation(depth[level], segmentation[level])
        fine = [i for i in LEVELS if i < level]
        for decoder, found, x in zip(decoders, (depth, segmentation), exchanged, strict=True):
            found.update(decoder.decode(x, maps, fine, dropout))
        logits = branch.logits(branch.classifier, segmentation[0], size)
        return self.depth_decoder.disparities(depth), logits, intermediate

    def bottleneck(self, image: Tensor) -> Tensor:
        """The encoder's last map alone."""
        return wide(self.encoder(image)[-1])


def make_network(encoder: str = "resnet101", **options: Any) -> PeerNetwork:
    """The counterpart of our network of the same arguments, float32, for `weights.load`.

    Ignored are how ours starts (`disparity_bias`, `pose_start`), for weights are loaded, and in which precision and
    memory it computes (`dtype`, `remat`): that is autocast's business here.
    """
    ignored = ("disparity_bias", "pose_start", "dtype", "remat")
    chosen = {name: value for name, value in options.items() if name not in ignored}
    return (modern if encoder in SIZES else published)(encoder=encoder, **chosen)


def published(
    *,
    num_classes: int | None = None,
    encoder: str = "resnet101",
    width: int = 64,
    dilate: Sequence[bool] = (False, False, True),
    decoder_channels: Sequence[int] = (64, 128, 128, 256, 256),
    aspp_rates: Sequence[int] = (6, 12, 18),
    image_pooling: bool = True,
    skip_features: int | None = None,
    batch_norm: bool = False,
    dropout: float = 0.5,
    depth: bool = True,
    segmentation: bool = True,
    head_layers: Sequence[int] = (FINEST_LAYER,),
    head_channels: int = 64,
    head_stride: int = 1,
    head_inter_channels: int | None = None,
    head_dropout: float = 0.0,
    distillation_level: int | None = None,
    side_output: bool = True,
    pose: bool = True,
    pose_encoder: str = "resnet18",
    pose_width: int = 64,
    pose_scale: float = 0.01,
    pose_channels: int = 256,
) -> PeerNetwork:
    """A residual network with the published decoders."""
    sizes = tuple(decoder_channels)
    options = Options(sizes, tuple(aspp_rates), image_pooling, skip_features, batch_norm, dropout)
    backbone = ResNet(encoder, width, dilate)
    maps = backbone.channels
    segmenter = exchange = None
    if distillation_level is not None:
        decoder, exchanged = DepthDecoder(maps, options, ()), sizes[distillation_level]
        segmenter = SegmentationBranch(decoder, sizes[0], exchanged, num_classes, head_stride, side_output)
        exchange = Distillation(distillation_level, exchanged)
    elif segmentation:
        features = {i: (*maps, *reversed(sizes))[i] for i in head_layers}
        head = SegmentationHead(features, num_classes, head_channels, head_stride, head_inter_channels, head_dropout)
        segmenter = SegmentationDecoder(DepthDecoder(maps, options, ()), head)
    decoder = DepthDecoder(maps, options) if depth else None
    poses = PoseNetwork(ResNet(pose_encoder, pose_width, num_images=2), pose_scale, pose_channels) if pose else None
    return PeerNetwork(backbone, decoder, segmenter, exchange, poses)


def modern(
    *,
    num_classes: int,
    encoder: str,
    width: int = 64,
    encoder_options: Mapping[str, Any],
    decoder_options: Mapping[str, Any],
    **parts: Any,
) -> PeerNetwork:
    """A transformer with DPT and UniMatch V2's classifier.

    `encoder_options` and `decoder_options` are ours. Of `parts` those that choose others are refused (ValueError), and
    those that are not read by such a network are ignored.
    """
    others = {name: parts.get(name) for name, value in MODERN.items() if parts.get(name) != value}
    if others:
        raise ValueError(f"the peers know a transformer with {MODERN} alone, got {others}")
    backbone = ViT(encoder, width, **encoder_options)
    decoder = DPT(backbone.channels, **decoder_options)
    segmenter = DPTSegmentation(decoder, Head(decoder.features, num_classes), PATCH)
    return PeerNetwork(backbone, None, segmenter, None, None)
