"""Published weights in and out: checkpoints of PyTorch become ours, ours become `.safetensors`.

In:   python -m sde_seg_jax.cli.convert --config=FILE[:row] --input=PATH|hf://org/name/file --workdir=DIR
Out:  python -m sde_seg_jax.cli.convert --checkpoint=DIR --output=FILE.safetensors [--weights=teacher]
List: python -m sde_seg_jax.cli.convert --list     published weights that fit: file, licence, gate, command

In: PATH is a weights file (.pth .pt .pkl .safetensors .npz) or a folder with best_model.pkl or with encoder, depth,
pose_encoder and pose.pth. Every name and shape must fit the network of the configuration; what is left over is refused
(--ignore=REGEX leaves names out, --parts=encoder,depth_decoder takes only these). DIR then serves cli.evaluate,
cli.predict and other runs (--config.model.init=DIR); it is no run that cli.train can continue.
Out: names and layouts are PyTorch's. A FILE has the names of the published joint model
("models.encoder.encoder.conv1.weight"), a folder (--output=FOLDER/) encoder, depth, pose_encoder and pose.safetensors.
Published segmentation decoders also own disparity heads that nothing uses; these are not written, so such a decoder
needs load_state_dict(..., strict=False); everything else loads with strict=True. Learnt intrinsics have no name there:
cli.evaluate writes them to camera.json.
"""

from __future__ import annotations

import pathlib
import sys

from absl import flags as absl_flags

from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.experiment.config import UsageError


def flags(values: absl_flags.FlagValues) -> None:
    """This command's own flags."""
    absl_flags.DEFINE_string("input", "", "weights to read: file, folder or hf://org/name/file", flag_values=values)
    absl_flags.DEFINE_list(
        "parts", [], "only these parts of the network, e.g. encoder,depth_decoder", flag_values=values
    )
    absl_flags.DEFINE_string("ignore", "", "regular expression: names of the file to leave out", flag_values=values)
    absl_flags.DEFINE_bool("list", False, "print which published weights fit, with their licences", flag_values=values)
    absl_flags.DEFINE_string("output", "", "FILE.safetensors or folder to write", flag_values=values)
    absl_flags.DEFINE_enum("weights", "student", ["student", "teacher"], "which weights to write", flag_values=values)


def main(arguments: Arguments) -> None:
    """Converts in or out, or lists what fits, as the command line says."""
    if arguments.list:
        from sde_seg_jax.experiment.weights.known import listed

        print("\n".join(listed()))
        return
    if bool(arguments.input) == bool(arguments.output):
        raise UsageError("cli.convert needs --config, --input and --workdir, or --checkpoint and --output, or --list")
    if arguments.output and not arguments.checkpoint:
        raise UsageError("cli.convert --output needs --checkpoint=DIR, a workdir of cli.train")
    if arguments.input and not (arguments.path and arguments.workdir):
        raise UsageError("cli.convert --input needs --config=FILE and --workdir=DIR")
    from sde_seg_jax.experiment.weights.convert import convert_in, convert_out
    from sde_seg_jax.experiment.weights.transfer import table
    from sde_seg_jax.training.checkpoints import FOLDER

    if arguments.output:
        written = convert_out(arguments.checkpoint, arguments.output, arguments.weights)
        print("\n".join(f"wrote {path}" for path in written))
        return
    config = arguments.config()
    rows = convert_in(config, arguments.input, arguments.workdir, tuple(arguments.parts), arguments.ignore)
    print("\n".join([*table(rows), f"wrote {pathlib.Path(arguments.workdir) / FOLDER}"]))


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags))
