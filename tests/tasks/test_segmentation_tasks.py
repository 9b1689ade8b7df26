import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toy import CLASSES, Toy, assert_finite, batch, dtypes, fast_jit, state_of, streams, variables

from sde_seg_jax.mixing import rule
from sde_seg_jax.tasks import semi_supervised, supervised, teacher
from sde_seg_jax.tasks.forward import to_float
from sde_seg_jax.training import ema
from sde_seg_jax.training.step import make_step
from sde_seg_jax.types import IGNORE, Streams

LOSSES = {"cross_entropy": 1.0}


def make_state(network):
    return state_of(network, optax.sgd(0.1), teacher=True, frozen={"depth": variables(Toy(), seed=5)})


def run(task, data, dtype="float32", **options):
    network = Toy(dtype)
    state = make_state(network)
    if task is semi_supervised:
        options = {"depth_network": Toy(), **options}
    loss = task.make_loss(network, losses=LOSSES, **options)
    both = fast_jit(jax.value_and_grad(loss, has_aux=True))
    return both(state.student.params, state, data, jax.random.key(3))


@pytest.mark.parametrize("size", [1, 3])
def test_supervised_runs_at_any_batch_size(size):
    (loss, aux), gradient = run(supervised, streams(size))
    assert_finite((loss, aux, gradient))
    assert aux.logs.keys() == {"cross_entropy"}


def test_semi_supervised_runs_on_a_single_image():
    (loss, aux), gradient = run(semi_supervised, streams(1, labeled=[False]), mix="class", teacher="ema_stats")
    assert_finite((loss, aux, gradient))
    assert aux.teacher_stats is None
    np.testing.assert_allclose(loss, aux.logs["cross_entropy"] + aux.logs["agreement"], rtol=1e-6)


@pytest.mark.parametrize(("task", "options"), [(supervised, {}), (semi_supervised, {"mix": "none"})])
def test_bfloat16_computes_a_finite_loss_with_float32_parameters_and_statistics(task, options):
    (loss, aux), gradient = run(task, streams(2), dtype="bfloat16", **options)
    assert_finite((loss, gradient))
    assert dtypes((loss, aux.batch_stats, gradient)) == {"float32"}


def mixer(mix, teacher="ema_stats", **options):
    options = {"mix": mix, "mix_margin": 0.03, "teacher": teacher, "depth_network": Toy(), **options}
    return semi_supervised.make_mixing(Toy(), **options)


@pytest.mark.parametrize("mix", rule.names())
def test_every_mix_takes_each_pixel_whole_from_an_image_or_its_partner(mix):
    data = streams(3, labeled=[True, False, False])
    (pseudo, _), mixed, mask, _ = fast_jit(mixer(mix))(make_state(Toy()), data, jax.random.key(0))
    assert mask.all() if mix == "none" else 0 < mask.mean() < 1
    for field in ("image", "probability"):
        own = np.asarray(getattr(pseudo, field))
        np.testing.assert_array_equal(getattr(mixed, field), np.where(mask, own, np.roll(own, -1, axis=0)))


def test_the_teacher_and_the_depth_network_get_no_gradient():
    state, data = make_state(Toy()), batch(2, labeled=[False, False])

    def of(teacher, depth):
        replaced = state.replace(teacher=teacher, frozen={"depth": depth})
        _, mixed, _, _ = mixer("depth", "batch_stats")(replaced, Streams(unlabeled=data), jax.random.key(0))
        return jnp.sum(mixed.probability[..., 0])

    gradient = fast_jit(jax.grad(of, (0, 1)))(state.teacher, state.frozen["depth"])
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient))


def test_ground_truth_replaces_the_teacher_only_where_a_sample_is_labeled():
    data = batch(2, labeled=[True, False])
    logits = jax.random.normal(jax.random.key(0), (*data.label.shape, CLASSES))
    found = np.asarray(teacher._probability(logits, data))
    known = data.label[0] != IGNORE
    assert (found[0][~known] == 0).all()  # no opinion where the truth has none
    assert (found[0][known].argmax(-1) == data.label[0][known]).all()
    assert (found[0][known].max(-1) == 1).all()
    np.testing.assert_array_equal(found[1], jax.nn.softmax(logits[1]))


