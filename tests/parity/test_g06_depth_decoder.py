"""The depth decoder against the published system, in all recorded variants."""

import jax
import pytest
from filled import assert_summary, decoder_options, filled, recorded_maps, shapes
from golden import both_precisions, nchw, recordings

from sde_seg_jax.models.depth_decoder import LEVELS, DepthDecoder
from sde_seg_jax.models.import_weights import decoder_part


@pytest.mark.parametrize("rec", recordings("g06_dec_"))
@both_precisions
def test_features_and_disparities(rec, dtype):
    decoder = DepthDecoder(**decoder_options(rec.params["depth_args"]))
    maps = recorded_maps(rec, dtype)
    assert [m.shape[-1] for m in maps] == rec.params["num_ch_enc"]
    like = shapes(decoder, maps)
    parts = [decoder_part((), "decoder.", like)]
    variables = filled(like, parts, rec.params["fill_seed"], dtype)
    decoded = jax.jit(decoder.apply)(variables, maps)
    for level in LEVELS:
        assert_summary(rec, f"upconv_{level}", nchw(decoded.level(level)), dtype)
    for scale, disparity in enumerate(decoded.disparity):
        rec.assert_matches(f"disp_{scale}", nchw(disparity))
