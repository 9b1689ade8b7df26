"""The multi-task decoders, which exchange features through attention, against the published system."""

from typing import Any

import jax
import pytest
from filled import assert_summary, decoder_options, filled, recorded_maps, shapes
from flax import linen as nn
from golden import both_precisions, nchw, recordings

from sde_seg_jax.models.depth_decoder import DepthDecoder
from sde_seg_jax.models.import_weights import multitask_parts
from sde_seg_jax.models.pad import Distillation, SegmentationBranch, decode_together

FINEST_LAYER = 9  # the published number of decoder level 0


class Decoders(nn.Module):
    """The decoders of the multi-task network without its encoder."""

    depth_decoder: Any
    segmentation: Any
    distillation: Any

    def __call__(self, maps):
        parts = (self.depth_decoder, self.segmentation, self.distillation)
        return decode_together(maps, *parts, train=False, dropout=False)


def made(params: dict) -> Decoders:
    """The decoders that a recording's `seg_args` describe."""
    args, options = params["seg_args"], decoder_options(params["depth_args"])
    branch = SegmentationBranch(
        DepthDecoder(**options, scales=()), params["num_classes"], args["output_stride"], args["side_output"]
    )
    return Decoders(DepthDecoder(**options), branch, Distillation(FINEST_LAYER - args["distillation_layer"]))


@pytest.mark.parametrize("rec", recordings("g08_pad_"))
@both_precisions
def test_disparities_and_logits(rec, dtype):
    decoders, maps = made(rec.params), recorded_maps(rec, dtype)
    like = shapes(decoders, maps)
    variables = filled(like, multitask_parts((), "", like), rec.params["fill_seed"], dtype)
    disparity, logits, intermediate = jax.jit(decoders.apply)(variables, maps)
    for scale, found in enumerate(disparity):
        rec.assert_matches(f"disp_{scale}", nchw(found))
    assert_summary(rec, "semantics", nchw(logits), dtype)
    if intermediate is not None:
        assert_summary(rec, "intermediate_semantics", nchw(intermediate), dtype)
