"""What a shell is told to complete a command line: all words stand in a script, so that completing starts no Python."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from string import Template

from ml_collections import config_dict

from sde_seg_jax.cli.command_line import flag_values
from sde_seg_jax.cli.command_names import COMMANDS
from sde_seg_jax.experiment.config import load_config
from sde_seg_jax.experiment.configuration.files import load_module, names

SHELLS = ("bash", "zsh")
BASE = "base"  # has every key
FUNCTION = Template("""# completion of sde-seg, by: sde-seg completion $shell
_sde_seg() {
  local line="$${COMP_LINE:0:$$COMP_POINT}" current words value
  current="$${line##*[[:space:]]}"
  case "$$line" in
$commands
    *) words="$all" ;;
  esac
  case "$$current" in
    --config=*) words="$configs" ;;
    --config.*) words="$keys" ;;
    --*=*)
      value="$${current#*=}"
      COMPREPLY=( $$(compgen -f -- "$$value") )
      return ;;
  esac
  COMPREPLY=( $$(compgen -W "$$words" -- "$$current") )
  # a shell that breaks words at "=" and ":" wants only what follows the last one that is typed
  case "$$current" in
    *=*:*) case "$$COMP_WORDBREAKS" in *:*) COMPREPLY=( "$${COMPREPLY[@]#*:}" ) ;; esac ;;
    *=*) case "$$COMP_WORDBREAKS" in *=*) COMPREPLY=( "$${COMPREPLY[@]#*=}" ) ;; esac ;;
  esac
  case "$${COMPREPLY[0]-}" in *=|*.) type compopt > /dev/null 2>&1 && compopt -o nospace ;; esac
  return 0
}
complete -F _sde_seg sde-seg
""")
ZSH = """autoload -Uz compinit bashcompinit
(( $+functions[compdef] )) || compinit
bashcompinit
"""


def script(shell: str) -> str:
    """The script of a shell."""
    cases = [f'    "sde-seg {name} "*) words="{" ".join(_flags_of(name))}" ;;' for name in COMMANDS]
    filled = FUNCTION.substitute(
        shell=shell,
        commands="\n".join(cases),
        all=" ".join((*COMMANDS, "--help", "--version")),
        configs=" ".join(f"--config={name}" for name in _configurations()),
        keys=" ".join(f"--config.{key}=" for key in _keys(load_config(BASE))),
    )
    return filled if shell == "bash" else ZSH + filled


def _flags_of(command: str) -> list[str]:
    module = importlib.import_module(f"sde_seg_jax.cli.{command}")
    values = flag_values(getattr(module, "flags", None))
    words = [f"--{name}" if values[name].boolean else f"--{name}=" for name in values]
    shells = [*SHELLS] if command == "completion" else []
    return [*shells, *sorted(words), "--config.", "--help"]


def _configurations() -> Iterator[str]:
    """Names of configurations, and their rows where a file lists them."""
    for name in names():
        yield name
        rows = getattr(load_module(name), "ROWS", ())
        yield from (f"{name}:{row}" for row in rows if isinstance(row, str))


def _keys(config: config_dict.ConfigDict, above: str = "") -> Iterator[str]:
    for key, value in config.items():
        if isinstance(value, config_dict.ConfigDict) and len(value):
            yield from _keys(value, f"{above}{key}.")
        else:
            yield f"{above}{key}"
