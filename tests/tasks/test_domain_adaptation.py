import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import toy
from toy import Toy, assert_finite, batch, fast_jit, state_of, variables

from sde_seg_jax.mixing import rule
from sde_seg_jax.tasks import domain_adaptation, domain_mixing
from sde_seg_jax.tasks.pictures import Mix
from sde_seg_jax.training import ema
from sde_seg_jax.training.step import make_step
from sde_seg_jax.types import IGNORE, Streams

CROSS_ENTROPY = {"cross_entropy": 1.0}
SEQUENCES = {"cross_entropy": 1.0, "photometric": 1.0, "smoothness": 1e-3}
WEIGHTS = {"source": 1.0, "target": 1.0, "intra_domain": 1.0, "cross_domain": 1.0}
NETWORKS = {"depth_network": Toy(), "source_depth_network": Toy()}
MIXING = {"mix": "depth", "cross_mix": "depth", "mix_margin": 0.03, "margin_sign": "random", "confidence": 0.968}
SGD = optax.sgd(0.1)


def make_state(network=None):
    frozen = {"depth": variables(Toy(), seed=5), "source_depth": variables(Toy(), seed=6)}
    return state_of(network or Toy(), SGD, teacher=True, frozen=frozen)


def data(size, labeled=None, fields=None):
    """All three streams, or those of `fields` with the optional fields they read alone."""
    made = toy.streams(size, labeled=labeled).replace(source=batch(size, seed=9))
    if fields is None:
        return made
    kept = {}
    for name, wanted in fields.items():
        each = getattr(made, name)
        each = each if "label" in wanted else each.replace(label=None, labeled=None)
        kept[name] = each if "neighbors" in wanted else each.replace(neighbors=None)
    return Streams(**kept)


def run(streams, losses=CROSS_ENTROPY, state=None, **options):
    """(loss, aux), gradient."""
    loss = domain_adaptation.make_loss(Toy(), losses=losses, **(NETWORKS | options))
    both = fast_jit(jax.value_and_grad(loss, has_aux=True))
    state = make_state() if state is None else state
    return both(state.student.params, state, streams, jax.random.key(3))


def reads(losses, **weights):
    return domain_adaptation.TASK.streams(losses, WEIGHTS | weights)


@pytest.mark.parametrize("size", [1, 3])
def test_the_loss_is_the_weighted_sum_of_its_parts_at_any_batch_size(size):
    losses = SEQUENCES | {"berhu": 0.1}
    weights = {"source": 0.5, "target": 2.0, "intra_domain": 3.0, "cross_domain": 0.25}
    (loss, aux), gradient = run(data(size, [True, False, False][:size], reads(losses)), losses, **weights)
    assert_finite((loss, aux, gradient))
    logs = aux.logs
    target = sum(SEQUENCES[name] * logs[name] for name in SEQUENCES)
    source = logs["source/cross_entropy"] + 0.1 * logs["source/berhu"]
    expected = 0.5 * source + 2 * target + 3 * logs["agreement"] + 0.25 * logs["cross/agreement"]
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    for part in ("encoder", "depth_decoder", "segmentation", "pose_network"):
        assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(gradient[part])) > 0, part


OFF = {
    "source": ({"labeled", "unlabeled", "source"}, "source/cross_entropy"),
    "target": ({"unlabeled", "source"}, "cross_entropy"),
    "intra_domain": ({"labeled", "unlabeled", "source"}, "agreement"),
    "cross_domain": ({"labeled", "unlabeled", "source"}, "cross/agreement"),
}


@pytest.mark.parametrize("part", OFF)
def test_a_weight_of_zero_removes_a_part_and_what_only_it_reads(part):
    wanted, logged = OFF[part]
    fields = reads(CROSS_ENTROPY, **{part: 0.0})
    assert set(fields) == wanted
    (loss, aux), gradient = run(data(2, [True, False], fields), **{part: 0.0})
    assert_finite((loss, gradient))
    assert logged not in aux.logs
    assert {log for _, log in OFF.values()} - {logged} <= set(aux.logs)


def test_without_mixes_the_teacher_does_not_run_and_unlabeled_images_are_not_read():
    off = {"intra_domain": 0.0, "cross_domain": 0.0}
    fields = reads(CROSS_ENTROPY, **off)
    assert fields == {"labeled": ("label",), "source": ("label",)}
    state = make_state().replace(frozen={})
    (loss, aux), _ = run(data(2, fields=fields), state=state, **off)
    assert aux.teacher_stats is None
    np.testing.assert_allclose(loss, aux.logs["cross_entropy"] + aux.logs["source/cross_entropy"], rtol=1e-6)


