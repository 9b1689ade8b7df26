"""Residual encoders against the published system: features, running statistics, gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from filled import assert_summary, filled, shapes
from golden import both_precisions, nchw, nhwc, recordings, wave

from sde_seg_jax.models.import_weights import encoder_part, to_torch
from sde_seg_jax.models.resnet import make_encoder
from sde_seg_jax.types import Variables


def cases(train: bool) -> list:
    """The recordings in training mode, or the others."""
    return [
        param
        for param in recordings("g05_enc_")
        if param.values[0] is None or ("out.loss" in param.values[0].entry["arrays"]) == train
    ]


def prepared(rec, dtype):
    """Encoder, its filled variables and the recorded input, NHWC."""
    encoder = make_encoder(
        rec.params["backbone"],
        dilate=rec.params["replace_stride_with_dilation"],
        num_images=rec.params.get("num_input_images", 1),
    )
    image = nhwc(rec.input("x", dtype))
    like = shapes(encoder, image)
    variables = filled(like, [encoder_part()], rec.params["fill_seed"], dtype)
    return encoder, variables, image


@pytest.mark.parametrize("rec", cases(train=False))
@both_precisions
def test_features(rec, dtype):
    encoder, variables, image = prepared(rec, dtype)
    maps = jax.jit(encoder.apply)(variables, image)
    rec.assert_matches("num_ch_enc", np.array(encoder.channels))
    for i, features in enumerate(maps):
        assert_summary(rec, f"f{i}", nchw(features), dtype)
        assert image.shape[1] == features.shape[1] * encoder.strides[i]
        if f"out.f{i}" in rec:  # the whole map is the published float32 run's: as exact as that run
            noise = rec.entry["arrays"][f"out64.f{i}_sample"]["suggested_atol_for_a_float32_implementation"]
            np.testing.assert_allclose(nchw(features), rec[f"out.f{i}"], rtol=0, atol=noise)


@pytest.mark.parametrize("rec", cases(train=True))
@both_precisions
def test_training_mode(rec, dtype):
    encoder, variables, image = prepared(rec, dtype)

    @functools.partial(jax.value_and_grad, has_aux=True)
    def loss(params, batch_stats):
        state = {"params": params, "batch_stats": batch_stats}
        maps, updated = encoder.apply(state, image, train=True, mutable=["batch_stats"])
        maps = [jnp.moveaxis(m, -1, 1) for m in maps]
        return sum((m * wave(m.shape, dtype)).mean() for m in maps), (maps, updated["batch_stats"])

    step = jax.jit(loss)
    (value, (maps, once)), grads = step(variables["params"], variables["batch_stats"])
    (_, (_, twice)), _ = step(variables["params"], once)

    rec.assert_matches("loss", value)
    for i, features in enumerate(maps):
        assert_summary(rec, f"f{i}", features, dtype)
    for number, running in ((1, once), (2, twice)):
        state = to_torch(Variables({}, running), [encoder_part()])
        for leaf in ("running_mean", "running_var"):
            values = np.concatenate([state[f"{name}.{leaf}"] for name in rec["out.bn_names"]])
            rec.assert_matches(f"{leaf}_after{number}", values)

    grads = to_torch(Variables(grads, {}), [encoder_part()])
    rec.assert_matches("grad_norms", np.array([np.linalg.norm(grads[name]) for name in rec["out.param_names"]], dtype))
    for name in rec.params["grad_params"]:
        grad = grads[name].reshape(-1)
        rec.assert_matches(f"grad.{name}", grad[:: max(1, grad.size // 2000)])
