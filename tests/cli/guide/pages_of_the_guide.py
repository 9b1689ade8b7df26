"""What stands on the pages of the guide, and what makes their commands small."""

import pathlib
import re
import shlex

ROOT = pathlib.Path(__file__).resolve().parents[3]
GUIDE = ROOT / "docs" / "guide"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^python -m sde_seg_jax\.cli\.(\w+) (.*)$", re.MULTILINE)
TOY = {
    "data.size": "(64,64)",
    "data.crop": "(64,64)",
    "data.batch_size": "2",
    "data.labels": "3",
    "dataset.counts.train": "6",
    "dataset.counts.val": "2",
    "model.width": "8",
    "model.decoder_channels": "(4,4,4,8,8)",
    "model.aspp_rates": "(1,2)",
    "train.steps": "2",
}
PRETRAINED = TOY | {"model.width": "32"}  # where ImageNet's weights have to fit


def of_other_data(changes):
    """`changes` without what street scenes alone have."""
    return {key: value for key, value in changes.items() if not key.startswith("dataset.")}


def as_flags(changes):
    return [f"--config.{key}={value}" for key, value in changes.items()]


def blocks(page):
    """[(language, text)] of a page's code, in order."""
    return BLOCK.findall((GUIDE / page).read_text(encoding="utf-8"))


def commands(page):
    """[(command, its flags)] of a page, in order."""
    texts = [text.replace("\\\n", " ") for _, text in blocks(page)]
    return [(name, shlex.split(flags, comments=True)) for text in texts for name, flags in COMMAND.findall(text)]


def code(page):
    """The only Python block of a page."""
    (text,) = [text for language, text in blocks(page) if language == "python"]
    return text


def config_of(flags):
    """What stands after --config=, empty if nothing does."""
    return next((flag[len("--config=") :] for flag in flags if flag.startswith("--config=")), "")
