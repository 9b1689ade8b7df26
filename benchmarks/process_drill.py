"""Kills one of several processes at random moments: do the others end in time, and is anything lost, bit for bit?

    python benchmarks/process_drill.py --kills 30 --processes 3 --seed 0
    python benchmarks/process_drill.py --kills 4 --processes 2 --task semi_supervised --signal TERM

A task is trained at the tests' smallest size by processes that meet on this machine. After a random share of the time
that they took undisturbed one of them, drawn by lot, is killed (SIGKILL); the others have to end by themselves, with
exit status 75 and one line each, within `--lost_seconds` and some for the machine. Then all start again, one to three
times, and go on to the end; digests of student and teacher are compared with those of the undisturbed run. With
`--signal TERM` they have to stop together, with status 130. Exit status: 1 if anything differs or hangs.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from kill_cases import ROOT, STEPS, TINY, digest_of_run, has_steps
from kill_drill import MOST

LATE = 60  # seconds beyond --lost_seconds until a process counts as hanging: a busy machine
LOST, STOPPED = 75, 130  # exit statuses of cli.train


@dataclasses.dataclass
class Counts:
    """What happened."""

    kills: int = 0
    early: int = 0  # before the first step
    late: int = 0  # after the last one was saved
    hanging: int = 0  # processes that did not end by themselves
    unclear: int = 0  # that ended with another status, or not with one line
    runs: int = 0
    different: int = 0
    slowest: float = 0.0  # seconds from a kill to the end of all


class Drill:
    """Processes of one command, in a folder of runs."""

    def __init__(self, folder: pathlib.Path, options: argparse.Namespace):
        self.folder, self.options, self.rng = folder, options, random.Random(options.seed)
        self.counts, self.digest = Counts(), ""
        self.number = getattr(signal, f"SIG{options.signal}")
        (folder / "logs").mkdir(parents=True, exist_ok=True)

    def start(self, workdir: pathlib.Path) -> list[subprocess.Popen]:
        """All processes; what they say goes to files, so that none waits for a reader."""
        count = self.options.processes
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{one.getsockname()[1]}"
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "JAX_PLATFORMS": "cpu",
            "JAX_NUM_CPU_DEVICES": str(self.options.devices),
            "JAX_COMPILATION_CACHE_DIR": str(self.folder / "compiled"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }
        command = [
            *(sys.executable, "-m", "sde_seg_jax.cli.train", f"--config={TINY}:{self.options.task}", *STEPS),
            *(f"--config.data.prepared_dir={self.folder / 'prepared'}", f"--workdir={workdir}"),
            f"--config.data.batch_size={count * self.options.devices}",
            *(f"--coordinator={address}", f"--processes={count}", f"--lost_seconds={self.options.lost_seconds}"),
            *self.options.flags,
        ]
        found = []
        for index in range(count):
            with self.log(index).open("w") as log:
                found.append(
                    subprocess.Popen(
                        [*command, f"--process={index}"],
                        cwd=ROOT,
                        env=environment,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                )
        return found

    def log(self, index: int) -> pathlib.Path:
        """What a process said last."""
        return self.folder / "logs" / f"{index}.txt"

    def finish(self, workdir: pathlib.Path) -> float:
        """Seconds until all were done. Raises RuntimeError with the last lines of one that could not."""
        began = time.monotonic()
        for index, process in enumerate(self.start(workdir)):
            if process.wait():
                raise RuntimeError(
                    f"process {index}: status {process.returncode}: {self.log(index).read_text()[-2000:]}"
                )
        return time.monotonic() - began

    def kill(self, workdir: pathlib.Path, seconds: float) -> bool:
        """Starts all and kills one; False if they were done before."""
        processes = self.start(workdir)
        victim = self.rng.randrange(len(processes))
        deadline = time.monotonic() + self.rng.uniform(0.02, 1.0) * seconds
        while time.monotonic() < deadline:
            if any(process.poll() is not None for process in processes):
                break
            time.sleep(0.01)
        if processes[victim].poll() is not None:
            return any([process.wait() for process in processes])
        processes[victim].send_signal(self.number)
        began, late = time.monotonic(), self.options.lost_seconds + LATE
        for index, process in enumerate(processes):
            try:
                status = process.wait(max(0.1, began + late - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                self.counts.hanging += 1
                continue
            if index != victim or self.number != signal.SIGKILL:
                self.counts.unclear += not self.clear(workdir, index, status)
        self.counts.late += self.ended(workdir)
        self.counts.slowest = max(self.counts.slowest, time.monotonic() - began)
        return True

    def ended(self, workdir: pathlib.Path) -> bool:
        """Does a run hold what the undisturbed one ended with?"""
        try:
            return digest_of_run(workdir) == self.digest
        except (ValueError, OSError):  # nothing yet
            return False

    def clear(self, workdir: pathlib.Path, index: int, status: int) -> bool:
        """Did a process that was not killed end as it should? With 0 only if all was done before the kill."""
        errors = [line for line in self.log(index).read_text().splitlines() if "error: " in line]
        if self.number == signal.SIGKILL:
            good = (status == LOST and len(errors) == 1) or (status == 0 and self.ended(workdir))
        else:  # before the loop the system ends the one that was asked to stop
            good = status in (STOPPED, LOST, -self.number, 0)
        if not good:
            print(f"process {index} ended with {status}: {self.log(index).read_text()[-1000:]}", file=sys.stderr)
        return good

    def attack(self, number: int, kills: int, seconds: float) -> None:
        """One run that is killed so often, continued to its end and compared."""
        workdir, done = self.folder / f"killed{number}", 0
        while done < kills and self.kill(workdir, seconds):
            done += 1
            self.counts.early += not has_steps(workdir)
        self.counts.kills += done
        self.counts.runs += 1
        try:
            self.finish(workdir)
            same = digest_of_run(workdir) == self.digest
        except (RuntimeError, ValueError, OSError) as error:
            print(f"run {number}: {error}", file=sys.stderr)
            same = False
        self.counts.different += not same
        if same:  # what differs stays, to be looked at
            shutil.rmtree(workdir)

    def run(self) -> None:
        """The undisturbed run twice, then kills until there were enough, or time is up."""
        end = time.monotonic() + 60 * self.options.minutes
        self.finish(self.folder / "undisturbed")
        self.digest = digest_of_run(self.folder / "undisturbed")
        seconds = self.finish(self.folder / "again")
        if digest_of_run(self.folder / "again") != self.digest:
            raise RuntimeError("two undisturbed runs differ; what kills change cannot be told")
        print(f"{self.options.processes} processes: {seconds:.0f} s undisturbed", flush=True)
        while (left := self.options.kills - self.counts.kills) > 0 and time.monotonic() < end:
            self.attack(self.counts.runs, min(left, self.rng.randint(1, MOST)), seconds)
            print(self.counts, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--devices", type=int, default=1, help="of each process")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--task", default="supervised", help="a row of tests/tiny/config.py that starts from nothing")
    parser.add_argument("--signal", default="KILL", choices=("KILL", "TERM", "INT"))
    parser.add_argument("--lost_seconds", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no more runs after so many")
    parser.add_argument("--folder", default="", help="keep everything here; default: temporary")
    parser.add_argument("flags", nargs="*", help="more flags of cli.train, after --")
    options = parser.parse_args(arguments)
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as scratch:
        drill = Drill(pathlib.Path(options.folder or scratch).resolve(), options)
        drill.run()
        counts = drill.counts
        return 1 if counts.different or counts.hanging or counts.unclear else 0


if __name__ == "__main__":
    sys.exit(main())
