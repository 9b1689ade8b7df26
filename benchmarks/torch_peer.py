"""The PyTorch peers of every training step: do they compute what ours compute, and do they run?

    python benchmarks/torch_peer.py --check                         # losses, logs and gradients beside ours
    python benchmarks/torch_peer.py --check --tasks supervised --precisions float64
    python benchmarks/torch_peer.py --mode compiled --steps 3       # a few steps of a mode

Both with equal weights and data, without randomness. `--check` exits with 1 on a difference above the tolerance of its
precision. The second shows the first loss of a mode beside that of plain float32: a smoke test, not a measurement.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import inspect
import sys
import time
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tables
import torch
from cases import KINDS, SETTINGS, Case, Setting, make_case, setting_of
from peer import weights
from peer.modes import MODES
from peer.tasks import make_peer

from sde_seg_jax.tasks.task import find_task
from sde_seg_jax.training.optimizers import hold

CERTAIN = {  # options without randomness, where a task has them, and with what makes every part count
    "confidence": 0.06,  # an untrained teacher of 19 classes is nowhere surer than that of much more than 1/19
    "jitter": 0.0,
    "jitter_probability": 0.0,
    "blur_probability": 0.0,
    "tie_break": 0.0,
    "margin_sign": "fixed",
}
PEER_MODES = {"float64": "float64", "float32": "eager"}
# On the tiny setting batch norm over few values amplifies the rounding of one operation up to 7e3-fold, in both
# precisions: to 1.6e-12 and 4e-4. Another formula shows in float64, far above; float32 is given 5e4 roundings.
TOLERANCES = {"float64": 1e-9, "float32": 5e4 * float(np.finfo(np.float32).eps)}
NOT_LOGGED = {"disparity_spread", "translation_norm"}  # by the peers
QUICK_TO_COMPILE = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}  # on CPU


@dataclasses.dataclass(frozen=True)
class Differences:
    """Relative differences of a peer to ours: of the loss, of each logged value, of each parameter's gradient."""

    loss: float
    logs: dict[str, float]
    gradients: dict[str, float]

    def worst(self) -> float:
        """The largest of all."""
        return max(self.loss, *self.logs.values(), *self.gradients.values())


def options_of(task: str) -> dict[str, Any]:
    """Options with which the task draws nothing."""
    known = inspect.signature(find_task(KINDS[task].task).make_loss).parameters
    return {name: value for name, value in CERTAIN.items() if name in known}


def certain_case(task: str, setting: Setting, precision: str) -> Case:
    """A case without randomness, all of it in `precision`; for float64 within `computing_in`."""
    # Without motion every point falls on a pixel's centre, where the gradient jumps and rounding chooses the side.
    changes = {"dropout": 0.0, "pose_start": 1.0}
    models = {name: {**getattr(setting, name), **changes} for name in ("model", "student")}
    setting = dataclasses.replace(setting, dtype=None if precision == "float64" else precision, **models)
    case = make_case(task, setting, **options_of(task))

    def convert(leaf):
        return jnp.asarray(leaf, precision) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return dataclasses.replace(case, state=jax.tree.map(convert, case.state))


@contextlib.contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """jax in that precision, without the shortened factors of matrix units."""
    with jax.enable_x64(precision == "float64"), jax.default_matmul_precision("highest"):
        yield


def compile_options() -> dict[str, Any]:
    """Where a function runs once, compiling it is all the time there is."""
    return QUICK_TO_COMPILE if jax.default_backend() == "cpu" else {}


def differences(task: str, setting: Setting, precision: str) -> Differences:
    """How far the peer of a task is from ours. Raises ValueError if one of them lacks a parameter or a logged value."""
    with computing_in(precision):
        case = certain_case(task, setting, precision)
        frozen = KINDS[task].optimizer.get("frozen", ())

        def of_trained(params, state, streams):
            return case.loss(hold(params, frozen), state, streams, state.key)

        gradient = jax.jit(jax.value_and_grad(of_trained, has_aux=True), compiler_options=compile_options())
        (value, aux), gradients = gradient(case.state.student.params, case.state, case.streams)
        expected = weights.named(gradients)
    peer = make_peer(case, mode=PEER_MODES[precision], **options_of(task))
    loss, logs = peer.loss()
    found = {name: gradient.cpu().numpy() for name, gradient in peer.gradients().items()}
    alone = (found.keys() ^ expected.keys()) | ((logs.keys() ^ aux.logs.keys()) - NOT_LOGGED)
    if alone:
        raise ValueError(f"only one side has {', '.join(sorted(alone))}")
    floor = np.sqrt(np.finfo(precision).eps) * np.sqrt(sum(np.sum(g**2) for g in expected.values()))
    return Differences(
        relative(loss.item(), value),
        {name: relative(term.item(), aux.logs[name]) for name, term in logs.items()},
        {name: relative(found[name], gradient, floor) for name, gradient in expected.items()},
    )


def relative(found, expected, floor: float = 0.0) -> float:
    """Norm of the difference as a share of the expected norm, or of `floor`, if that is more.

    A gradient that is nothing but rounding, as that of a bias in front of batch norm, is judged by the floor.
    """
    distance, size = np.linalg.norm(np.subtract(found, expected)), max(np.linalg.norm(expected), floor)
    return float(distance / size) if distance else 0.0


def check(names: list[str], setting: str, precisions: list[str]) -> bool:
    """Prints the differences of tasks; whether all are within the tolerance."""
    rows, good = [], True
    for task in names:
        for precision in precisions:
            found = differences(task, setting_of(task, setting), precision)
            worst = max(found.gradients, key=found.gradients.get)
            equal = found.worst() <= TOLERANCES[precision]
            good = good and equal
            median = float(np.median(list(found.gradients.values())))
            columns = [found.loss, max(found.logs.values()), median, found.gradients[worst], worst]
            rows.append([task, precision, *columns, "equal" if equal else f"above {TOLERANCES[precision]:.1g}"])
    columns = ["task", "precision", "loss", "worst log", "median gradient", "worst gradient", "of", "verdict"]
    tables.show("PyTorch peers beside ours: relative differences", columns, rows)
    return good


def run(names: list[str], setting: str, mode: str, steps: int) -> None:
    """Prints a few steps of a mode."""
    rows = []
    for task in names:
        case = certain_case(task, setting_of(task, setting), "float32")
        plain = make_peer(case, mode="eager", **options_of(task)).loss()[0].item()
        peer, losses, begin = make_peer(case, mode=mode, **options_of(task)), [], time.perf_counter()
        for _ in range(steps):
            losses.append(peer.step().item())
            seconds, begin = time.perf_counter() - begin, time.perf_counter()
        rows.append([task, plain, losses[0], abs(losses[0] / plain - 1), losses[-1], seconds])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    columns = ["task", "float32 loss", "first loss", "differ by", f"loss {steps}", "s, last step"]
    tables.show(f"PyTorch peers, mode {mode}, on {device}", columns, rows)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with ours")
    parser.add_argument("--mode", choices=MODES, help="run a few steps")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--setting", choices=SETTINGS, default="tiny")
    parser.add_argument("--tasks", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--precisions", nargs="+", choices=PEER_MODES, default=list(PEER_MODES))
    given = parser.parse_args()
    if not given.check and not given.mode:
        parser.error("nothing to do: give --check, --mode, or both")
    if given.mode:
        run(given.tasks, given.setting, given.mode, given.steps)
    return 0 if not given.check or check(given.tasks, given.setting, given.precisions) else 1


if __name__ == "__main__":
    sys.exit(main())
