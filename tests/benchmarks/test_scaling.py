"""Two devices compute what one computes, at the sizes of the benchmark, and the benchmark would notice if not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scaling
from agreement import (
    BOUND,
    agrees,
    differences,
    exact_case,
    mesh_of,
    mixes_on,
    pixels_apart,
    shown_across,
    steps_on,
)
from cases import SETTINGS
from collectives import collectives
from jax.sharding import NamedSharding, PartitionSpec

TINY = SETTINGS["tiny"]
HLO = """
ENTRY %main (p: f32[8]) -> f32[8] {
  %a.1 = (f32[3,4]{1,0}, bf16[5]{0}, /*index=2*/pred[7]{0}) all-reduce(%x, %y), to_apply=%sum
  %b = (f32[2]{0}, f32[4]{0}) all-gather-start(%z), dimensions={0}
  %c = f32[4]{0} all-gather-done(%b)
  %d = f64[]{:T(128)} all-reduce(%w), metadata={op_name="all-gather(%no)"}
  ROOT %e = f32[8]{0} fusion(%all-reduce.3), kind=kLoop, calls=%all-reduce.computation
}
"""


@pytest.mark.whole
@pytest.mark.parametrize("task", ["semi_supervised", "multitask"])
def test_two_devices_train_and_mix_as_one_does(task):
    with jax.enable_x64(True):
        case = exact_case(task, TINY, 4)
        one, two = (steps_on(case, mesh_of(count), 2) for count in (1, 2))
        mixed, found = (mixes_on(case, mesh_of(count)) for count in (1, 2))
    logs = one[1]["other logs"]
    assert 0.4 < logs["confident"] < 0.6  # of the global batch's mixed pixels: it weighs the loss that is learnt there
    assert logs["agreement"] > 0
    apart = differences(one, two)
    assert set(apart) == {"loss", "gradient norm", "other logs", "parameters", "statistics", "teacher", "optimizer"}
    assert max(apart.values()) <= BOUND  # for the reason that is given there

    assert pixels_apart(mixed, found) == 0
    mix, images = found["mixing"], np.asarray(case.streams.unlabeled.image)
    partners = np.roll(images, -1, axis=0)
    np.testing.assert_array_equal(np.rint(255 * mix.image), np.where(mix.mask, images, partners))
    assert 0 < shown_across(found, 2) < 1  # image 1, on the first device, shows image 2, on the second


@pytest.mark.whole
def test_gradients_are_summed_over_devices_and_images_stay_where_they_are():
    one, two = scaling.costs("semi_supervised", TINY, [1, 2], per_device=1)
    assert one["collectives"] == {}
    assert two["images"] == 2 * one["images"]
    assert two["collectives"]["all-reduce"][1] >= two["parameter_bytes"]
    # What is passed on by mixing: image, probabilities of 19 classes and disparity of one sample, in float32.
    assert two["collectives"]["collective-permute"][1] == 64 * 64 * (3 + 19 + 1) * 4
    assert set(two["collectives"]) == {"all-reduce", "collective-permute"}


@pytest.mark.whole
def test_depth_steps_exchange_no_images():
    _, two = scaling.costs("sde_phase1", TINY, [1, 2], per_device=1)
    assert set(two["collectives"]) == {"all-reduce"}


def step(value, rest=0.0):
    return {"loss": np.float64(value), "parameters": {"a": np.array([1.0, 1 + value]), "b": np.array([rest])}}


def test_a_difference_is_relative_to_what_has_moved():
    start, one, many = step(0.0), step(1e-3), step(1e-3)
    many["parameters"]["a"] = many["parameters"]["a"] + np.array([1e-9, 0])
    found = differences([start, one], [start, many])
    assert found["loss"] == 0
    assert found["parameters"] == pytest.approx(1e-6, rel=1e-4)  # 1e-9 of 1e-3, though the parameter is 1


def test_the_worst_step_counts():
    start, one, other = step(0.0), step(1e-3), step(2e-3)
    assert differences([start, one, one], [start, other, one])["loss"] == pytest.approx(1)


def test_what_hardly_moves_is_compared_with_what_does():
    start, one, many = step(0.0), step(1.0, rest=1e-17), step(1.0, rest=-1e-17)
    assert differences([start, one], [start, many])["parameters"] == pytest.approx(2e-17 / 1e-6)


def test_what_moves_less_than_its_rounding_is_compared_with_its_size():
    start, one, many = ({"parameters": {"a": np.array([1 + x])}} for x in (0, 1e-15, 2e-15))
    assert differences([start, one], [start, many])["parameters"] == pytest.approx(1e-15 / 1e-6, rel=0.2)


def test_parts_without_arrays_are_left_out():
    nothing = {"teacher": None, "statistics": {}}
    assert differences([nothing, nothing], [nothing, nothing]) == {"teacher": None, "statistics": None}


@pytest.mark.parametrize(
    ("change", "agreed"),
    [
        ({}, True),
        ({"loss": 1e-8}, False),
        ({"loss": float("nan")}, False),
        ({"pixels apart": 1}, False),
        ({"pixels apart": None, "across": None, "teacher": None}, True),
    ],
)
def test_rows_agree_within_the_bound_and_with_every_pixel(change, agreed):
    row = {"devices": 2, "loss": 1e-12, "teacher": 0.0, "pixels apart": 0, "across": 0.4}
    assert agrees(row | change) is agreed


def test_collectives_are_read_from_tuples_and_asynchronous_pairs():
    assert collectives(HLO) == {"all-reduce": (2, 12 * 4 + 5 * 2 + 7 + 8), "all-gather": (1, 16)}


def test_collectives_of_a_sum_and_of_a_shift_over_two_devices():
    split = NamedSharding(mesh_of(2), PartitionSpec("batch"))
    x = jax.ShapeDtypeStruct((4, 3), jnp.float32)

    def found(function):
        return collectives(jax.jit(function, in_shardings=split).lower(x).compile().as_text())

    assert found(jnp.sum) == {"all-reduce": (1, 4)}
    assert found(lambda x: x + 1) == {}
    assert set(found(lambda x: jnp.roll(x, -1, axis=0))) == {"collective-permute"}
