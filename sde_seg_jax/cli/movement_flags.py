"""Flags of what is known of the camera and how it moves: depth in metres, and classes that are smoothed in time."""

from __future__ import annotations

from absl import flags as absl_flags


def define(values: absl_flags.FlagValues) -> None:
    """Those of `experiment.prediction`: its scale (`metric`) and its smoothing."""
    absl_flags.DEFINE_string(
        "metric", "", "camera_height:METRES, speed:FILE, poses:FILE or factor:NUMBER", flag_values=values
    )
    absl_flags.DEFINE_string("camera", "", "camera.json of the images, for --metric and --smooth", flag_values=values)
    absl_flags.DEFINE_float("field_of_view", 0.0, "degrees across the width, instead", 0, 180, flag_values=values)
    rate = "frames a second of a folder of frames, for --metric; a video says its own"
    absl_flags.DEFINE_float("frame_rate", 0.0, rate, 0, flag_values=values)
    smooth = "of videos: weight of the classes of the frame before, moved here; 0: only measure flicker"
    absl_flags.DEFINE_string("smooth", "", smooth, flag_values=values)
    absl_flags.DEFINE_bool("still_camera", False, "it stands: --smooth moves nothing", flag_values=values)
