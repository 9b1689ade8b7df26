"""A run that was stopped, in whatever way, and started again ends where it would have ended without."""

import json
import signal
import time

import numpy as np
import pytest

from sde_seg_jax.training.checkpoints import read

STEPS = 30
OPTIMIZED = {"XLA_FLAGS": ""}  # compiled as users do, not as other tests


@pytest.fixture(scope="module")
def arguments(runs, prepared, tiny):
    """Semi-supervised: teacher, DepthMix with a frozen depth network, transferred modules."""
    return (
        *("train", tiny("semi_supervised"), prepared),
        *(f"--config.train.steps={STEPS}", "--config.train.save_every=3"),
        *(f"--config.model.init={runs / 'depth'}", f"--config.task.depth_checkpoint={runs / 'depth'}"),
    )


@pytest.fixture(scope="module")
def uninterrupted(arguments, finish, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    status, _, err = finish(*arguments, f"--workdir={folder}", env=OPTIMIZED)
    assert status == 0, err
    return folder


def steps(folder):
    path = folder / "metrics.jsonl"
    text = path.read_text() if path.exists() else ""
    return [json.loads(line)["step"] for line in text.splitlines() if line.endswith("}")]


def saved(folder):
    return sorted(int(p.name) for p in (folder / "checkpoints").glob("*") if p.name.isdigit())


def wait_for(process, folder, step):
    """Until some checkpoint is there, and `step` is done."""
    while process.poll() is None and not (saved(folder) and steps(folder) and steps(folder)[-1] >= step):
        time.sleep(0.002)
    assert process.poll() is None, "the run ended before it could be stopped"


def assert_same_state(a, b):
    parts = ("step", "student", "teacher", "opt_state", "key", "frozen")
    first, second = read(str(a), *parts).parts, read(str(b), *parts).parts
    leaves = dict(flat(first))
    assert leaves.keys() == dict(flat(second)).keys()
    for kind in ("student/params", "student/batch_stats", "teacher/params", "opt_state", "key", "frozen/depth"):
        assert any(name.startswith(kind) for name in leaves), kind
    for name, leaf in flat(second):
        np.testing.assert_array_equal(leaves[name], leaf, err_msg=name, strict=True)


def flat(tree, name=""):
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, (list, tuple)) else None
    if items is None:
        if tree is not None:
            yield name.lstrip("/"), np.asarray(tree)
        return
    for key, value in items:
        yield from flat(value, f"{name}/{key}")


def test_interrupted_and_killed_and_resumed_equals_uninterrupted_bit_for_bit(
    arguments, uninterrupted, start, finish, tmp_path
):
    for number, step in ((signal.SIGTERM, 3), (signal.SIGINT, 8), (signal.SIGKILL, 15)):
        process = start(*arguments, f"--workdir={tmp_path}", env=OPTIMIZED)
        wait_for(process, tmp_path, step)
        process.send_signal(number)
        _, err = process.communicate()
        last = saved(tmp_path)[-1]
        assert last < STEPS
        if number == signal.SIGKILL:
            assert process.returncode == -signal.SIGKILL
            continue
        assert process.returncode == 130, err
        assert steps(tmp_path)[-1] == last  # saved where it stopped, not only when a save was due
        assert err.splitlines()[-1] == f"stopped after step {last} of {STEPS}; saved; the same command continues"
    status, out, err = finish(*arguments, f"--workdir={tmp_path}", env=OPTIMIZED)
    assert status == 0, err
    assert "continuing at step" in out
    assert_same_state(tmp_path, uninterrupted)
    assert steps(tmp_path) == steps(uninterrupted) == list(range(1, STEPS + 1))
