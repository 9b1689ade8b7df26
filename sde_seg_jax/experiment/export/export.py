"""Writing a network in another format, and comparing what was written with the network before it is kept."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sde_seg_jax.evaluation.protocols.sizes import text
from sde_seg_jax.experiment.build import Trained
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.export import checking, formats, samples
from sde_seg_jax.experiment.export.graph import Graph, Size, make_graph
from sde_seg_jax.experiment.export.record import describe, record_path
from sde_seg_jax.experiment.prediction.predictor import size_rule
from sde_seg_jax.experiment.prediction.request import Request
from sde_seg_jax.experiment.weights.sharing import read_trained
from sde_seg_jax.reporter import SILENT, Reporter
from sde_seg_jax.state_files.writing import write_json

ANY = "any"


@dataclasses.dataclass(frozen=True)
class Options:
    """What is asked for; the defaults are those of the command line.

    Attributes:
      outputs: see `make_graph`.
      size, input_size: "HxW", or empty; `input_size` may be "any".
      batch: images in a call; 0: any number.
      dtype: float32, float16, bfloat16 or int8.
      weights: "student" or "teacher".
      images: a folder to compare on; calibration: one for int8.
      vjp_order: orders of derivatives in a StableHLO file.
      license_text: of the weights, for the record.
    """

    outputs: Sequence[str] = ()
    size: str = ""
    input_size: str = ""
    batch: int = 0
    dtype: str = "float32"
    weights: str = "student"
    images: str = ""
    calibration: str = ""
    vjp_order: int = 0
    license_text: str = ""


@dataclasses.dataclass(frozen=True)
class Exported:
    """What was written: its record, how it compares with the network, what it does to an image's shape, its time."""

    path: pathlib.Path
    record: dict[str, Any]
    comparison: str
    shape: str
    speed: str


def export(checkpoint: str, output: str, options: Options = Options(), reporter: Reporter = SILENT) -> Exported:
    """Writes `output` in the format of its suffix, and its record.

    Raises:
      UsageError: something is asked for that checkpoint or format do not have, the output exists, or what was written
        is too far from the network; then it is not left behind.
    """
    path = pathlib.Path(output).expanduser()
    name = formats.format_of(path)
    _require_possible(path, name, options)
    _require_free(path)
    sizes = {"size": _size(options.size, "--size"), **_input_size(options.input_size)}
    trained = read_trained(checkpoint, options.weights)
    dtype = formats.computed_in(name, options.dtype)
    graph = make_graph(trained, outputs=options.outputs, batch=_batch(name, options), dtype=dtype, **sizes)
    told = {"file_format": name, "checkpoint": checkpoint, "weights": options.weights}
    record = describe(trained, graph, license_text=options.license_text, **told) | {"dtype": options.dtype}
    if options.vjp_order:
        record["input"] = record["input"].replace("uint8", "float32")
    images, what = samples.sample_images(trained, options.images, options.calibration)
    reporter.tell(f"writing {path} ({', '.join(graph.outputs)}; {options.dtype})")
    path.parent.mkdir(parents=True, exist_ok=True)
    unchecked = path.with_name(f"unchecked_{path.name}")
    _remove(unchecked)
    try:
        _write(name, graph, unchecked, record, options)
        reporter.tell(f"comparing it with the network on {len(images)} {what}")
        run, images = formats.read(unchecked), samples.fitted(images, graph.input_size)
        facts = _compare(trained, graph, run, images)
        bound = checking.BOUNDS[options.dtype]
        checking.require(facts, bound)
        taken = {"images": graph.batch or 1, "milliseconds": checking.milliseconds(run, images[0], graph.batch)}
        unchecked.replace(path)
    finally:
        _remove(unchecked)
    record |= {"check": {"images": len(images), "of": what, **facts, "bound": dataclasses.asdict(bound)}, "call": taken}
    place = record_path(path)
    place.parent.mkdir(exist_ok=True)
    write_json(place, record)
    return Exported(path, record, checking.sentence(facts), _shape(trained, graph), _speed(taken))


def _speed(taken: Mapping[str, float]) -> str:
    """How long a call took."""
    images = "one image" if taken["images"] == 1 else f"{taken['images']} images"
    return f"a call with {images} takes {taken['milliseconds']:.3g} ms on this machine"


def _shape(trained: Trained, graph: Graph) -> str:
    """What becomes of an image's shape, which `predict` keeps and a graph of one size cannot."""
    said = f"it sees every image at {text(graph.size)}, whatever its shape, as predict --aspect=trained does"
    if not graph.input_size:
        return said
    kept = Request().size_of(tuple(graph.input_size), tuple(trained.config.data.size), size_rule(trained.network))
    if kept == tuple(graph.size):
        return said
    taken = text(graph.input_size)
    return f"{said}; predict alone keeps the shape: for images of {taken}, export with --size={text(kept)}"


def _require_possible(path: pathlib.Path, name: str, options: Options) -> None:
    """Raises UsageError for options that the format does not have."""
    formats.require_possible(name, options.dtype, options.calibration)
    if options.vjp_order and name != "stablehlo":
        raise UsageError(f"--vjp_order is for FILE.stablehlo; leave it out for {path.name}")
    if options.input_size == ANY and name == "tflite":
        raise UsageError("--input_size=any: a .tflite file takes one size; give it, or leave the flag out")
    if options.calibration:
        samples.images_in(options.calibration, 1, "--calibration")  # before anything slow


def _write(name: str, graph: Graph, path: pathlib.Path, record: dict[str, Any], options: Options) -> None:
    def calibration():
        found = samples.images_in(options.calibration, samples.CALIBRATED, "--calibration")
        return samples.fitted(found, graph.input_size)

    formats.write(name, graph, path, record, dtype=options.dtype, calibration=calibration, vjp_order=options.vjp_order)


def _compare(trained, graph: Graph, run: Callable, images: list) -> dict[str, float]:
    found = checking.in_calls(run, images, graph.batch)
    return checking.compare(found, checking.reference(trained, graph, images))


def _batch(name: str, options: Options) -> int | None:
    """Images in a call. LiteRT plans its memory for a fixed number: one, if nothing else is said."""
    if options.batch < 0:
        raise UsageError(f"--batch={options.batch}: give a number of images, or 0 for any")
    return options.batch or (1 if name == "tflite" else None)


def _require_free(path: pathlib.Path) -> None:
    for place in (path, path.with_name(f"{path.name}.json")) if path.suffix else (path,):
        if place.exists():
            raise UsageError(f"--output={path}: {place} exists already; delete it, or choose another name")


def _input_size(text: str) -> dict[str, Any]:
    return {"any_input_size": True} if text == ANY else {"input_size": _size(text, "--input_size")}


def _size(text: str, flag: str) -> Size | None:
    """A size "HxW" in pixels; None for an empty text. Raises UsageError."""
    if not text:
        return None
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UsageError(f"{flag}={text}: expected HEIGHTxWIDTH in pixels, such as 512x1024")
    return int(parts[0]), int(parts[1])


def _remove(path: pathlib.Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
