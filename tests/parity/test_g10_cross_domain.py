"""Mixing across domains and its masks against the published system."""

import jax.numpy as jnp
import numpy as np
import pytest
from golden import both_precisions, nchw, nhwc, recordings

from sde_seg_jax.mixing import apply, masks
from sde_seg_jax.types import IGNORE


@pytest.mark.parametrize("rec", recordings("g10_onemix"))
@both_precisions
def test_source_is_pasted_on_target_with_its_label_and_weight(rec, dtype):
    """The recording mixes a list of two: entry 0 is the source, entry 1 the target."""
    mask = jnp.asarray(rec["in.mask"] > 0)[..., None]
    tree = {"img": jnp.asarray(nhwc(rec.input("img", dtype))), "lbl": jnp.asarray(rec["in.lbl"])}
    tree["weights"] = jnp.asarray(rec.input("weights", dtype))
    source, target = ({key: value[i : i + 1] for key, value in tree.items()} for i in (0, 1))
    mixed = apply.paste(source, target, mask)
    rec.assert_matches("img", nchw(mixed["img"]))
    rec.assert_matches("lbl", mixed["lbl"])
    rec.assert_matches("weights", mixed["weights"])


@pytest.mark.parametrize("rec", recordings("g10_mix_masks_ssda"))
def test_depth_mix_within_the_target_is_the_published_one(rec):
    # float32: the inputs hold float32 ties with the margin, and no float64 run is recorded
    disparity = jnp.asarray(rec.input("depth", np.float32))[..., None]
    mask = masks.depth_mix_mask(disparity, apply.next_in_batch(disparity), rec.params["margin"])
    rec.assert_matches("mask_depthcomp", np.asarray(mask[..., 0], rec["out.mask_depthcomp"].dtype))


@pytest.mark.parametrize("rec", recordings("g10_mix_masks_ssda"))
def test_the_published_classes_give_the_published_mask_and_ours_are_half_of_the_real_ones(rec):
    """Published: ceil(n/2) of the n ids, the ignored one among them; ours: floor(n/2) of the classes (Q20)."""
    label, recorded = jnp.asarray(rec["in.label"])[None], rec["out.unique"]
    num_classes = int(recorded[recorded != IGNORE].max()) + 1
    present = masks.classes_present(label, num_classes)
    np.testing.assert_array_equal(np.flatnonzero(present[0]), recorded[recorded != IGNORE])

    # The recording's forced choice: distinct places in the list of ids, then 0, 1, 2, ..
    order = list(dict.fromkeys([*rec.params["choice"], *range(len(recorded))]))
    drawn = recorded[order[: int(rec["out.n_chosen"])]]
    assert len(drawn) == -(-len(recorded) // 2)
    found = masks.class_mask(label, jnp.asarray(drawn)[None])
    rec.assert_matches("class_mask", np.asarray(found[..., 0], rec["out.class_mask"].dtype))

    scores = jnp.arange(num_classes, dtype=jnp.float32)[None]
    ours = np.asarray(masks.half_of_classes(present, scores)[0])
    assert len(ours[ours >= 0]) == (recorded != IGNORE).sum() // 2
    assert IGNORE not in ours