def test_without_labels_in_the_stream_the_teacher_decides_alone():
    data = batch(2).replace(label=None)
    logits = jnp.ones((*data.image.shape[:3], CLASSES))
    np.testing.assert_allclose(teacher._probability(logits, data), 1 / CLASSES, rtol=1e-6)


def test_depth_mix_keeps_what_is_nearer_with_its_label():
    near = np.zeros((2, 16, 24), np.float32)
    near[0, :, :12], near[1, :, 12:] = 1, 1
    data = batch(2).replace(disparity=near)  # cached: needs no depth network
    options = {"mix": "depth", "mix_margin": 0.03, "teacher": "ema_stats"}
    mix, data = semi_supervised.make_mixing(Toy(), **options), Streams(unlabeled=data)
    (pseudo, _), mixed, mask, _ = mix(make_state(Toy()), data, jax.random.key(0))
    np.testing.assert_array_equal(mask[0, ..., 0], near[0] == 1)
    np.testing.assert_array_equal(mixed.image[0, :, :12], pseudo.image[0, :, :12])
    np.testing.assert_array_equal(mixed.image[0, :, 12:], pseudo.image[1, :, 12:])
    np.testing.assert_array_equal(mixed.probability[0, :, 12:], pseudo.probability[1, :, 12:])


@pytest.mark.parametrize("mix", ["class", "depth"])
def test_labeled_images_are_pasted_on_unlabeled_ones_with_their_ground_truth(mix):
    data = streams(3, labeled=[False] * 3)
    (kept, under), mixed, mask, _ = fast_jit(mixer(mix, kept="labeled"))(make_state(Toy()), data, jax.random.key(0))
    np.testing.assert_allclose(kept.image, to_float(data.labeled.image), rtol=1e-6)
    np.testing.assert_allclose(under.image, to_float(data.unlabeled.image), rtol=1e-6)
    np.testing.assert_array_equal(kept.probability.argmax(-1)[data.labeled.label != IGNORE], known(data.labeled))
    assert (np.asarray(kept.probability)[data.labeled.label == IGNORE] == 0).all()
    assert 0 < mask.mean() < 1
    for field in ("image", "probability"):
        expected = np.where(mask, getattr(kept, field), getattr(under, field))
        np.testing.assert_array_equal(getattr(mixed, field), expected)


def known(batch):
    return batch.label[batch.label != IGNORE]


@pytest.mark.parametrize(
    ("labeled", "message"),
    [(None, "this run reads none; set task.target above 0"), (batch(2), "both streams need one batch size and crop")],
)
def test_pasting_labeled_images_needs_as_many_of_them(labeled, message):
    data = Streams(labeled=labeled, unlabeled=batch(3, labeled=[False] * 3))
    with pytest.raises(ValueError, match=message):
        mixer("class", kept="labeled")(make_state(Toy()), data, jax.random.key(0))


@pytest.mark.parametrize(
    ("mix", "kept", "read"),
    [
        ("class", "labeled", ()),
        ("depth", "unlabeled", ("unlabeled",)),
        ("depth", "labeled", ("unlabeled", "labeled")),
    ],
)
def test_disparities_are_read_of_all_that_is_mixed_by_them(mix, kept, read):
    assert semi_supervised.cached({}, {"mix": mix, "kept": kept}) == read


def test_rare_classes_count_more_in_pseudo_labels_and_ground_truth_stays():
    data, shares = streams(2, labeled=[True, False]), np.full(CLASSES, 0.9 / (CLASSES - 1))
    shares[1] = 0.1
    options = {"kept": "unlabeled", "class_shares": tuple(shares)}
    plain, adjusted = (
        fast_jit(mixer("class", prior=prior, **options))(make_state(Toy()), data, jax.random.key(0))[0][0].probability
        for prior in (0.0, 0.7)
    )
    np.testing.assert_array_equal(plain[0], adjusted[0])  # one-hot, of the labeled sample
    expected = np.asarray(plain[1]) * shares**-0.7
    np.testing.assert_allclose(adjusted[1], expected / expected.sum(-1, keepdims=True), rtol=1e-5)