def test_without_source_and_cross_domain_mix_the_source_is_not_read():
    assert set(reads(CROSS_ENTROPY, source=0.0, cross_domain=0.0)) == {"labeled", "unlabeled"}


def test_fields_that_are_read_follow_the_losses_and_the_weights():
    assert reads(SEQUENCES)["labeled"] == ("label", "neighbors")
    assert reads(SEQUENCES)["unlabeled"] == ("label",)
    unsupervised = {"unlabeled": ("neighbors",), "source": ("label",)}
    assert reads(SEQUENCES, target=0.0) == unsupervised
    assert reads(SEQUENCES, target=0.0, intra_domain=0.0, cross_domain=0.0) == unsupervised
    assert reads(CROSS_ENTROPY, target=0.0) == {"unlabeled": (), "source": ("label",)}


def test_disparities_are_read_by_what_mixes_by_depth_and_by_berhu():
    def cached(losses=CROSS_ENTROPY, **options):
        return domain_adaptation.TASK.cached(losses, WEIGHTS | {"mix": "class", "cross_mix": "class"} | options)

    assert cached() == ()
    assert cached(mix="depth") == ("unlabeled",)
    assert cached(cross_mix="depth") == ("unlabeled", "source")
    assert cached({"cross_entropy": 1.0, "berhu": 0.1}) == ("source",)


def test_parts_of_the_network_follow_the_losses():
    def needs(losses):
        return domain_adaptation.TASK.needs(losses, WEIGHTS)

    assert needs(CROSS_ENTROPY) == ("segmentation",)
    assert set(needs({"cross_entropy": 1.0, "berhu": 0.1})) == {"depth", "segmentation"}
    assert set(needs(SEQUENCES)) == {"depth", "segmentation", "pose"}


@pytest.mark.parametrize("losses", [CROSS_ENTROPY, SEQUENCES])
def test_unsupervised_adaptation_never_reads_a_target_label(losses):
    (loss, aux), gradient = run(data(2, fields=reads(losses, target=0.0)), losses, target=0.0)
    assert_finite((loss, aux, gradient))
    assert ("photometric" in aux.logs) == ("photometric" in losses)
    own = sum(losses[name] * aux.logs[name] for name in losses if name != "cross_entropy")
    parts = [aux.logs[name] for name in ("source/cross_entropy", "agreement", "cross/agreement")]
    np.testing.assert_allclose(loss, own + sum(parts), rtol=1e-5)


def mixes(streams, state=None, **options):
    """`domain_mixing.Mixed` of a batch."""
    options = MIXING | {"intra_domain": 1.0, "cross_domain": 1.0, "teacher": "ema_stats"} | NETWORKS | options
    mixing = fast_jit(domain_mixing.make_mixing(Toy(), **options))
    return mixing(make_state() if state is None else state, streams, jax.random.key(0))


def test_labeled_target_images_are_pasted_within_the_target():
    streams = data(2, [False, False])
    found = mixes(streams, kept="labeled")
    kept, under = found.within_pair
    np.testing.assert_allclose(kept.image, np.asarray(streams.labeled.image, np.float32) / 255, rtol=1e-6)
    np.testing.assert_array_equal(under.image, found.target.image)
    expected = np.where(found.within_mask, kept.probability, under.probability)
    np.testing.assert_array_equal(found.within.probability, expected)


@pytest.mark.parametrize("option", [{"kept": "labeled"}, {"prior": 0.3}])
def test_without_target_labels_none_are_pasted_or_counted(option):
    with pytest.raises(ValueError, match=r"read labels of the target; set task.target above 0"):
        domain_adaptation.make_loss(Toy(), losses={"cross_entropy": 1.0}, target=0.0, **option, **NETWORKS)


def test_source_is_pasted_with_its_label_and_the_target_s_truth_replaces_the_teacher():
    streams = data(2, [True, False])
    found = mixes(streams)
    across, mask = found.across, np.asarray(found.across.mask)
    assert 0 < mask.mean() < 1
    source, target = (np.asarray(getattr(streams, name).image, np.float32) / 255 for name in ("source", "unlabeled"))
    np.testing.assert_allclose(across.image, np.where(mask, source, target), rtol=1e-6)
    mask, label = mask[..., 0], np.asarray(across.label)
    np.testing.assert_array_equal(label[mask], streams.source.label[mask])
    np.testing.assert_array_equal(label[0][~mask[0]], streams.unlabeled.label[0][~mask[0]])
    opinion = np.asarray(found.target.probability[1].argmax(-1))
    np.testing.assert_array_equal(label[1][~mask[1]], opinion[~mask[1]])


