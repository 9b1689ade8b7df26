"""Prints what completes command lines in a shell: python -m sde_seg_jax.cli.completion bash

bash: add  source <(sde-seg completion bash)  to ~/.bashrc; zsh: source <(sde-seg completion zsh)  in ~/.zshrc, after
compinit. Names of configurations and keys are those of this version of the package: print it again after an update.
"""

from __future__ import annotations

import sys

from absl import flags as absl_flags

from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.experiment.config import UsageError

POSITIONAL = "shell"  # the flag that a word without dashes is the value of


def flags(values: absl_flags.FlagValues) -> None:
    """This command's own flag."""
    absl_flags.DEFINE_string("shell", "", "bash or zsh; or the word after the command", flag_values=values)


def main(arguments: Arguments) -> None:
    """Prints the script of the command line's shell."""
    from sde_seg_jax.cli.completion_script import SHELLS, script

    if arguments.shell not in SHELLS:
        raise UsageError(f"cli.completion needs a shell, {' or '.join(SHELLS)}: sde-seg completion bash")
    print(script(arguments.shell), end="")


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags, positional=POSITIONAL))
