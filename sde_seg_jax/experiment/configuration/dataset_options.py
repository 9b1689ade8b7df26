"""Options of a data set that a configuration does not list: its description knows them, so a flag may set them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

SECTIONS = {"dataset": "data", "source_dataset": "source_data"}  # of options -> that which names their data set


def unlisted(config: Any, section: str, name: str) -> Collection[str]:
    """The options of the section's data set, if it is such a section and lacks the key; else none.

    Also none where there is no such data set, which is told when it is opened.
    """
    named = config.get(SECTIONS.get(section, ""), {}).get("dataset", "")
    if not named or name in config.get(section, {name: None}):
        return ()
    from sde_seg_jax.data.spec import find  # imports the data set's readers

    try:
        return tuple(find(named).options)
    except ValueError:
        return ()
