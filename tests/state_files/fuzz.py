"""Damages files of state at random and reads them: python tests/state_files/fuzz.py --cases 3000 --seed 1

Prints a table: file, cases, how many were read all the same, how many were refused. What is wrong is listed below it
(exit status 1): an error that is not one of ours, a message without the file's name, more than SLOW seconds.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import pathlib
import random
import sys
import tempfile
import time
import traceback
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import mutations
import targets

from sde_seg_jax.cli.command_line import one_line

SLOW = 10.0  # seconds of the processor, so that a busy machine is no fault
OURS = (ValueError, OSError)  # what commands end with in one line


@dataclasses.dataclass
class Outcome:
    """One damaged file, read by all that reads it."""

    file: str
    kind: str
    refused: str = ""  # the message, empty if it was read
    wrong: str = ""
    content: bytes = b""


def make_targets(folder: pathlib.Path) -> list[tuple[pathlib.Path, list]]:
    """All files of `targets`, in new folders."""
    makers = [value for name, value in vars(targets).items() if name.endswith("_targets")]
    found = []
    for maker in makers:
        below = folder / maker.__name__.removesuffix("_targets")
        below.mkdir(parents=True)
        found += maker(below)
    return found


def attack(path: pathlib.Path, uses: list, rng: random.Random, slow: float = 1.0) -> Outcome:
    """Damages a file, reads it in all ways, the slow ones with this chance, and puts it right again."""
    whole = path.read_bytes()
    kind, content = mutations.mutate(whole, rng)
    outcome = Outcome(path.name, kind, content=content)
    for use in uses:
        if use.__name__.endswith("_slowly") and rng.random() > slow:
            continue
        path.write_bytes(content)
        began = time.process_time()
        try:
            use()
        except OURS as error:
            outcome.refused = one_line(error)
            if not any(part in outcome.refused for part in (path.name, str(path.parent))):
                outcome.wrong = f"no name in '{outcome.refused}'"
        except Exception:
            outcome.wrong = traceback.format_exc()
        took = time.process_time() - began
        if took > SLOW:
            outcome.wrong = f"took {took:.0f} s"
    path.write_bytes(whole)
    return outcome


def run(folder: pathlib.Path, cases: int, seed: int, only: str = "", slow: float = 1.0) -> list[Outcome]:
    """Files in turn, each damaged in a random way."""
    rng = random.Random(seed)
    found = [target for target in make_targets(folder) if only in str(target[0])]
    for path, uses in found:  # whole files are read
        for use in uses:
            use()
        assert path.is_file()
    return [attack(*found[number % len(found)], rng, slow) for number in range(cases)]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="files whose path holds this text")
    parser.add_argument("--slow", type=float, default=1.0, help="share of the cases that are read in slow ways, too")
    parser.add_argument("--messages", action="store_true", help="print what was said")
    arguments = parser.parse_args()
    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory() as folder:
        outcomes = run(pathlib.Path(folder), arguments.cases, arguments.seed, arguments.only, arguments.slow)
    count = collections.Counter(outcome.file for outcome in outcomes)
    refused = collections.Counter(outcome.file for outcome in outcomes if outcome.refused)
    wrong = [outcome for outcome in outcomes if outcome.wrong]
    print(f"{'file':<44} cases   read refused   wrong")
    for file, cases in [*count.items(), ("all", len(outcomes))]:
        no = refused.total() if file == "all" else refused[file]
        bad = sum(file in ("all", outcome.file) for outcome in wrong)
        print(f"{file:<44} {cases:>5} {cases - no:>6} {no:>7} {bad:>7}")
    for outcome in outcomes if arguments.messages else ():
        print(f"{outcome.file:<20} {outcome.kind:<12} {outcome.refused}")
    for outcome in wrong[:30]:
        print(f"\n{outcome.file}, {outcome.kind}: {outcome.content[:300]!r}\n{outcome.wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
