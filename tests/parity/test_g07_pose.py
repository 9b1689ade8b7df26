"""Camera motion against the published system: the decoder alone, and a whole network on three frames."""

import math

import jax
import jax.numpy as jnp
import pytest
from filled import assert_summary, filled, shapes
from golden import both_precisions, nchw, nhwc, recordings

from sde_seg_jax.geometry.se3 import inverse_transform, transform
from sde_seg_jax.models.import_weights import (
    network_parts,
    pose_decoder_part,
)
from sde_seg_jax.models.network import make_network
from sde_seg_jax.models.pose import PoseDecoder


@pytest.mark.parametrize("rec", recordings("g07_pose_decoder"))
@both_precisions
def test_pose_decoder(rec, dtype):
    decoder = PoseDecoder()
    features = nhwc(rec.input("f4", dtype))
    like = shapes(decoder, features)
    parts, seed = [pose_decoder_part()], rec.params["fill_seed"]
    variables = filled(like, parts, seed, dtype)
    axis_angle, translation = jax.jit(decoder.apply)(variables, features)
    rec.assert_matches("axisangle", axis_angle[:, :, None])
    rec.assert_matches("translation", translation[:, :, None])


def both_motions(network, earlier, later):
    """The two frames that the decoder predicts, of which the network returns the first."""
    part = network.pose_network
    return part.decoder(part.encoder(jnp.concatenate([earlier, later], axis=-1))[-1])


@pytest.mark.parametrize("rec", recordings("g07_joint_predict_poses"))
@both_precisions
def test_network_on_three_frames(rec, dtype):
    args = rec.params["depth_args"]
    network = make_network(
        encoder="resnet18",
        dilate=(False, False, False),
        decoder_channels=args["num_ch_dec"],
        aspp_rates=args["aspp_rates"],
        segmentation=False,
        dtype=None,
    )
    image = nhwc(rec.input("color_aug_0", dtype))
    # the pose network sees whole frames where they are recorded, else the crops
    full = "color_full_aug" if "in.color_full_aug_0" in rec else "color_aug"
    frames = [nhwc(rec.input(f"{full}_{f}", dtype)) for f in ("m1", "0", "1")]
    like = shapes(network, image, method="initialize")
    variables = filled(like, network_parts(like), rec.params["fill_seed"], dtype)

    @jax.jit  # one program: the pose encoder is compiled once
    def run(variables, image, m1, target, p1):
        def motion(method, *pair):
            return network.apply(variables, *pair, method=method)

        pairs = {"m1": (m1, target), "1": (target, p1)}  # temporal order
        both = {frame: motion(both_motions, *pair) for frame, pair in pairs.items()}
        first = {frame: motion("pose", *pair) for frame, pair in pairs.items()}
        return network.apply(variables, image), both, first

    outputs, both, first = run(variables, image, *frames)
    for scale, disparity in enumerate(outputs.disparity):
        if f"out64.disp_{scale}" in rec:
            rec.assert_matches(f"disp_{scale}", nchw(disparity))
    if "out64.bottleneck_sample" in rec:
        bottleneck = nchw(outputs.bottleneck)
        stride = math.ceil(bottleneck.size / rec["out64.bottleneck_sample"].size)
        assert_summary(rec, "bottleneck", bottleneck, dtype, stride)
    for frame, to_transform in (("m1", inverse_transform), ("1", transform)):
        axis_angle, translation = both[frame]
        rec.assert_matches(f"axisangle_{frame}", axis_angle[:, :, None])
        rec.assert_matches(f"translation_{frame}", translation[:, :, None])
        rec.assert_matches(f"cam_T_cam_{frame}", to_transform(*first[frame]))
