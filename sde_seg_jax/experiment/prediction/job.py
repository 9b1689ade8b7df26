"""From what a person asks for to the job that does it: networks, protocol, temperature, scale of depth."""

from __future__ import annotations

import dataclasses
import functools
import math
import pathlib
from collections.abc import Sequence
from typing import Any, ClassVar

from sde_seg_jax.evaluation.protocols.protocol import WHOLE, Protocol
from sde_seg_jax.experiment.begun import read_json
from sde_seg_jax.experiment.errors import UsageError
from sde_seg_jax.experiment.evaluated import RESULT
from sde_seg_jax.experiment.prediction import metric, movement
from sde_seg_jax.experiment.prediction.asking import DISPARITY, PROBABILITIES, Predictor
from sde_seg_jax.experiment.prediction.exported import ExportedModel
from sde_seg_jax.experiment.prediction.files import Job
from sde_seg_jax.experiment.prediction.model import Model, load
from sde_seg_jax.experiment.prediction.motion import mover_of
from sde_seg_jax.experiment.prediction.outputs import OUTPUTS, chosen_outputs
from sde_seg_jax.experiment.prediction.request import KEEP, TRAINED, Request
from sde_seg_jax.experiment.prediction.smoothing import Smoother, weight_of
from sde_seg_jax.state_files.schemas import SCORES
from sde_seg_jax.training.checkpoints import FOLDER, CheckpointError, locate

AUTO = "auto"


@dataclasses.dataclass(frozen=True)
class Wish:
    """The flags of cli.predict, as they are written; `FLAGS` are those that are taken over by name."""

    FLAGS: ClassVar[tuple[str, ...]] = (
        *("checkpoint", "depth_checkpoint", "weights", "outputs", "resume", "batch", "resolution", "aspect"),
        *("temperature", "metric", "camera", "field_of_view", "frame_rate", "smooth", "still_camera"),
    )

    checkpoint: str
    depth_checkpoint: str = ""
    weights: str = "student"
    outputs: Sequence[str] = ()
    resume: bool = False
    batch: int = 0
    resolution: str = TRAINED
    aspect: str = KEEP
    temperature: str = "1"
    metric: str = ""
    camera: str = ""
    field_of_view: float = 0.0
    frame_rate: float = 0.0
    smooth: str = ""
    still_camera: bool = False
    protocol: Protocol = WHOLE


def make_job(wish: Wish) -> Job:
    """Reads the checkpoints. Raises ValueError, naming flag and remedy, for what they cannot do."""
    way, value = metric.parse(wish.metric) if wish.metric else ("", "")
    rows = movement.read(way, str(value)) if way in metric.FILES else None
    weight = weight_of(wish.smooth) if wish.smooth else None
    if wish.still_camera and weight is None:
        raise UsageError("--still_camera says how --smooth compares frames; give --smooth=0.5, too, or leave it out")
    if not 0 <= wish.frame_rate < math.inf:
        raise UsageError(f"--frame_rate={wish.frame_rate}: expected frames a second, as in --frame_rate=10")
    temperature = _number(wish)
    model = load(wish.checkpoint, wish.weights)
    temperature = _evaluated(wish, model.step) if temperature is None else temperature
    depth = load(wish.depth_checkpoint) if wish.depth_checkpoint else None
    request = Request(wish.protocol, wish.resolution, wish.aspect, temperature)
    predictors = _predictors(model, depth, request, wish)
    if wish.protocol != WHOLE and not any(PROBABILITIES in one.gives for one in predictors):
        raise UsageError(
            f"protocol '{request.name(model.size)}' is of classes, and depth alone is predicted, which always "
            f"sees the whole image; leave --window, --scales and --flip out"
        )
    scale: dict[str, Any] = {}
    if way and not any(DISPARITY in one.gives for one in predictors):
        raise UsageError(
            f"--metric={wish.metric}: no depth is predicted; give --depth_checkpoint=DIR, or add depth to --outputs"
        )
    if way == "factor":
        scale = {"scale": lambda sources, asked: metric.by_factor(float(value))}
    elif way == "camera_height":
        camera = metric.camera_of(wish.camera, wish.field_of_view, _run(wish.depth_checkpoint or wish.checkpoint))
        scale = {"scale": functools.partial(metric.by_camera_height, float(value), camera)}
    elif rows is not None:
        mover = mover_of((depth or model).trained, f"--metric={way}", wish.depth_checkpoint or wish.checkpoint)
        scale = {"scale": functools.partial(movement.by_movement, way, rows, mover, wish.frame_rate)}
    smoother = {} if weight is None else {"smoother": _smoother(wish, weight, depth or model, predictors)}
    settings = _settings(wish, model, depth, request)
    return Job(predictors, wish.outputs, wish.batch, wish.resume, settings, **scale, **smoother)


