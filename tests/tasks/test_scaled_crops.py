"""What a crop shows beyond an image that was scaled below it: nobody learns it, compares its depth or pastes by it."""

import jax
import numpy as np
import optax
import pytest
from toy import SIZE, Toy, fast_jit, state_of, streams

from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.scaled_crops import check_scaled_crops
from sde_seg_jax.tasks import semi_supervised
from sde_seg_jax.types import IGNORE, Streams

VALID = np.ones((3, *SIZE), bool)
VALID[0, 12:] = VALID[1, :, :5] = False


def data(beyond):
    """Images whose depth cache holds `beyond` where no image is."""
    found = streams(3, labeled=[True, False, False]).unlabeled
    disparity = np.random.default_rng(4).uniform(0.2, 0.7, VALID.shape).astype(np.float32)
    label = np.where(VALID, found.label, IGNORE)
    return Streams(unlabeled=found.replace(disparity=np.where(VALID, disparity, beyond), label=label, valid=VALID))


def mixed(given, **options):
    state = state_of(Toy(), optax.sgd(0.1), teacher=True)
    mixing = semi_supervised.make_mixing(Toy(), teacher="ema_stats", **options)
    return fast_jit(mixing)(state, given, jax.random.key(0))


@pytest.mark.parametrize("mix", ["cutmix", "class", "depth"])
def test_a_mixed_pixel_counts_where_the_image_that_it_shows_is_one(mix):
    (kept, under), result, mask, _ = mixed(data(0.0), mix=mix, views=2)
    valid = [np.concatenate([VALID, VALID]), np.concatenate([np.roll(VALID, -1, 0), np.roll(VALID, -2, 0)])]
    shown = np.where(np.asarray(mask)[..., 0], *valid)
    opinion = np.asarray(result.probability).sum(-1) > 0
    ignored = np.asarray(kept.classes) == IGNORE, np.asarray(under.classes) == IGNORE  # labels that are ignored anyway
    np.testing.assert_array_equal(opinion, shown & ~np.where(np.asarray(mask)[..., 0], *ignored))
    assert (np.asarray(result.classes)[~shown] == IGNORE).all()
    assert 0 < shown.mean() < 1
    if mix == "class":
        assert not np.asarray(mask)[..., 0][~valid[0]].any()


def test_depth_is_compared_within_images_alone():
    (near, far) = (mixed(data(beyond), mix="depth") for beyond in (1.0, 0.0))
    for one, two in zip(jax.tree.leaves(near), jax.tree.leaves(far), strict=True):
        np.testing.assert_array_equal(one, two)
    disparity = np.asarray(near[0][0].disparity)[..., 0]
    assert not disparity[~VALID].any()
    for one, where in zip(disparity, VALID, strict=True):
        assert (one[where].min(), one[where].max()) == pytest.approx((0, 1), abs=1e-6)


class Domain:
    """What of a data set is asked."""

    dataset, size, crop, source_domain = "here", (1024, 2048), (798, 798), None

    def __init__(self, scale, **more):
        self.scale = scale
        self.__dict__.update(more)


@pytest.mark.parametrize("term", ["photometric", "smoothness", "berhu", "relative_depth", "feature_distance"])
def test_terms_without_a_label_want_crops_that_are_filled(term):
    line = (
        r"data.scale=\(0.5, 2.0\) makes images \(1024, 2048\) of 'here' smaller than the crop \(798, 798\), and "
        rf"losses.{term} cannot leave out what is missing: raise the least scale to 0.78, or lower data.crop"
    )
    with pytest.raises(UsageError, match=line):
        check_scaled_crops(Domain((0.5, 2.0)), {"cross_entropy": 1.0, term: 1.0})
    check_scaled_crops(Domain((0.78, 2.0)), {term: 1.0})
    check_scaled_crops(Domain((0.5, 2.0)), {"cross_entropy": 1.0, "ohem": 1.0})
    small = Domain((0.78, 2.0), size=(800, 1200), dataset="there")
    with pytest.raises(UsageError, match="of 'there' smaller"):
        check_scaled_crops(Domain((0.78, 2.0), source_domain=small), {term: 1.0})
