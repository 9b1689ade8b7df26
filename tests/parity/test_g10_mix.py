"""Mixing and its masks against the published system."""

import jax.numpy as jnp
import numpy as np
import pytest
from golden import both_precisions, nchw, nhwc, recordings

from sde_seg_jax.mixing import apply, masks


def named(name):
    """The recordings of exactly this name ("g10_mix" is a prefix of its neighbours)."""
    return [case for case in recordings("g10_mix") if case.values[0] is None or case.values[0].name == name]


@pytest.mark.parametrize("rec", named("g10_mix"))
@both_precisions
def test_paste_mixes_images_softmax_maps_and_labels(rec, dtype):
    mask = jnp.asarray(rec["in.mask"] > 0)[..., None]
    tree = {key: jnp.asarray(nhwc(rec.input(key, dtype))) for key in ("img", "softmax")}
    tree["lbl"] = jnp.asarray(rec["in.lbl"])
    mixed = apply.paste(tree, apply.next_in_batch(tree), mask)
    rec.assert_matches("img", nchw(mixed["img"]))
    rec.assert_matches("softmax", nchw(mixed["softmax"]))
    rec.assert_matches("lbl", mixed["lbl"])


@pytest.mark.parametrize("rec", named("g10_mix"))
@both_precisions
def test_pairs_mixed_both_ways_are_two_pastes(rec, dtype):
    mask = jnp.asarray(rec["in.mask_half"] > 0)[..., None]
    even, odd = (jnp.asarray(nhwc(rec.input("img4", dtype)[start::2])) for start in (0, 1))
    both = jnp.concatenate([apply.paste(even, odd, mask), apply.paste(odd, even, mask)])
    rec.assert_matches("half", nchw(both))


@pytest.mark.parametrize("rec", named("g10_mix_masks"))
def test_depth_masks_are_the_published_ones(rec):
    dtype = np.float32  # the inputs hold float32 ties with the margin, and no float64 run is recorded
    disparity = jnp.asarray(nhwc(rec.input("depth", dtype)))
    partner = apply.next_in_batch(disparity)
    margin, (low, high) = rec.params["margin"], rec.params["ft_range"]
    draws = jnp.asarray(rec.params["rand"], dtype)
    between = low + (high - low) * draws

    def check(key, mask):
        rec.assert_matches(key, np.asarray(mask[..., 0], rec[f"out.{key}"].dtype))

    check("mask_depthcomp", masks.depth_mix_mask(disparity, partner, margin))
    check("mask_depthcomp_ft02", masks.depth_mix_mask(disparity, partner, margin, 0.2))
    check("mask_depthcomp_ftrange", masks.depth_mix_mask(disparity, partner, margin, between))
    # the notes of the recording: thresholds of 'depth' are rand*0.3+0.1
    check("mask_depth", masks.nearer_than(disparity, 0.1 + 0.3 * draws))
    crowd = jnp.asarray(nhwc(rec.input("depth_hist", dtype)))
    # as published, raw disparities against a threshold in log(1+d): not our depth_histogram_mask (Q22)
    check("mask_depthhist", masks.nearer_than(crowd, masks.histogram_threshold(crowd, draws)))
    assert rec["out.mask_none"].all()  # "none" shows every image as it is


@pytest.mark.parametrize("rec", named("g10_mix_masks"))
def test_given_classes_select_their_pixels(rec):
    label, classes = jnp.asarray(rec["in.label"])[None], jnp.asarray(rec["in.classes"])[None]
    rec.assert_matches(
        "class_mask", np.asarray(masks.class_mask(label, classes)[0, ..., 0], rec["out.class_mask"].dtype)
    )


@pytest.mark.parametrize("rec", named("g10_mix_masks"))
def test_class_masks_are_the_published_ones_for_the_same_draw(rec):
    labels = rec["in.argmax"]
    num_classes = int(labels[labels != 250].max()) + 1
    present = masks.classes_present(jnp.asarray(labels), num_classes)
    rec.assert_matches("n_classes_present", np.asarray(present.sum(axis=1)))
    scores = np.full(present.shape, np.inf)
    for image, forced in enumerate(rec.params["class_choice"]):
        ids = np.flatnonzero(np.asarray(present[image]))
        order = list(
            dict.fromkeys([*forced, *range(len(ids))])
        )  # the recording's forced choice: distinct, then 0,1,2,..
        scores[image, ids[order]] = np.arange(len(ids))
    chosen = masks.half_of_classes(present, jnp.asarray(scores, jnp.float32))
    mask = masks.class_mask(jnp.asarray(labels), chosen)
    rec.assert_matches("mask_class", np.asarray(mask[..., 0], rec["out.mask_class"].dtype))
