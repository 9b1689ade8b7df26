"""Milliseconds of one call of every exported form beside the jitted network, on the CPU.

    python benchmarks/export_latency.py                                      # the small network
    python benchmarks/export_latency.py --setting published --size 256 512   # the paper's, smaller images

One image a call, class ids out. All forms are in one process and take turns, so that other load meets all alike;
printed are medians with quartiles, and the size of the file. "network, jitted" is what cli.predict runs.
"""

from __future__ import annotations

import argparse
import pathlib
import tempfile

import jax
import numpy as np
from cases import CLASSES, SETTINGS, network_of
from ml_collections import ConfigDict
from timing import device_line, measure

from sde_seg_jax.experiment.build import Trained
from sde_seg_jax.experiment.export import formats, samples
from sde_seg_jax.experiment.export.graph import make_graph
from sde_seg_jax.models.init import initial_variables

FORMS = (  # file, dtype
    ("float32.onnx", "float32"),
    ("float16.onnx", "float16"),
    ("int8.onnx", "int8"),
    ("float32.stablehlo", "float32"),
    ("bfloat16.stablehlo", "bfloat16"),
    ("float32_saved_model", "float32"),
    ("float32.tflite", "float32"),
    ("int8.tflite", "int8"),
)
SEED = 0


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setting", default="small", choices=SETTINGS)
    parser.add_argument("--size", type=int, nargs=2, default=(64, 128))
    parser.add_argument("--only", default="", help="forms, by comma; default: all")
    options = parser.parse_args()
    size = tuple(options.size)
    network = network_of("supervised", SETTINGS[options.setting])
    config = ConfigDict({"data": {"size": size}, "task": {}})
    trained = Trained(network, initial_variables(network, SEED, size), config, 0)
    images = samples.generated(size, 8)
    image = np.stack(images[:1])
    wanted = options.only.split(",") if options.only else [name for name, _ in FORMS]
    with tempfile.TemporaryDirectory() as folder:
        calls, bytes_of = {}, {}
        for name, dtype in [form for form in FORMS if form[0] in wanted]:
            path = pathlib.Path(folder) / name
            kind = formats.format_of(path)
            graph = make_graph(trained, outputs=("classes",), batch=1, dtype=formats.computed_in(kind, dtype))
            formats.write(kind, graph, path, {"dtype": dtype}, dtype=dtype, calibration=lambda: images)
            bytes_of[name] = sum(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file())
            calls[name] = _asked(formats.read(path), image)
        jitted = jax.jit(make_graph(trained, outputs=("classes",), batch=1).function)
        calls = {"network, jitted": _asked(lambda x: jax.device_get(jitted(x)), image)} | calls
        times = measure(calls)
    print(f"{options.setting}, {size[0]}x{size[1]}, {CLASSES} classes; {device_line()}\n")
    print("| form | ms a call, median (quartiles) | of the jitted network's time | MB |\n|---|---|---|---|")
    for name, found in times.items():
        share, megabytes = found.median / times["network, jitted"].median, bytes_of.get(name, 0) / 1e6
        print(f"| {name} | {found.text()} | {share:.2f} | {megabytes:.1f} |")


def _asked(run, image):
    return lambda: run(image)


if __name__ == "__main__":
    main()