def _smoother(wish: Wish, weight: float, model: Model, predictors: list[Predictor]) -> Smoother:
    """Of videos, by the depth and motion of a model. Raises UsageError for what it lacks."""
    gives, flag = {part for one in predictors for part in one.gives}, f"--smooth={wish.smooth}"
    if PROBABILITIES not in gives:
        raise UsageError(f"{flag} is of classes, and the checkpoint predicts none; leave it out")
    if wish.still_camera:
        return Smoother(weight, predictors)
    remedy = "give --depth_checkpoint=DIR, a network that learnt depth from video, or --still_camera if it stands still"
    if DISPARITY not in gives:
        raise UsageError(f"{flag} moves classes by depth and the camera's motion, and there is no depth; {remedy}")
    checkpoint = wish.depth_checkpoint or wish.checkpoint
    mover = mover_of(model.trained, flag, checkpoint)
    return Smoother(
        weight, predictors, mover, metric.camera_of(wish.camera, wish.field_of_view, _run(checkpoint), flag)
    )


def _predictors(model: Model, depth: Model | None, request: Request, wish: Wish) -> list[Predictor]:
    """Only those that the outputs need. Raises ValueError if a network cannot be asked so, or gives no such output."""
    both = model.predictors(request) + (depth.predictors(request, (DISPARITY,)) if depth else [])
    kinds = chosen_outputs(wish.outputs, both)
    needed = {OUTPUTS[kind].needs for kind in kinds} | ({PROBABILITIES} if wish.metric.startswith("camera") else set())
    if wish.smooth:
        needed |= {PROBABILITIES} if wish.still_camera else {PROBABILITIES, DISPARITY}
    if DISPARITY in needed and depth is not None:
        own = model.predictors(request, (PROBABILITIES,)) if PROBABILITIES in needed else []
        return own + depth.predictors(request, (DISPARITY,))
    return model.predictors(request, tuple(needed))


def _settings(wish: Wish, model: Model, depth: Model | None, request: Request) -> dict[str, Any]:
    """What is the same in all of an output."""
    return {
        "checkpoint": f"{wish.checkpoint}, step {model.step}, {wish.weights}",
        "depth_checkpoint": f"{wish.depth_checkpoint}, step {depth.step}" if depth else "",
        "protocol": request.name(model.size),
        "resolution": wish.resolution,
        "aspect": TRAINED if isinstance(model, ExportedModel) else wish.aspect,
        "temperature": request.temperature,
        "metric": wish.metric,
        # not named where there is none, so that outputs from before it was an option can be resumed
        **({"smooth": f"{wish.smooth}{', still camera' if wish.still_camera else ''}"} if wish.smooth else {}),
    }


def _number(wish: Wish) -> float | None:
    """The temperature that was given; None: the one that cli.evaluate found."""
    if wish.temperature == AUTO:
        return None
    try:
        found = float(wish.temperature)
    except ValueError:
        found = math.nan
    if not 0 < found < math.inf:
        raise UsageError(f"--temperature={wish.temperature}: expected a number above 0, or {AUTO}")
    return found


def _evaluated(wish: Wish, step: int) -> float:
    """The temperature that cli.evaluate found for these weights at this step."""
    run = _run(wish.checkpoint)
    if run is None:
        raise UsageError(
            f"--temperature={AUTO}: {wish.checkpoint} is no run, beside which cli.evaluate writes it; give the number"
        )
    path, key = run / RESULT, "temperature" if wish.weights == "student" else f"{wish.weights}/temperature"
    scores, again = (
        read_json(path, SCORES) if path.is_file() else {},
        f"run cli.evaluate --checkpoint={wish.checkpoint}",
    )
    if not scores.get(key):
        raise UsageError(f"--temperature={AUTO}: {path} has no '{key}'; {again} first")
    if scores["step"] != step:
        raise UsageError(
            f"--temperature={AUTO}: {path} is of step {scores['step']}, the weights of {step}; {again} again"
        )
    return scores[key]


def _run(checkpoint: str) -> pathlib.Path | None:
    """The folder of a run, whose metrics.json and camera.json lie beside the checkpoints; None: it is none of a run."""
    try:
        folder = locate(str(pathlib.Path(checkpoint).expanduser()))
    except CheckpointError:
        return None
    return folder.parent if folder.name == FOLDER else folder
