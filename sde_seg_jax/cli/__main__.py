"""sde-seg COMMAND [flags]: the same as python -m sde_seg_jax.cli.COMMAND [flags]."""

from __future__ import annotations

import importlib
import sys

COMMANDS = (
    "pipeline",
    "doctor",
    "prepare",
    "cache_depth",
    "train",
    "select",
    "overlap",
    "evaluate",
    "predict",
    "convert",
    "report",
    "table",
)


def main() -> int:
    """Dispatches to a command; lists them when none or an unknown one is named."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name not in COMMANDS:
        print(f"{__doc__}\n\ncommands: {', '.join(COMMANDS)}\nsde-seg COMMAND --help explains one")
        return 0 if name in ("-h", "--help") else 2
    from sde_seg_jax.cli.command_line import run

    module = importlib.import_module(f"sde_seg_jax.cli.{name}")
    return run(
        module.main, [f"sde-seg {name}", *sys.argv[2:]], about=module.__doc__, extra=getattr(module, "flags", None)
    )


if __name__ == "__main__":
    sys.exit(main())
