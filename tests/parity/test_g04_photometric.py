"""g04: the whole depth loss in every variant, auto-masks, gradients to disparities and poses, test depths."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import both_precisions, nchw, nhwc, recordings

from sde_seg_jax.geometry import se3
from sde_seg_jax.geometry.depth import disparity_to_depth
from sde_seg_jax.imaging.resize import resize_bilinear
from sde_seg_jax.losses import photometric
from sde_seg_jax.losses.smoothness import smoothness
from sde_seg_jax.types import Intrinsics, Outputs, View

FRAMES = {"m1": se3.inverse_transform, "1": se3.transform}  # the recorded names of offsets -1 and +1
VARIANTS = ("default", "avg", "nossim", "noautomask", "avg_noautomask")


def scales(rec):
    return sum(name.startswith("in.disp_") for name in rec.arrays)


def inputs(rec, dtype):
    """(disparities, {frame: (axis-angle, translation)}): what the recordings differentiate by."""
    disparities = tuple(jnp.asarray(nhwc(rec.input(f"disp_{s}", dtype))) for s in range(scales(rec)))
    read = lambda name: jnp.asarray(rec.input(name, dtype)[:, 0])  # noqa: E731
    return disparities, {f: (read(f"axisangle_{f}"), read(f"translation_{f}")) for f in FRAMES}


@pytest.fixture(autouse=True)
def recorded_inverse(request, monkeypatch):
    """The recorded K^-1 is a rounded pseudo-inverse (Q2), ours exact. Here the recorded one is used."""
    rec, dtype = request.node.callspec.params["rec"], request.node.callspec.params.get("dtype", np.float32)
    if rec and "in.inv_K" in rec:
        inverse = rec.input("inv_K", dtype)[:, :3, :3]
        monkeypatch.setattr(photometric.camera, "inverse_matrix", lambda intrinsics: jnp.asarray(inverse))


def view_of(rec, dtype, disparities, motions):
    """`color_f_0` are the frames; the recorded K is used through its four numbers."""
    k = rec.input("K", dtype)
    return View(
        image=jnp.asarray(nhwc(rec.input("color_0_0", dtype))),
        outputs=Outputs(disparity=disparities),
        sources=jnp.stack([jnp.asarray(nhwc(rec.input(f"color_{f}_0", dtype))) for f in FRAMES], 1),
        source_from_target=jnp.stack([FRAMES[f](*motions[f]) for f in FRAMES], 1),
        intrinsics=Intrinsics(*(jnp.asarray(k[:, i, j]) for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))),
    )


def options_of(rec, variant):
    flags = rec.params["variants"][variant]
    return {
        "min_depth": rec.params["min_depth"],
        "max_depth": rec.params["max_depth"],
        "error": photometric.ERRORS["l1" if flags.get("no_ssim") else "ssim_l1"],
        "reduce": photometric.REDUCTIONS["average" if flags.get("avg_reprojection") else "minimum"],
        "auto_mask": not flags.get("disable_automasking", False),
        "tie_break": 0,  # the recording replaces the noise by zeros
    }


def scale_losses(rec, dtype, variant, disparities, motions):
    maps, counts = photometric.photometric_maps(
        view_of(rec, dtype, disparities, motions), jax.random.key(0), **options_of(rec, variant)
    )
    smooth = [
        smoothness(d, jnp.asarray(nhwc(rec.input(f"color_0_{s}", dtype)))) / 2**s for s, d in enumerate(disparities)
    ]
    return maps.mean((0, 2, 3, 4)) + rec.params["disparity_smoothness"] * jnp.stack(smooth), counts


def check_up_to_ties(rec, key, actual):
    """float64: exactly. float32: where two candidates of a minimum are nearly equal, rounding may pick the other.

    One such pixel leaves the loss as it is, but moves a mask entry, the gradient of the disparities around
    it, and the poses' by its own share. So 99 % of each map hold the manifest's tolerance (far fewer than
    1 % are ever tied), and the few numbers of a pose hold 0.5 % of the largest.
    """
    actual, recorded = np.asarray(actual), f"out64.{key}" if f"out64.{key}" in rec else f"out.{key}"
    if actual.dtype == np.float64:
        rec.assert_matches(key, actual, outliers=True)
    elif actual.dtype == np.uint8:
        assert (actual == rec[recorded]).mean() >= 0.99
    else:
        noise = rec.entry["arrays"][recorded]
        atol, error = noise["suggested_atol_for_a_float32_implementation"], np.abs(actual - rec[recorded])
        if actual.size > 100:
            assert (error <= atol).mean() >= 0.99
            atol = noise["maxabs"]
        assert error.max() <= max(atol, 5e-3 * noise["maxabs"]), key


@pytest.mark.parametrize("rec", recordings("g04_monodepth_loss"))
@pytest.mark.parametrize("variant", VARIANTS)
@both_precisions
def test_loss_masks_and_gradients(rec, variant, dtype):
    assert set(rec.params["variants"]) == set(VARIANTS)

    def total(disparities, motions):
        losses, counts = scale_losses(rec, dtype, variant, disparities, motions)
        return losses.mean(), (losses, counts)

    gradient = jax.jit(jax.value_and_grad(total, (0, 1), has_aux=True))
    (loss, (losses, counts)), (by_disparity, by_motion) = gradient(*inputs(rec, dtype))
    rec.assert_matches(f"{variant}.loss", loss)
    rec.assert_matches(f"{variant}.loss_scales", losses)
    for s, g in enumerate(by_disparity):
        check_up_to_ties(rec, f"{variant}.grad_disp_{s}", nchw(g))
    for f, (axis_angle, translation) in by_motion.items():
        check_up_to_ties(rec, f"{variant}.grad_axisangle_{f}", axis_angle[:, None])
        check_up_to_ties(rec, f"{variant}.grad_translation_{f}", translation[:, None])
    for s in range(scales(rec)):
        key = f"{variant}.identity_selection_{s}"
        if f"out.{key}" in rec:
            selection = np.asarray(counts[:, s, ..., 0], np.uint8)
            check_up_to_ties(rec, key, selection) if dtype == np.float32 else rec.assert_matches(key, selection)


@pytest.mark.parametrize("rec", recordings("g04_monodepth_loss"))
@both_precisions
def test_warped_frames_and_depth(rec, dtype):
    disparities, motions = inputs(rec, dtype)
    low, high = rec.params["min_depth"], rec.params["max_depth"]
    view = view_of(rec, dtype, disparities, motions)
    warped = jax.jit(lambda v: photometric.warp_sources(v, low, high))(view)
    subsampled = lambda x: nchw(x)[..., ::2, ::3]  # noqa: E731  (as the notes of the recording say)
    rec.assert_matches("depth_0", subsampled(disparity_to_depth(disparities[0], low, high)))
    for name in rec.arrays:
        kind, _, rest = name.partition(".")
        if kind == "out" and rest.startswith("color_"):
            _, f, s = rest.split("_")
            rec.assert_matches(rest, subsampled(warped[:, list(FRAMES).index(f), int(s)]))


@pytest.mark.parametrize("rec", recordings("g04_monodepth_loss"))
def test_term_is_the_recorded_loss_without_smoothness(rec):
    view = view_of(rec, np.float32, *inputs(rec, np.float32))
    term = jax.jit(functools.partial(photometric.term, **options_of(rec, "default")))(view, jax.random.key(0))
    images = [jnp.asarray(nhwc(rec.input(f"color_0_{s}", np.float32))) for s in range(scales(rec))]
    pairs = enumerate(zip(view.outputs.disparity, images, strict=True))
    smooth = np.mean([smoothness(d, i) / 2**s for s, (d, i) in pairs])
    rec.assert_matches("default.loss", term + rec.params["disparity_smoothness"] * np.float32(smooth))


@pytest.mark.parametrize("rec", recordings("g04_generate_depth_test_pred"))
@both_precisions
def test_test_depths(rec, dtype):
    size = rec["in.disp_0"].shape[2:]
    for s in range(scales(rec)):
        disparity = resize_bilinear(jnp.asarray(nhwc(rec.input(f"disp_{s}", dtype))), size)
        rec.assert_matches(f"depth_{s}", nchw(disparity_to_depth(disparity, 1e-3, 80)))
