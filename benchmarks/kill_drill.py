"""Kills commands at random moments, lets them go on, and compares what they end with: is anything lost, bit for bit?

    python benchmarks/kill_drill.py --kills 100 --seed 0
    python benchmarks/kill_drill.py --kills 6 --seed 1 --cases supervised,select --minutes 5
    python benchmarks/kill_drill.py --kills 100 --seed 0 --folder out  # the same again goes on, and counts on

Every task is trained at the tests' smallest size, and images are selected. A run is killed (SIGKILL, with all its
processes) after a random share of the time that the same command took undisturbed, one to three times, and then
continued by the same command to its end; SHA-256 digests of student and teacher, or of the list and the students of a
selection, are compared with the undisturbed run's. In half of the runs nothing is compiled beforehand, so that most of
those kills fall into importing and compiling, and into writing what was compiled. Exit status: 1 if anything differs.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from kill_cases import NEEDED, ROOT, Case, cases

MOST = 3  # kills of one run
COLD = 0.5  # share of runs with nothing compiled


@dataclasses.dataclass
class Counts:
    """What happened to one case."""

    kills: int = 0
    early: int = 0  # before the first step or the first choice
    cold: int = 0  # with nothing compiled
    runs: int = 0
    different: int = 0


class Drill:
    """Runs commands in one folder of runs; `compiled` is what they compiled, kept from run to run."""

    def __init__(self, folder: pathlib.Path, seed: int, *, most: int = MOST, cold: float = COLD):
        """`most`: kills of one run; `cold`: share of runs with nothing compiled."""
        self.runs, self.compiled, self.seed = folder / "runs", folder / "compiled", seed
        self.most, self.cold = most, cold
        self.seconds: dict[str, float] = {}
        self.digests: dict[str, str] = {}
        self.note = folder / f"counts_{seed}.json"
        known = json.loads(self.note.read_text(encoding="utf-8")) if self.note.is_file() else {}
        self.counts: dict[str, Counts] = collections.defaultdict(Counts)
        self.counts |= {name: Counts(**values) for name, values in known.items()}
        self.begin(0)

    def begin(self, number: int) -> None:
        """What is random about a run depends on its number and the seed alone, so that a drill can be continued."""
        self.rng = random.Random(f"{self.seed} {number}")

    def keep(self) -> None:
        """Notes the counts."""
        self.note.write_text(json.dumps({name: vars(one) for name, one in self.counts.items()}), encoding="utf-8")

    def start(self, case: Case, workdir: pathlib.Path, compiled: pathlib.Path) -> subprocess.Popen:
        """The command as a process group of its own."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "JAX_PLATFORMS": "cpu",
            "JAX_COMPILATION_CACHE_DIR": str(compiled),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }
        command = [*case.command, f"--workdir={workdir}"]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
        return subprocess.Popen(command, cwd=ROOT, env=environment, **options)

    def finish(self, case: Case, workdir: pathlib.Path, compiled: pathlib.Path) -> float:
        """Seconds until the command had done its work. Raises RuntimeError with its last lines if it could not."""
        began = time.monotonic()
        process = self.start(case, workdir, compiled)
        out, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"{case.name} in {workdir} ended with {process.returncode}: {out[-2000:]}")
        return time.monotonic() - began

    def learn(self, case: Case) -> None:
        """The undisturbed run, once more with everything compiled, for its time; what the folder knows is kept."""
        workdir, note = self.runs / case.name, self.runs / f"{case.name}.json"
        if note.is_file():
            known = json.loads(note.read_text(encoding="utf-8"))
            self.seconds[case.name], self.digests[case.name] = known["seconds"], known["digest"]
            return
        self.finish(case, workdir, self.compiled)
        self.digests[case.name] = case.digest(workdir)
        again = self.runs / f"{case.name}_timed"
        self.seconds[case.name] = self.finish(case, again, self.compiled)
        if case.digest(again) != self.digests[case.name]:
            raise RuntimeError(f"{case.name}: two undisturbed runs differ; what kills change cannot be told")
        shutil.rmtree(again)
        known = {"seconds": self.seconds[case.name], "digest": self.digests[case.name]}
        note.write_text(json.dumps(known), encoding="utf-8")

    def attack(self, case: Case, kills: int) -> None:
        """One run that is killed so often, continued to its end and compared."""
        counts = self.counts[case.name]
        workdir = self.runs / f"{case.name}_killed{counts.runs}_{self.seed}"
        shutil.rmtree(workdir, ignore_errors=True)  # of a drill that was stopped
        cold = self.rng.random() < self.cold
        compiled = pathlib.Path(tempfile.mkdtemp(dir=self.runs.parent)) if cold else self.compiled
        done = 0
        while done < kills and self.kill(case, workdir, compiled):
            done += 1
            counts.early += not case.begun(workdir)
            counts.cold += cold
        counts.kills += done
        counts.runs += 1
        try:
            self.finish(case, workdir, compiled)
            same = case.digest(workdir) == self.digests[case.name]
        except (RuntimeError, ValueError, OSError) as error:
            print(f"{case.name}: {error}", file=sys.stderr)
            same = False
        counts.different += not same
        if same:  # what differs stays, to be looked at
            shutil.rmtree(workdir)
        if cold:
            shutil.rmtree(compiled)

    def kill(self, case: Case, workdir: pathlib.Path, compiled: pathlib.Path) -> bool:
        """Starts and kills the command; False if it was done before."""
        process = self.start(case, workdir, compiled)
        try:
            process.communicate(timeout=self.rng.uniform(0.02, 1.0) * self.seconds[case.name])
            return False
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return True


