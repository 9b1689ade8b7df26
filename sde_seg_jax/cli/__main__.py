"""sde-seg COMMAND [flags]: the same as python -m sde_seg_jax.cli.COMMAND [flags]."""

from __future__ import annotations

import difflib
import importlib
import sys
import types

import sde_seg_jax
from sde_seg_jax.cli.command_names import COMMANDS


def main() -> int:
    """Dispatches to a command; lists them when none or an unknown one is named."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("-h", "--help"):
        print(_overview())
        return 0
    if name == "--version":
        print(f"sde-seg {sde_seg_jax.__version__}")
        return 0
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        print(f"error: unknown command '{name}'; {hint}commands: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    from sde_seg_jax.cli.command_line import run

    module = _module(name)
    return run(
        module.main,
        [f"sde-seg {name}", *sys.argv[2:]],
        about=module.__doc__,
        extra=getattr(module, "flags", None),
        more=getattr(module, "more", None),
        positional=getattr(module, "POSITIONAL", ""),
        hands_on=getattr(module, "HANDS_ON", False),
    )


def _module(name: str) -> types.ModuleType:
    return importlib.import_module(f"sde_seg_jax.cli.{name}")


def _overview() -> str:
    heads = {name: _module(name).__doc__.splitlines()[0].partition(": python -m")[0] for name in COMMANDS}
    wide = max(map(len, COMMANDS))
    lines = [f"  {name:<{wide}}  {head}" for name, head in heads.items()]
    return "\n".join([__doc__, "", "commands:", *lines, "", "sde-seg COMMAND --help explains one; sde-seg --version"])


if __name__ == "__main__":
    sys.exit(main())
