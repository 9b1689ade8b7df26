import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sde_seg_jax.training import schedules
from sde_seg_jax.training.optimizers import make_optimizer

PARAMS = {
    "encoder": {"conv": {"kernel": jnp.asarray([1.0, -2.0])}},
    "pose": {"encoder": {"kernel": jnp.asarray([3.0])}, "decoder": {"kernel": jnp.asarray([0.5])}},
    "segmentation": {"head": {"kernel": jnp.asarray([4.0, 5.0, -6.0])}},
}
GRADIENT = jax.tree.map(lambda p: jnp.cos(p), PARAMS)


def first_update(gradient=GRADIENT, **options):
    transform = make_optimizer(PARAMS, **options).transform
    return jax.jit(transform.update)(gradient, transform.init(PARAMS), PARAMS)[0]


def run(updates, gradient=GRADIENT, **options):
    transform, params = make_optimizer(PARAMS, **options).transform, PARAMS
    state = transform.init(params)
    for _ in range(updates):
        step, state = transform.update(gradient, state, params)
        params = optax.apply_updates(params, step)
    return params, state


def leaves(tree):
    return {
        jax.tree_util.keystr(k, simple=True, separator="/"): np.asarray(v)
        for k, v in jax.tree_util.tree_leaves_with_path(tree)
    }


def test_sgd_is_decay_then_momentum_then_rate():
    p, v, g = 4.0, 0.0, 0.3
    params = {"w": jnp.asarray([p])}
    transform = make_optimizer(params, learning_rate=0.1, momentum=0.9, weight_decay=0.01, clip=None).transform
    state = transform.init(params)
    for _ in range(3):
        v = 0.9 * v + g + 0.01 * p
        p -= 0.1 * v
        step, state = transform.update({"w": jnp.asarray([g])}, state, params)
        params = optax.apply_updates(params, step)
    np.testing.assert_allclose(params["w"], [p], rtol=1e-6)


def test_gradients_are_clipped_together_and_before_the_decay():
    gradient = jax.tree.map(lambda g: 100 * g, GRADIENT)
    norm = np.sqrt(sum((g**2).sum() for g in leaves(gradient).values()))
    found = leaves(first_update(gradient, learning_rate=1.0, weight_decay=0.1, clip=10.0))
    for name, p in leaves(PARAMS).items():
        np.testing.assert_allclose(found[name], -(leaves(gradient)[name] * 10 / (norm + 1e-6) + 0.1 * p), rtol=1e-5)


def test_small_gradients_are_not_scaled_up():
    found = first_update(learning_rate=1.0, weight_decay=0.0, clip=10.0)
    jax.tree.map(lambda u, g: np.testing.assert_array_equal(u, -g), found, GRADIENT)


def test_a_zero_gradient_survives_clipping():
    found = first_update(jax.tree.map(jnp.zeros_like, PARAMS), weight_decay=0.0)
    assert all((u == 0).all() for u in leaves(found).values())


def test_the_longest_path_decides_the_learning_rate_and_never_a_mere_name():
    rates = {"encoder": 1e-3, "pose": 1e-6, "pose/decoder": 1e-4}
    found = leaves(first_update(learning_rate=1e-2, module_rates=rates, weight_decay=0.0, clip=None))
    expected = {
        "encoder/conv/kernel": 1e-3,
        "pose/encoder/kernel": 1e-6,  # the pose network's encoder isn't "encoder"
        "pose/decoder/kernel": 1e-4,
        "segmentation/head/kernel": 1e-2,
    }
    for name, rate in expected.items():
        np.testing.assert_allclose(found[name], -rate * leaves(GRADIENT)[name], rtol=1e-6)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_frozen_modules_neither_move_nor_decay_nor_hold_state(name):
    params, state = run(2, name=name, weight_decay=0.1, frozen=["encoder", "pose/decoder"])
    for leaf, value in leaves(params).items():
        frozen = leaf.startswith(("encoder/", "pose/decoder/"))
        assert (value == leaves(PARAMS)[leaf]).all() == frozen
    sizes = [x.size for x in jax.tree.leaves(state)]
    assert sum(sizes) <= 2 * 4 + 2  # at most two moments of the four trained numbers, and two counts


def test_frozen_gradients_stay_out_of_the_clipped_norm():
    huge = {**GRADIENT, "encoder": jax.tree.map(lambda g: 1e6 * g, GRADIENT["encoder"])}
    found = first_update(huge, learning_rate=1.0, weight_decay=0.0, frozen=["encoder"])
    np.testing.assert_array_equal(found["segmentation"]["head"]["kernel"], -GRADIENT["segmentation"]["head"]["kernel"])


def test_the_schedule_follows_the_number_of_updates_done_and_so_does_a_restored_state():
    options = {"learning_rate": 1.0, "momentum": 0.0, "weight_decay": 0.0, "clip": None}
    options["schedule"] = schedules.step(milestones=[2], gamma=0.1)
    _, state = run(2, **options)
    resumed = make_optimizer(PARAMS, **options)
    step, _ = resumed.transform.update(GRADIENT, state, PARAMS)
    jax.tree.map(lambda u, g: np.testing.assert_allclose(u, -0.1 * g, rtol=1e-6), step, GRADIENT)


def test_learning_rates_are_reported_by_module():
    schedule = schedules.step(milestones=[5], gamma=0.1)
    rates = make_optimizer(PARAMS, learning_rate=1e-2, module_rates={"encoder": 1e-3}, schedule=schedule).learning_rates
    for step, factor in ((0, 1.0), (4, 1.0), (5, 0.1)):
        found = rates(jnp.int32(step))
        assert set(found) == {"default", "encoder"}
        np.testing.assert_allclose([found["default"], found["encoder"]], [1e-2 * factor, 1e-3 * factor], rtol=1e-6)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_the_state_can_be_donated(name):
    transform = make_optimizer(PARAMS, name=name).transform
    update = jax.jit(lambda state: transform.update(GRADIENT, state, PARAMS)[1], donate_argnums=0)
    state = update(transform.init(PARAMS))
    assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(update(state)))


def test_half_precision_parameters_keep_their_type():
    params = jax.tree.map(lambda p: p.astype(jnp.bfloat16), PARAMS)
    transform = make_optimizer(params).transform
    found, _ = transform.update(params, transform.init(params), params)
    assert all(u.dtype == jnp.bfloat16 for u in jax.tree.leaves(found))


@pytest.mark.parametrize("options", [{"module_rates": {"encodr": 1e-3}}, {"frozen": ["enc"]}])
def test_an_unknown_module_lists_the_known_ones(options):
    with pytest.raises(ValueError, match="parameters have: encoder, pose, segmentation"):
        make_optimizer(PARAMS, **options)


def test_an_unknown_optimiser_and_an_empty_clip_are_refused():
    with pytest.raises(ValueError, match="known: adam, adamw, sgd"):
        make_optimizer(PARAMS, name="lion")
    with pytest.raises(ValueError, match="None is no clipping"):
        make_optimizer(PARAMS, clip=0.0)
