"""Groups of options are dataclasses for those who read them and plain keyword arguments for those who give them."""

import dataclasses
import inspect

import pytest

from sde_seg_jax.experiment.config import UsageError, check_keys, value_of
from sde_seg_jax.geometry.depth import DepthRange
from sde_seg_jax.options import flat, pick
from sde_seg_jax.tasks import domain_adaptation


@dataclasses.dataclass(frozen=True)
class Paint:
    colour: str = "red"
    thickness: float = 0.5


@flat
def draw(paper, *, size: int = 3, paint: Paint = Paint(), depths: DepthRange = DepthRange(max_depth=50.0)):
    return paper, size, paint, depths


def test_fields_are_given_as_keyword_arguments():
    assert draw("a4") == ("a4", 3, Paint(), DepthRange(0.1, 50.0))
    assert draw("a4", colour="blue", min_depth=1.0) == ("a4", 3, Paint("blue"), DepthRange(1.0, 50.0))


def test_a_group_may_be_given_whole():
    assert draw("a4", paint=Paint("blue"), thickness=2.0)[2] == Paint("blue", 2.0)


def test_fields_that_only_fit_together_are_given_in_any_order():
    @dataclasses.dataclass(frozen=True)
    class Line:
        dashed: bool = False
        gap: float = 0.0

        def __post_init__(self):
            if self.dashed != (self.gap > 0):
                raise ValueError("a dashed line has gaps")

    @flat
    def rule(*, line: Line = Line()):
        return line

    assert rule(dashed=True, gap=0.1) == rule(gap=0.1, dashed=True) == Line(True, 0.1)
    with pytest.raises(ValueError, match="has gaps"):
        rule(gap=0.1)


def test_the_signature_has_the_fields_with_their_defaults():
    parameters = inspect.signature(draw).parameters
    assert list(parameters) == ["paper", "size", "colour", "thickness", "min_depth", "max_depth"]
    assert parameters["max_depth"].default == 50.0


def test_two_groups_cannot_share_a_name():
    def twice(*, paint: Paint = Paint(), frame: Paint = Paint()):
        return paint, frame

    with pytest.raises(TypeError, match="twice: duplicate parameter name: 'colour'"):
        flat(twice)


def test_a_section_s_keys_are_those_of_the_groups():
    check_keys("task", domain_adaptation.make_loss, ["losses", "min_depth", "cross_mix", "per_batch", "target"])
    with pytest.raises(UsageError, match=r"unknown key 'config.task.mix_margn': did you mean 'mix_margin'"):
        check_keys("task", domain_adaptation.make_loss, ["losses", "mix_margn"])
    with pytest.raises(UsageError, match=r"unknown key 'config.task.mixing'"):
        check_keys("task", domain_adaptation.make_loss, ["losses", "mixing"])


def test_what_a_section_lacks_of_a_group_has_its_default():
    assert pick(DepthRange, {"name": "depth", "max_depth": 80.0}) == DepthRange(0.1, 80.0)


def test_a_key_that_a_stored_configuration_lacks_has_one_meaning():
    stored = {"eval": {"batch_size": 4}, "task": {"name": "semi_supervised", "depth_checkpoint": "runs/depth"}}
    assert value_of(stored, "eval.depth_crop") == "none"
    assert value_of(stored, "matching.candidates") == 0
    assert value_of(stored, "task.depth_checkpoint") == "runs/depth"
    assert value_of(stored, "task.source_depth_checkpoint") == ""
