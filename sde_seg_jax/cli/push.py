"""Shares a network: python -m sde_seg_jax.cli.push --checkpoint=DIR --to=FOLDER|hf://org/name

Writes model.safetensors (PyTorch's names), config.json, classes.json and a model card (README.md) that is filled from
the run: data, seed, scores with their protocol, what the weights started from, commit. With hf://org/name they go to
the Hugging Face hub (log in first: hf auth login). cli.predict and cli.export take either as --checkpoint; scores are
those of metrics.json, so run cli.evaluate before: like this command it needs the run's own folder.
Look at the card before you share: no path of your machine stands in it, the names of files do.
Exit status: 0 done, 2 bad input.
"""

from __future__ import annotations

import sys

from absl import flags as absl_flags

from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.experiment.config import UsageError


def flags(values: absl_flags.FlagValues) -> None:
    """This command's own flags."""
    absl_flags.DEFINE_string("to", "", "folder to write, or hf://org/name", flag_values=values)
    absl_flags.DEFINE_enum("weights", "student", ["student", "teacher"], "which weights", flag_values=values)
    absl_flags.DEFINE_string("license", "", "licence of the weights, for the card", flag_values=values)


def main(arguments: Arguments) -> None:
    """Shares the checkpoint of the command line."""
    if not arguments.checkpoint or not arguments.to:
        raise UsageError("cli.push needs --checkpoint=DIR and --to=FOLDER or --to=hf://org/name")
    from sde_seg_jax.experiment.weights.sharing import push

    where = push(arguments.checkpoint, arguments.to, arguments.weights, arguments.license)
    print(f"wrote {where}: look at its README.md")
    print(f"next: python -m sde_seg_jax.cli.predict --checkpoint={arguments.to} --input=IMAGES --output=predictions")


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags))
