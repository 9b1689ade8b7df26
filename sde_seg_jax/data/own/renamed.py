"""Frames that a labelling tool renamed when they were uploaded: found again by their file's name, where only one fits.

Label Studio puts eight digits before a name, makes spaces "_" and drops other signs; people upload without folders.
"""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable

PREFIX = re.compile(r"[0-9a-f]{8}-(?=.)")  # of Label Studio
DROPPED = re.compile(r"[^-\w.]")  # what Django, below Label Studio, takes out of a name
OTHERS = re.compile(r"[\W_]+")  # all but letters and digits


def find(keys: Iterable[str], frames: Iterable[str]) -> dict[str, str]:
    """Key of a label that is no frame's -> the frame that it must be of; only where that is the only one.

    The file's name counts; where several frames have it, those whose folders are the last ones of the label's, or the
    other way round. Two labels of one frame are of none.

    Args:
      keys: paths without suffix, as a tool has them.
      frames: those of all frames, labeled or not.
    """
    by_name: dict[str, list[str]] = collections.defaultdict(list)
    for frame in frames:
        for name in _forms(frame.rpartition("/")[2]):
            by_name[name].append(frame)
    found = {}
    for key in keys:
        name = key.rpartition("/")[2]
        forms = {form for text in (name, PREFIX.sub("", name, count=1)) for form in _forms(text)}
        fitting = list(dict.fromkeys(frame for form in sorted(forms) for frame in by_name.get(form, ())))
        if len(fitting) > 1:
            fitting = [frame for frame in fitting if _ends_alike(key, frame)]
        if len(fitting) == 1:
            found[key] = fitting[0]
    times = collections.Counter(found.values())
    return {key: frame for key, frame in found.items() if times[frame] == 1}


def _forms(name: str) -> set[str]:
    """What a name may have become, with "_" for all that is no letter or digit; "" is none."""
    uploaded = DROPPED.sub("", name.strip().replace(" ", "_"))
    return {form for text in (name, uploaded) if (form := OTHERS.sub("_", text).strip("_").casefold())}


def _ends_alike(key: str, frame: str) -> bool:
    """Are the folders of one the last folders of the other, if there are some?"""
    ones, others = ([OTHERS.sub("_", part).casefold() for part in path.split("/")[:-1]] for path in (key, frame))
    shared = min(len(ones), len(others))
    return shared > 0 and ones[-shared:] == others[-shared:]