def test_pasted_pixels_weigh_one_and_the_others_the_confident_share_of_the_unmixed_target():
    found = mixes(data(2, [True, False]), confidence=1.0)  # so that no opinion of the teacher is confident,
    mask = np.asarray(found.across.mask[..., 0])
    assert found.across.confident == 0.5  # but all of the labeled sample, its ignored pixels as well
    np.testing.assert_array_equal(found.across.weight, np.where(mask, np.float32(1), np.float32(0.5)))


@pytest.mark.parametrize(("weighting", "unsure"), [("pixel", 0), ("none", 1)])
def test_other_weightings_of_what_is_not_pasted(weighting, unsure):
    found = mixes(data(2, [True, False]), confidence=1.0, weighting=weighting)
    mask = np.asarray(found.across.mask[..., 0])
    expected = np.where(mask | np.array([True, False])[:, None, None], 1, unsure)
    np.testing.assert_array_equal(found.across.weight, expected)


def test_both_mixes_begin_to_count_over_the_ramp():
    streams, weights = data(2, [True, False]), {"intra_domain": 3.0, "cross_domain": 0.25}
    state = make_state().replace(step=jnp.int32(15))
    (loss, aux), _ = run(streams, state=state, ramp=(10, 20), **weights)
    mixes = 3 * aux.logs["agreement"] + 0.25 * aux.logs["cross/agreement"]
    expected = aux.logs["cross_entropy"] + aux.logs["source/cross_entropy"] + mixes / 2
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_ignored_pixels_teach_nothing():
    streams = data(1, [True])
    ramp = np.linspace(0, 1, 16 * 24, dtype=np.float32).reshape(1, 16, 24)  # of both: all ties, so all is pasted
    streams = streams.replace(
        source=streams.source.replace(disparity=ramp, label=np.full_like(streams.source.label, IGNORE)),
        unlabeled=streams.unlabeled.replace(disparity=ramp),
    )
    off = {"target": 1.0, "source": 0.0, "intra_domain": 0.0, "margin_sign": "fixed"}
    (_, aux), _ = run(streams, **off)
    assert aux.logs["cross/pasted"] == 1
    assert aux.logs["cross/agreement"] == 0


@pytest.mark.parametrize("mix", rule.names())
def test_every_mixing_rule_serves_across_domains(mix):
    streams = data(2, [True, False])
    found = mixes(streams, cross_mix=mix).across
    source, target = (getattr(streams, name).image.astype(np.float32) / 255 for name in ("source", "unlabeled"))
    assert found.mask.all() if mix == "none" else 0 < found.mask.mean() < 1
    np.testing.assert_allclose(found.image, np.where(found.mask, source, target), rtol=1e-6)


def test_class_mix_across_domains_pastes_half_of_the_source_s_classes():
    streams = data(3, [False] * 3)
    found = mixes(streams, state=make_state().replace(frozen={}), mix="class", cross_mix="class")
    mask = np.asarray(found.across.mask[..., 0])
    for pasted, label in zip(mask, streams.source.label, strict=True):
        assert len(np.unique(label[pasted])) == len(np.unique(label[label != IGNORE])) // 2
        assert IGNORE not in label[pasted]
        assert not set(label[pasted]) & set(label[~pasted])
    assert found.target.disparity is None


def test_disparities_of_both_domains_are_normalized_alike():
    found = mixes(data(2, [False, False]))
    for disparity in (found.across.source_disparity, found.target.disparity):
        np.testing.assert_array_equal(disparity.min((1, 2, 3)), 0)
        np.testing.assert_array_equal(disparity.max((1, 2, 3)), 1)


def test_cached_disparities_take_the_networks_place():
    streams = data(2, [False, False])
    near = np.random.default_rng(0).random((2, 2, *toy.SIZE), np.float32)
    streams = streams.replace(
        source=streams.source.replace(disparity=near[0]), unlabeled=streams.unlabeled.replace(disparity=near[1])
    )
    state = make_state().replace(frozen={})
    (loss, aux), gradient = run(streams, state=state, depth_network=None, source_depth_network=None)
    assert_finite((loss, aux, gradient))
    assert 0 < aux.logs["cross/pasted"] < 1


