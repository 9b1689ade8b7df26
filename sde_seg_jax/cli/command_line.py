"""Command lines, `--config=NAME[:row,args] --config.section.key=value --workdir=DIR`, and how commands end.

Bad input ends with one line and exit status 2. Nothing that takes long is imported here, nor at the head of a command:
help and mistyped flags are answered at once.
"""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags, logging
from ml_collections import config_dict

from sde_seg_jax import compiled
from sde_seg_jax.cli import notices, process_flags, spelling
from sde_seg_jax.cli.process_flags import BAD_INPUT, INTERRUPTED
from sde_seg_jax.experiment.config import ConfigFile, UsageError
from sde_seg_jax.experiment.configuration.files import split
from sde_seg_jax.experiment.home import expanded
from sde_seg_jax.training.interrupted import Interrupted

DONE = 0
REMEDIES = {errno.ENOSPC: "; free disk space and start again", errno.EDQUOT: "; your quota is used up: free disk space"}


class Arguments:
    """A parsed command line: its flags by name, the configuration file, and overrides of configuration keys."""

    def __init__(self, values: flags.FlagValues, overrides: dict[str, str], handed_on: Sequence[str] = ()):
        self._values = values
        self.handed_on = list(handed_on)  # words after "--"
        path, row = split(values.config)
        self.file = ConfigFile(path, row, overrides)
        self.path, self.row, self.overrides = path, row, overrides

    def __getattr__(self, name: str) -> Any:
        return getattr(self._values, name)

    def config(self, row: str | None = None) -> config_dict.ConfigDict:
        """The configuration of a row (default: the one named on the command line), overrides applied."""
        return self.file.config(row)


def run(
    main: Callable[[Arguments], int | None],
    argv: list[str],
    *,
    about: str,
    extra: Callable | None = None,
    more: Callable[[], str] | None = None,
    positional: str = "",
    hands_on: bool = False,
) -> int:
    """Parses flags, calls `main`, and turns what happens into an exit status.

    `extra(values)` defines more flags, `more()` ends the help text, and the first word, if it has no dashes, is the
    value of the flag `positional`. `hands_on`: words after "--" are for somebody else (`Arguments.handed_on`).
    """
    if positional and argv[1:] and not argv[1].startswith("-"):
        argv = [argv[0], f"--{positional}={argv[1]}", *argv[2:]]
    compiled.keep()
    if not notices.shown():
        logging.set_verbosity(logging.FATAL)  # orbax logs a thousand lines for an error that we tell in one
    try:
        with notices.quiet():
            arguments = parse(argv, about, extra, more, hands_on)
            if arguments is None:
                return DONE
            with process_flags.joined(arguments, one_line):
                return main(arguments) or DONE
    except Interrupted as stop:
        print(str(stop), file=sys.stderr)
        return INTERRUPTED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, OSError, flags.Error) as error:
        if notices.shown():
            traceback.print_exc()
        print(f"error: {one_line(error)}", file=sys.stderr)
        return BAD_INPUT


def one_line(error: BaseException) -> str:
    """What a command says of an error."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, OSError) and error.filename:  # from the system: it names the file, not the remedy
        text += REMEDIES.get(error.errno, "; check that this path exists and can be read and written")
    return text


def flag_values(extra: Callable | None = None) -> flags.FlagValues:
    """The flags of every command, and those that `extra(values)` defines."""
    values = flags.FlagValues()
    flags.DEFINE_string("config", "", "configuration, by name or file, with a row after a colon", flag_values=values)
    flags.DEFINE_string("workdir", "", "where checkpoints, metrics and pictures go", flag_values=values)
    flags.DEFINE_string("checkpoint", "", "a workdir (or its checkpoints folder) to read", flag_values=values)
    if extra is not None:
        extra(values)
    return values


def parse(
    argv: list[str],
    about: str,
    extra: Callable | None = None,
    more: Callable[[], str] | None = None,
    hands_on: bool = False,
) -> Arguments | None:
    """Arguments of a command, or None after printing the help text (--help)."""
    values = flag_values(extra)
    if "--help" in argv or "-h" in argv:
        print(about.strip())
        print("\nFlags (any configuration key can be overridden: --config.section.key=value):")
        print(values.get_help())
        if more is not None:
            print(f"\n{more()}")
        return None
    end = argv.index("--") if hands_on and "--" in argv else len(argv)
    argv, handed_on = argv[:end], argv[end + 1 :]
    overrides, rest = {}, []
    for place, argument in enumerate(argv[1:], start=1):
        name, separator, value = argument.lstrip("-").partition("=")
        if not argument.startswith("--config."):
            rest.append(argument)
        elif separator:
            overrides[name.removeprefix("config.")] = expanded(value)
        else:
            raise UsageError(spelling.of_override(argument, argv[place + 1 :]))
    try:
        leftover = values([argv[0], *rest])[1:]
    except flags.UnrecognizedFlagError as error:
        raise UsageError(spelling.of_flag(error.flagname, str(error), argv[1:])) from error
    for name in values:  # the shell replaces "~" at the start of a word only
        values[name].value = expanded(values[name].value)
    if leftover:
        raise UsageError(f"unexpected argument '{leftover[0]}'; flags are written --name=value")
    arguments = Arguments(values, overrides, handed_on)
    if arguments.path:
        arguments.config()  # a misspelt key or row is an error before any work
    return arguments