def test_a_temperature_tempers_the_teacher_alone():
    data = streams(2, labeled=[True, False])
    plain, same, tempered = (
        fast_jit(mixer("class", kept="unlabeled", **options))(make_state(Toy()), data, jax.random.key(0))[0][0]
        for options in ({}, {"temperature": 1.0}, {"temperature": 2.5})
    )
    np.testing.assert_array_equal(plain.probability, same.probability)
    np.testing.assert_array_equal(plain.probability[0], tempered.probability[0])  # one-hot, of the labeled sample
    expected = np.asarray(plain.probability[1], np.float64) ** (1 / 2.5)
    np.testing.assert_allclose(tempered.probability[1], expected / expected.sum(-1, keepdims=True), rtol=1e-5)
    assert tempered.probability[1].max() < plain.probability[1].max()
    np.testing.assert_array_equal(plain.classes, tempered.classes)


def test_a_prior_without_the_classes_shares_is_refused():
    with pytest.raises(ValueError, match=r"task\.prior needs class_shares"):
        mixer("class", prior=0.5)(make_state(Toy()), streams(2), jax.random.key(0))


def test_mixing_by_depth_without_a_depth_network_names_the_remedy():
    with pytest.raises(ValueError, match=r"needs a depth network: set task.depth_checkpoint, or mix .* task.mix=class"):
        run(semi_supervised, streams(2), depth_network=None)


@pytest.mark.parametrize("option", ["mix", "teacher", "kept"])
def test_unknown_options_list_the_known_ones(option):
    with pytest.raises(ValueError, match=f"unknown task.{option} 'x'; known: "):
        semi_supervised.make_loss(Toy(), losses=LOSSES, **{option: "x"})


def test_the_teacher_is_the_average_of_the_students_and_the_depth_network_stays():
    network, optimizer = Toy(), optax.sgd(0.1)
    loss = semi_supervised.make_loss(network, losses=LOSSES, depth_network=Toy())
    step = fast_jit(make_step(loss, optimizer, ema.update_rule("batch_stats")))
    before, _ = step(make_state(network), streams(3))
    after, logs = step(before, streams(3, seed=7, labeled=[True, False, False]))
    assert_finite(logs)
    assert 0 < logs["pasted"] < 1
    keep = np.float32(ema.alpha(jnp.int32(2)))
    expected = jax.tree.map(lambda t, s: keep * t + (1 - keep) * s, before.teacher.params, after.student.params)
    for a, b in zip(*map(jax.tree.leaves, (expected, after.teacher.params)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)  # fused multiply-add inside jit
    for a, b in zip(*map(jax.tree.leaves, (before.frozen, after.frozen)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("done", "share"), [(0, 0), (10, 0), (15, 0.5), (20, 1), (1000, 1)])
def test_mixed_images_begin_to_count_over_the_ramp(done, share):
    network = Toy()
    state = make_state(network).replace(step=jnp.int32(done))
    loss = semi_supervised.make_loss(network, losses=LOSSES, depth_network=Toy(), consistency=3.0, ramp=(10, 20))
    value, aux = fast_jit(loss)(state.student.params, state, streams(2), jax.random.key(3))
    expected = aux.logs["cross_entropy"] + 3 * share * aux.logs["agreement"]
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    assert aux.logs["agreement"] > 0


@pytest.mark.parametrize("ramp", [(5, 2), (5,)])
def test_a_ramp_that_falls_or_is_none_is_refused(ramp):
    with pytest.raises(ValueError, match=r"task\.ramp="):
        semi_supervised.make_loss(Toy(), losses=LOSSES, mix="class", ramp=ramp)
