"""Learning-rate schedules as the recordings name them."""

from collections.abc import Mapping

from sde_seg_jax.training import schedules


def schedule_of(options: Mapping, last: int) -> schedules.Schedule:
    """Our schedule for a recorded `lr_schedule`, for updates before number `last`."""
    if options["name"] == "step_lr":
        milestones = list(range(options["step_size"], last + 1, options["step_size"]))
        return schedules.step(milestones=milestones, gamma=options["gamma"])
    if options["name"] == "multi_step":
        return schedules.step(milestones=options["milestones"], gamma=options["gamma"])
    assert options["name"] == "poly_lr_2", options
    return schedules.poly(steps=options["max_iter"], power=options["power"])
