"""What an export for labelling says about itself: its title, and how the finished labels come back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RAW, STORED = "raw files", "stored images"  # where frames come from
BACK = {  # what a person takes out of a tool
    "cvat": "the zip that CVAT exports",
    "label_studio": "the JSON that Label Studio exports",
    "folder": "this folder, as it is,",
}


def title(facts: Mapping[str, Any]) -> str:
    """One line, as the name of the task in a tool."""
    ranks = [entry["rank"] for entry in facts["frames"]]
    return f"{facts['dataset']} {facts['split']} {ranks[0]}-{ranks[-1]}"


def way_back(name: str, facts: Mapping[str, Any]) -> str:
    """The end of README.txt of an export for tool `name`: from finished labels to training."""
    if facts["dataset"] == "folder" and facts["resolution"] == RAW:
        where, beside = "data.raw_dir", "classes.json, unless one is there, into data.raw_dir itself"
    else:
        where, beside = "a new folder", "classes.json and the images, under their paths here, into that folder itself"
    source = f"{len(facts['frames'])} frames, {facts['resolution']} of {facts['dataset']}"
    return f"""From here to training ({source})

1. manifest.json lists the frames as they were chosen, the most useful first. Leave the names of frames and classes as
   they are: labels find their images by them.
2. Put {BACK.get(name, f"what {name} exports")} into labels/ of {where},
   {beside}.
3. Prepare that folder (data set "folder") into a new data.prepared_dir: python -m sde_seg_jax.cli.prepare reads, checks
   and counts the labels.
4. Train with data.labels=0 and without data.label_file: all labels that are there count.
"""
