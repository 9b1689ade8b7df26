"""Optimisers, schedules and the teacher's average against PyTorch's numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from golden import both_precisions, recordings
from recorded_schedule import schedule_of

from sde_seg_jax.training import ema, optimizers, schedules
from sde_seg_jax.types import Variables


@pytest.mark.parametrize("rec", recordings("g11_schedules"))
@both_precisions
def test_schedules_give_the_recorded_learning_rates(rec, dtype):
    iterations = rec["in.iterations"]
    for key, options in rec.params["schedules"].items():
        schedule, end = schedule_of(options, int(iterations.max())), options.get("max_iter")
        factors = np.asarray(schedule(jnp.asarray(iterations.astype(np.int32))))
        assert factors.dtype == dtype
        expected = rec[f"out64.{key}"]
        actual = factors[:, None] * np.asarray(rec.params["base_lrs"], dtype)
        if end is not None:  # the iteration from which the published one fails
            beyond = np.isnan(expected[:, 0])  # (1 - it/max)^0.9 of a negative number: the original stops with an error
            assert (iterations[beyond] > end).all()
            np.testing.assert_allclose(factors[beyond], schedules.POLY_FLOOR, rtol=1e-6)
            actual = np.where(beyond[:, None], np.nan, actual)
        if dtype == np.float64:
            rec.assert_matches(key, actual)
        else:  # no float32 run is recorded; the README's floor for float32 is 2e-6 of the array's maximum
            np.testing.assert_allclose(actual, expected, rtol=0, atol=2e-6 * np.nanmax(expected), err_msg=key)


def trace(rec, dtype, case):
    """One recorded run: parameters after each update, learning rates, gradient norms before clipping."""
    p = rec.params
    params = {key: jnp.asarray(rec.input(key, dtype)) for key in (*p["backbone_group"], *p["rest_group"])}
    gradients = {key: rec.input(f"grad_{key}", dtype) for key in params if f"in.grad_{key}" in rec}
    without = [key for key in params if key not in gradients]
    if case == "adam":
        rates = {"name": "adam", "learning_rate": p["adam_lr"], "weight_decay": 0.0, "clip": None}
        backbone = p["adam_backbone_lr"]
    else:
        rates = {"name": "sgd", "learning_rate": p["lr"], "weight_decay": 5e-4, "clip": p["clip"]}
        backbone = p["backbone_lr"]
    count = len(next(iter(gradients.values())))
    schedule = schedules.step(milestones=range(2, count, 2), gamma=0.1) if case == "sched" else None
    optimizer = optimizers.make_optimizer(
        params,
        **rates,
        module_rates=dict.fromkeys(p["backbone_group"], backbone),
        frozen=without,
        schedule=schedule,
    )
    update, state = jax.jit(optimizer.transform.update), optimizer.transform.init(params)
    out = {"lr": [], "grad_norm": []} | {key: [] for key in params}
    for n in range(count):
        # what has no gradient in PyTorch has some value in JAX's complete tree, which frozen modules ignore
        g = {key: jnp.asarray(gradients[key][n]) if key in gradients else jnp.ones_like(params[key]) for key in params}
        updates, state = update(g, state, params)
        params = optax.apply_updates(params, updates)
        rate = optimizer.learning_rates(jnp.int32(n))
        out["lr"].append([rate[p["backbone_group"][0]], rate["default"]])
        out["grad_norm"].append(optax.tree.norm({key: g[key] for key in gradients}))
        for key in params:
            out[key].append(params[key])
    return {key: np.asarray(value, dtype) for key, value in out.items()}


@pytest.mark.parametrize("case", ["sgd", "adam", "sched"])
@pytest.mark.parametrize("rec", recordings("g11_optimizers"))
@both_precisions
def test_optimizers_give_the_recorded_parameters(rec, dtype, case):
    for key, value in trace(rec, dtype, case).items():
        if f"out64.{case}.{key}" in rec:
            rec.assert_matches(f"{case}.{key}", value)


@pytest.mark.parametrize("rec", recordings("g11_ema"))
@both_precisions
def test_the_teacher_follows_the_recorded_trace(rec, dtype):
    decay, students = rec.params["alpha_teacher"], rec.input("student", dtype)
    start = jnp.asarray(rec.input("teacher0", dtype))
    teacher = Variables(params={"w": start}, batch_stats={"mean": start})
    alphas, values = [], []
    for step, student in enumerate(students):  # the recording starts at 0, training at 1
        value = jnp.asarray(student)
        new = Variables(params={"w": value}, batch_stats={"mean": value})
        teacher = ema.update_params(teacher, new, jnp.int32(step), decay)
        alphas.append(ema.alpha(jnp.int32(step), decay))
        values.append(teacher.params["w"])
    rec.assert_matches("alpha", np.asarray(alphas, dtype))
    rec.assert_matches("trace", np.asarray(values, dtype))
    rec.assert_matches("buffer", np.asarray(teacher.batch_stats["mean"]))