def table(counts: dict[str, Counts]) -> str:
    """Of all cases, and their sum."""
    columns = [field.name for field in dataclasses.fields(Counts)]
    total = Counts(*(sum(getattr(one, name) for one in counts.values()) for name in columns))
    head = ("kills", "before the first step", "nothing compiled", "runs", "different")
    lines = ["| case | " + " | ".join(head) + " |", "|---" * (1 + len(head)) + "|"]
    for name, one in [*counts.items(), ("all", total)]:
        lines.append(f"| {name} | " + " | ".join(str(value) for value in dataclasses.astuple(one)) + " |")
    return "\n".join(lines)


def run(drill: Drill, known: Sequence[Case], attacked: Sequence[Case], kills: int, minutes: float) -> None:
    """Undisturbed runs of all `known`, then kills of the `attacked` in turn until there were enough, or time is up."""
    end = time.monotonic() + 60 * minutes
    for case in known:
        drill.learn(case)
        print(f"{case.name}: {drill.seconds[case.name]:.0f} s undisturbed", flush=True)
    number = sum(one.runs for one in drill.counts.values())
    while (left := kills - sum(one.kills for one in drill.counts.values())) > 0 and time.monotonic() < end:
        drill.begin(number)
        drill.attack(attacked[number % len(attacked)], min(left, drill.rng.randint(1, drill.most)))
        drill.keep()
        number += 1
    if left > 0:
        print(f"time is up: {left} of {kills} kills are left out")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", default="", help="such as supervised,select; default: all")
    parser.add_argument("--most", type=int, default=MOST, help="kills of one run")
    parser.add_argument("--cold", type=float, default=COLD, help="share of runs with nothing compiled")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no more runs after so many")
    parser.add_argument("--folder", default="", help="keep everything here, and go on with what is; default: temporary")
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(arguments.folder or scratch).resolve()
        every = cases(folder / "prepared")
        wanted = arguments.cases.split(",") if arguments.cases else list(every)
        needed = {stage for name in wanted for stage in NEEDED.get(name, ())}
        drill = Drill(folder, arguments.seed, most=arguments.most, cold=arguments.cold)
        known = [every[name] for name in every if name in wanted or name in needed]
        run(drill, known, [every[name] for name in wanted], arguments.kills, arguments.minutes)
        print(table(drill.counts))
        return 1 if any(one.different for one in drill.counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
