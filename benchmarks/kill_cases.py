"""What the drill of kills runs: every task at the tests' smallest size, two selections, and what they leave behind."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
import sys
from collections.abc import Callable, Sequence

ROOT = pathlib.Path(__file__).resolve().parents[1]
TINY = "tests/tiny/config.py"
STEPS = ("--config.train.steps=8", "--config.train.save_every=2", "--config.train.picture_every=4")
PARTS = ("student", "teacher")
NEEDED = {  # what a case starts from
    **dict.fromkeys(("semi_supervised", "multitask", "student_depth", "select"), ("depth",)),
    "domain_adaptation": ("depth", "source_depth"),
}


@dataclasses.dataclass(frozen=True)
class Case:
    """A command that can be continued.

    Attributes:
      name: of its folder.
      command: without the folder it writes to.
      digest: of what it left in a folder.
      begun: has it gone beyond its start in this folder, for the table.
    """

    name: str
    command: Sequence[str]
    digest: Callable[[pathlib.Path], str]
    begun: Callable[[pathlib.Path], bool]


def digest_of_run(folder: pathlib.Path) -> str:
    """Of student and teacher in the newest checkpoint, and its step."""
    from sde_seg_jax.training.checkpoints import read
    from sde_seg_jax.training.fingerprint import fingerprint

    stored = read(str(folder), *PARTS)
    return " ".join([str(stored.step), *(fingerprint(stored.parts[part] or {}) for part in PARTS)])


def digest_of_selection(folder: pathlib.Path) -> str:
    """Of the list, and of every student."""
    found = [hashlib.sha256((folder / "selection.csv").read_bytes()).hexdigest()]
    found += [digest_of_run(run) for run in sorted((folder / "students").iterdir()) if run.is_dir()]
    return " ".join(found)


def has_steps(folder: pathlib.Path) -> bool:
    """Is a step logged? The file is there before."""
    log = folder / "metrics.jsonl"
    return log.is_file() and log.stat().st_size > 0


def cases(prepared: pathlib.Path) -> dict[str, Case]:
    """All tasks, and two selections; those that others start from come first."""
    data = [f"--config.data.prepared_dir={prepared / 'target'}"]
    source = [f"--config.data.prepared_dir={prepared / 'source'}"]
    pair = [*data, f"--config.source_data.prepared_dir={prepared / 'pairs'}"]
    flags = {
        **{"depth": data, "source_depth": source, "supervised": data, "semi_supervised": data, "multitask": data},
        **{"multitask_supervised": data, "student_depth": data, "domain_adaptation": pair},
    }

    def command(name: str, row: str, *more: str) -> list[str]:
        return [sys.executable, "-m", f"sde_seg_jax.cli.{name}", f"--config={TINY}:{row}", *more]

    found = {
        row: Case(row, command("train", row, *more, *STEPS), digest_of_run, has_steps) for row, more in flags.items()
    }
    for name, row in (("select", "selection"), ("select_entropy", "entropy")):
        line = command("select", row, *data)
        found[name] = Case(name, line, digest_of_selection, lambda f: (f / "selection.csv").is_file())
    return found
