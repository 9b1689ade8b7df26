"""Writes a network for other programs: python -m sde_seg_jax.cli.export --checkpoint=DIR --output=model.onnx

DIR is a workdir, a folder of cli.push, or hf://org/name.
The format is that of --output: FILE.onnx (ONNX), FILE.stablehlo (jax.export, for CPU, CUDA and TPU), FILE.tflite
(LiteRT) or a folder (TensorFlow's SavedModel). One graph takes uint8 RGB images [B,H,W,3] and gives what --outputs
names; resizing and normalisation are inside. What was written is run on a few images and compared with the network; if
it is too far from it, it is not kept. Beside it stands a JSON file: classes, colors, sizes, versions, the comparison.
How to run it without this package: docs/export.md. ONNX and LiteRT need more packages: pip install '.[export]'
Exit status: 0 done, 2 bad input, or the file does not say what the network says.
"""

from __future__ import annotations

import sys

from absl import flags as absl_flags

from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.export.choices import DTYPES, OUTPUTS
from sde_seg_jax.reporter import CONSOLE


def flags(values: absl_flags.FlagValues) -> None:
    """This command's own flags."""
    known = ",".join(OUTPUTS)
    absl_flags.DEFINE_string("output", "", "file or folder to write; its suffix is the format", flag_values=values)
    absl_flags.DEFINE_list("outputs", [], f"some of {known}; default: all but depth", flag_values=values)
    absl_flags.DEFINE_string("size", "", "HxW that the network sees; default: as trained", flag_values=values)
    absl_flags.DEFINE_string("input_size", "", "HxW of the images, or any; default: as --size", flag_values=values)
    absl_flags.DEFINE_integer("batch", 0, "images in a call; 0: any number (.tflite: 1)", flag_values=values)
    absl_flags.DEFINE_enum("dtype", "float32", DTYPES, "what convolutions compute in", flag_values=values)
    absl_flags.DEFINE_enum("weights", "student", ["student", "teacher"], "which weights", flag_values=values)
    absl_flags.DEFINE_string("images", "", "folder of images to compare on", flag_values=values)
    absl_flags.DEFINE_string("calibration", "", "folder of images for --dtype=int8", flag_values=values)
    absl_flags.DEFINE_integer("vjp_order", 0, "orders of derivatives in a .stablehlo file", flag_values=values)
    absl_flags.DEFINE_string("license", "", "licence of the weights, for the record", flag_values=values)


def main(arguments: Arguments) -> None:
    """Exports the checkpoint of the command line."""
    if not arguments.checkpoint or not arguments.output:
        raise UsageError("cli.export needs --checkpoint=DIR and --output=FILE.onnx (.stablehlo, .tflite, or a folder)")
    from sde_seg_jax.experiment.export.export import Options, export
    from sde_seg_jax.experiment.export.record import record_path

    names = ("outputs", "size", "input_size", "batch", "dtype", "weights", "images", "calibration", "vjp_order")
    options = Options(license_text=arguments.license, **{name: getattr(arguments, name) for name in names})
    done = export(arguments.checkpoint, arguments.output, options, CONSOLE)
    print(f"{done.path}: {done.comparison}; {done.speed}")
    print(done.shape)
    print(f"what it holds: {record_path(done.path)}; how to run it elsewhere: docs/export.md")
    print(f"next: python -m sde_seg_jax.cli.predict --checkpoint={done.path} --input=IMAGES --output=predictions")


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags))
