"""The segmentation decoder and its heads against the published system."""

import jax
import pytest
from filled import assert_summary, decoder_options, filled, recorded_maps, shapes
from golden import both_precisions, nchw, recordings

from sde_seg_jax.models.depth_decoder import DepthDecoder
from sde_seg_jax.models.import_weights import segmentation_parts
from sde_seg_jax.models.segmentation import SegmentationDecoder, SegmentationHead


def made(params: dict) -> SegmentationDecoder:
    """The decoder that a recording's `seg_args` describe."""
    args = params["seg_args"]
    head = SegmentationHead(
        num_classes=params["num_classes"],
        layers=tuple(args["layers"]),
        channels=args["layer_out_channels"],
        stride=args["output_stride"],
        inter_channels=args["head_inter_channels"] if args["head_inter"] else None,
        dropout_rate=args["head_dropout"],
    )
    return SegmentationDecoder(DepthDecoder(**decoder_options(params["depth_args"]), scales=()), head)


@pytest.mark.parametrize("rec", recordings("g08_jointseg_"))
@both_precisions
def test_logits(rec, dtype):
    decoder = made(rec.params)
    maps = recorded_maps(rec, dtype)
    like = shapes(decoder, maps)
    parts = segmentation_parts((), "", like)
    variables = filled(like, parts, rec.params["fill_seed"], dtype)
    logits = jax.jit(decoder.apply)(variables, maps)
    assert_summary(rec, "semantics", nchw(logits), dtype)
