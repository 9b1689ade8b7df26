"""Keys that a flag may set though a configuration lacks them: others know their names, or a person makes them."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import Any

from sde_seg_jax.experiment.errors import UsageError

# whose keys are those of what is named: encoder, decoder, terms, schedule, network (which refuse what they do not know)
OPEN = ("model.encoder_options", "model.decoder_options", "losses", "schedule", "optim.module_rates")
OURS = "sources"  # a person names them
ALIKE = 0.85  # of new names and those that are there: a slip of the keyboard
DATA = {"dataset": "data", "source_dataset": "source_data"}  # of options -> that which names their data set


def may_set(config: Any, section: str, name: str) -> bool:
    """Is config.section.name free: not there, or of a section that is open, so that any value may be one of its?

    Options of a data set are those that its description declares; where there is no such data set, which is told when
    it is opened, there are none. Raises UsageError for what is a slip of the keyboard.
    """
    if section in OPEN:
        return True
    if section not in (OURS, *DATA) or name in config.get(section, {name: None}):
        return False
    if section == OURS:
        near = difflib.get_close_matches(name, config.get(OURS, {}), 1, ALIKE)
        if near:
            raise UsageError(f"unknown key 'config.{OURS}.{name}': did you mean '{near[0]}'? Else choose another name")
        return True
    options = _options_of_data(config, section)
    if options and name not in options:
        near = difflib.get_close_matches(name, options, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(sorted(options))}"
        raise UsageError(f"unknown key 'config.{section}.{name}': {hint}")
    return bool(options)


def _options_of_data(config: Any, section: str) -> Collection[str]:
    named = config.get(DATA[section], {}).get("dataset", "")
    if not named:
        return ()
    from sde_seg_jax.data.spec import find  # imports the data set's readers

    try:
        return tuple(find(named).options)
    except ValueError:
        return ()
