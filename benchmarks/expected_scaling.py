"""What efficiency to expect on many GPUs, and how many cores feed one: computed, not measured.

    python benchmarks/batch_sums.py --bounds 2=10.4,16=69.5 --output steps.json     # counted; or compiled:
    python benchmarks/gpu_hlo.py --devices 2 --batch 2,4,8 --output steps.json      # bounds and collectives of a step
    python benchmarks/expected_scaling.py steps.json --gpus 8,64,512 --network 100,400,3200 --images-a-core 193
    python benchmarks/expected_scaling.py steps.json --batch 16=69.5     # another batch, whose bound is known already

Assumed (every number is a flag):
- A step computes for as long as gpu_hlo's bound. A real one is slower, which hides more of the network's time:
  `--slower 2` says by how much. So the table is a lower bound of efficiency as far as this goes.
- Weak scaling: every GPU keeps its batch, so the bytes a GPU tells the others do not depend on their number.
- A host has 8 GPUs (--host), which reach each other at 450 GB/s (--inside). All of a host's traffic to others goes
  through its network of so many Gbit/s (--network), evenly over its ports.
- An all-reduce of S bytes over N GPUs takes 2 (N - 1) / N * S / B, where B is the slower of both (ring; Patarasuk and
  Yuan, 2009), and before that a start of 15 microseconds in a host (--start), and 10 for every doubling of hosts
  (--hop). A shift of images to the next device (collective-permute) takes S / B once.
- Collectives of at most 1 MiB are statistics of batch norm and sums of the loss: the step waits for each. Larger ones
  are gradients (and mix partners). "least": the step waits for these, too. "most": they hide behind computing.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import pathlib
from collections.abc import Sequence

from tables import save, show

SMALL = 1 << 20  # bytes, as in gpu_hlo.py


@dataclasses.dataclass(frozen=True)
class Machines:
    """What is assumed of GPUs and network."""

    host: int = 8  # GPUs
    inside: float = 450e9  # bytes/s of a GPU in one direction, in a host
    network: float = 50e9  # bytes/s of a host in one direction
    start: float = 15e-6  # seconds of the shortest all-reduce in a host
    hop: float = 10e-6  # seconds more for every doubling of hosts

    def seconds(self, kind: str, size: int, gpus: int) -> float:
        """How long a collective of `size` bytes on each of so many GPUs takes."""
        if gpus == 1:
            return 0.0
        hosts = math.ceil(gpus / self.host)
        speed = self.inside if hosts == 1 else min(self.inside, self.network)
        rounds = 1.0 if kind == "collective-permute" else 2 * (gpus - 1) / gpus
        return self.start + self.hop * math.log2(hosts) + rounds * size / speed


def efficiency(
    bound: float, collectives: Sequence[tuple[str, int]], gpus: int, machines: Machines
) -> tuple[float, float]:
    """(least, most) images/s of a GPU relative to one alone, whose step takes `bound` seconds."""
    waited = sum(machines.seconds(kind, size, gpus) for kind, size in collectives if size <= SMALL)
    gradients = sum(machines.seconds(kind, size, gpus) for kind, size in collectives if size > SMALL)
    return bound / (bound + waited + gradients), bound / (max(bound, gradients) + waited)


def cores(images: int, bound: float, images_a_core: float) -> float:
    """Cores that decode as fast as a GPU asks for images, if its step takes no longer than its bound."""
    return images / bound / images_a_core


def with_batches(steps: Sequence[dict], bounds: dict[int, float]) -> list[dict]:
    """The steps, and each with other batches of these bounds [ms]: what GPUs tell each other stays the same."""
    found = list(steps)
    for step in steps:
        for batch, bound in bounds.items():
            images = step["images"] * batch // step["batch"]
            found.append({**step, "batch": batch, "images": images, "bound_ms": bound})
    return found


def rows(
    steps: Sequence[dict], gpus: Sequence[int], networks: Sequence[float], given: argparse.Namespace
) -> list[dict]:
    """A row for every step, network and number of GPUs."""
    found = []
    for step in steps:
        bound, told = given.slower * step["bound_ms"] / 1e3, [(kind, size) for kind, size in step["collectives"]]
        if not told:
            raise SystemExit(f"error: '{step['step']}' has no collectives; compile it with gpu_hlo.py --devices 2")
        small = [size for _, size in told if size <= SMALL]
        for gigabits in networks:
            machines = Machines(
                given.host, given.inside * 1e9, gigabits / 8 * 1e9, given.start * 1e-6, given.hop * 1e-6
            )
            row = {"task": step["task"], "batch": step["batch"], "step_ms": 1e3 * bound, "network_gbit": gigabits}
            row |= {
                "megabytes": sum(size for _, size in told) / 1e6,
                "small": len(small),
                "large": len(told) - len(small),
            }
            row["efficiency"] = {count: efficiency(bound, told, count, machines) for count in gpus}
            row["cores"] = cores(step["images"], bound, given.images_a_core)
            found.append(row)
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", help="JSON of gpu_hlo.py --devices 2 --output")
    parser.add_argument("--gpus", default="8,64,512", help="comma-separated")
    parser.add_argument("--network", default="100,400,3200", help="comma-separated, Gbit/s of a host")
    parser.add_argument("--host", type=int, default=8, help="GPUs of a host")
    parser.add_argument("--inside", type=float, default=450, help="GB/s of a GPU to the others of its host")
    parser.add_argument("--start", type=float, default=15, help="microseconds")
    parser.add_argument("--hop", type=float, default=10, help="microseconds for every doubling of hosts")
    parser.add_argument("--batch", default="", help="BATCH=MS,...: more rows, of bounds that gpu_hlo.py found before")
    parser.add_argument("--slower", type=float, default=1.0, help="a step takes so many times its bound")
    parser.add_argument("--images-a-core", type=float, default=193, help="docs/record/performance.md, input pipeline")
    parser.add_argument("--output", help="JSON file")
    given = parser.parse_args()
    steps = json.loads(pathlib.Path(given.steps).read_text())["steps"]
    bounds = dict(pair.split("=") for pair in given.batch.split(",") if pair)
    steps = with_batches(steps, {int(batch): float(bound) for batch, bound in bounds.items()})
    gpus = [int(count) for count in given.gpus.split(",")]
    found = rows(steps, gpus, [float(speed) for speed in given.network.split(",")], given)
    columns = ["task", "batch", "step [ms]", "MB", "small", "large", "network [Gbit/s]", *(f"{n} GPUs" for n in gpus)]
    cells = [
        [
            *(row[key] for key in ("task", "batch", "step_ms", "megabytes", "small", "large")),
            f"{row['network_gbit']:g}",
            *(f"{least:.2f} to {most:.2f}" for least, most in row["efficiency"].values()),
        ]
        for row in found
    ]
    show("Expected efficiency: images/s of a GPU relative to one alone", columns, cells)
    fed = {(row["task"], row["batch"]): row["cores"] for row in found}
    title = f"Cores that feed one GPU, at {given.images_a_core:g} images/s a core"
    show(title, ["task", "batch", "cores"], [[*key, value] for key, value in fed.items()])
    save(given.output, {"assumed": vars(given), "rows": found})


if __name__ == "__main__":
    main()