@pytest.mark.parametrize(
    ("losses", "options", "missing", "message"),
    [
        (CROSS_ENTROPY, {}, "source_depth", "source domain: set task.source_depth_checkpoint, .* task.cross_mix=class"),
        (CROSS_ENTROPY, {}, "depth", "needs a depth network: set task.depth_checkpoint"),
        (
            {"cross_entropy": 1.0, "berhu": 0.1},
            {"mix": "class", "cross_mix": "class"},
            "source_depth",
            "no losses.berhu.*source_data.depth_cache",
        ),
    ],
)
def test_a_missing_disparity_names_the_remedy(losses, options, missing, message):
    with pytest.raises(ValueError, match=message):
        run(data(1, [False]), losses, **options, **{f"{missing}_network": None})


@pytest.mark.parametrize(
    ("losses", "weights", "message"),
    [
        (CROSS_ENTROPY, {"source": 0.0, "target": 0.0}, "task.source and task.target are both 0"),
        (SEQUENCES | {"feature_distance": 1e-2}, {}, "remove losses.feature_distance"),
        ({"photometric": 1.0}, {}, "learns from labels; add losses.cross_entropy"),
        ({"cross_entropy": 1.0, "berhu": 0.1}, {"source": 0.0}, "losses.berhu imitates .* set task.source above 0"),
    ],
)
def test_what_cannot_be_learnt_is_refused_at_the_start(losses, weights, message):
    with pytest.raises(ValueError, match=message):
        reads(losses, **weights)
    with pytest.raises(ValueError, match=message):
        domain_adaptation.make_loss(Toy(), losses=losses, **weights)


@pytest.mark.parametrize("option", ["mix", "cross_mix", "margin_sign", "teacher"])
def test_unknown_options_list_the_known_ones(option):
    with pytest.raises(ValueError, match=f"unknown task.{option} 'x'; known: "):
        domain_adaptation.make_loss(Toy(), losses=CROSS_ENTROPY, **{option: "x"})


def test_domains_of_different_shape_name_the_remedy():
    streams = data(2, [False, False])
    streams = streams.replace(source=batch(1, seed=9))
    with pytest.raises(ValueError, match=r"source images are \(1, 16, 24, 3\), target images \(2, .* same data.crop"):
        mixes(streams)


def test_the_source_s_disparity_is_imitated_on_the_source_alone():
    losses, class_mix = {"cross_entropy": 1.0, "berhu": 1.0}, {"mix": "class", "cross_mix": "class"}
    streams = data(2, [False, False])
    _, gradient = run(streams, losses, target=0.0, **class_mix)
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(gradient["depth_decoder"])) > 0
    _, without = run(streams, target=0.0, **class_mix)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(without["depth_decoder"]))


def test_a_step_compiles_once_and_moves_student_and_teacher():
    loss = domain_adaptation.make_loss(Toy(), losses=CROSS_ENTROPY, **NETWORKS)
    traced = []

    def counted(*args):
        traced.append(args)
        return loss(*args)

    step = fast_jit(make_step(counted, SGD, ema.update_rule("batch_stats")))
    start = make_state()
    state, logs = step(start, data(2, [True, False]))
    state, logs = step(state, data(2, [False, True]))
    assert len(traced) == 1
    assert_finite((logs, state.student, state.teacher))
    for before, after in ((start.student, state.student), (start.teacher, state.teacher)):
        assert any(np.any(a != b) for a, b in zip(*map(jax.tree.leaves, (before, after)), strict=True))
    for a, b in zip(*map(jax.tree.leaves, (start.frozen, state.frozen)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("weights", "names"),
    [
        ({"intra_domain": 1.0, "cross_domain": 1.0}, {"mixing", "cross_mixing"}),
        ({"intra_domain": 0.0, "cross_domain": 1.0}, {"cross_mixing"}),
        ({"intra_domain": 1.0, "cross_domain": 0.0}, {"mixing"}),
    ],
)
def test_pictures_show_the_mixes_that_are_on(weights, names):
    options = MIXING | {"teacher": "ema_stats", "per_batch": False} | weights | NETWORKS
    mixer = fast_jit(domain_adaptation.TASK.make_mixer(Toy(), **options))
    found = mixer(make_state(), data(2, [True, False]), jax.random.key(0))
    assert found.keys() == names
    for mix in found.values():
        assert isinstance(mix, Mix)
        mixed = jnp.where(mix.mask, mix.kept, mix.under)
        np.testing.assert_array_equal(mix.image, mixed)
        assert mix.label.shape == mix.image.shape[:3]
        nearer = np.asarray(mix.kept_disparity >= mix.under_disparity + 0.031)
        assert np.asarray(mix.mask)[nearer].all()
