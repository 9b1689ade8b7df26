"""The sections of a configuration for a help text: their keys, and where these are explained."""

from __future__ import annotations

import textwrap

from ml_collections import config_dict

from sde_seg_jax.experiment.config import load_config
from sde_seg_jax.experiment.configuration.files import find

BASE = "base"  # has every key once, with a comment
WIDTH = 118


def help_text() -> str:
    """One paragraph a section."""
    sections = {name: value for name, value in load_config(BASE).items() if isinstance(value, config_dict.ConfigDict)}
    wide = max(map(len, sections)) + 4
    lines = [
        "Sections of a configuration and their keys, given as --config.section.key=value. Each key is explained beside",
        f"its default in {find(BASE)}, the options of a data set (dataset) in docs/data.md;",
        "sde-seg config --config=NAME prints all values of a configuration and where each comes from.",
    ]
    for name, section in sections.items():
        keys = ", ".join(section) or "options of the data set, see its description"
        lines += textwrap.wrap(
            keys, WIDTH, initial_indent=f"  {name:<{wide - 2}}", subsequent_indent=" " * wide, break_on_hyphens=False
        )
    return "\n".join(lines)
