"""The training steps of the PyTorch peers are ours: losses, logs, gradients, updates, in float64."""

import dataclasses

import cases
import jax
import numpy as np
import pytest
import torch
import torch_peer
from peer import weights
from peer.modes import MODES
from peer.tasks import make_peer

TINY = cases.SETTINGS["tiny"]
UPDATED = 1e-9  # relative, by tensor: as the gradients of the check, whose differences an update passes on


@pytest.mark.whole
@pytest.mark.parametrize("task", cases.TASKS)
def test_loss_logs_and_gradients_are_ours(task):
    found = torch_peer.differences(task, TINY, "float64")
    assert found.worst() <= torch_peer.TOLERANCES["float64"], found


@pytest.mark.parametrize("task", ["semi_supervised", "multitask", "domain_adaptation"])
def test_the_comparison_mixes_and_learns_from_the_mix(task):
    case = torch_peer.certain_case(task, TINY, "float32")
    _, logs = make_peer(case, mode="eager", **torch_peer.options_of(task)).loss()
    pasted = [value.item() for name, value in logs.items() if name.endswith("pasted")]
    confident = [value.item() for name, value in logs.items() if name.endswith("confident")]
    assert min(pasted) > 0.1
    assert max(pasted) < 0.9
    assert min(confident) > 0.1  # the weight of what is learnt there


@pytest.mark.whole
@pytest.mark.parametrize("task", ["semi_supervised", "sde_phase1"])
def test_two_updates_leave_the_same_networks(task, monkeypatch):
    kind = cases.KINDS[task]
    clip = {"clip": 0.1, "weight_decay": 0.1} if kind.optimizer["name"] == "sgd" else {}  # so that both act
    monkeypatch.setitem(cases.KINDS, task, dataclasses.replace(kind, optimizer=dict(kind.optimizer) | clip))
    with torch_peer.computing_in("float64"):
        case = torch_peer.certain_case(task, TINY, "float64")
        peer = make_peer(case, mode="float64", **torch_peer.options_of(task))
        step, state = jax.jit(case.step, compiler_options=torch_peer.compile_options()), case.state
        for _ in range(2):
            state, logs = step(state, case.streams)
            np.testing.assert_allclose(peer.step().item(), logs["loss"], rtol=UPDATED)
    assert not clip or float(logs["gradient_norm"]) > clip["clip"]
    _assert_equal(peer.networks.student, case.state.student, state.student)
    if state.teacher is not None:
        _assert_equal(peer.networks.teacher, case.state.teacher, state.teacher)


def _assert_equal(network, before, after):
    """Both moved alike; judged by how far a tensor moved."""
    found = network.state_dict()
    start = weights.named(before.params) | weights.named(before.batch_stats)
    for name, expected in (weights.named(after.params) | weights.named(after.batch_stats)).items():
        moved = expected - start[name]
        # where it hardly moved, the rounding of its values is the measure
        floor = 1e-6 * np.linalg.norm(expected)
        assert torch_peer.relative(found[name].numpy() - start[name], moved, floor) <= UPDATED, name


def test_options_that_the_peers_lack_are_refused():
    case = torch_peer.certain_case("semi_supervised", TINY, "float32")
    with pytest.raises(ValueError, match="the peers know mix='depth' alone, got 'class'"):
        make_peer(case, mode="eager", mix="class")
    with pytest.raises(ValueError, match="unknown mode 'fast'; known: float64, eager"):
        make_peer(case, mode="fast")


def test_plain_float32_is_without_tf32():
    for name, short in (("eager", False), ("tf32", True), ("eager", False)):
        MODES[name].switch()
        assert torch.backends.cudnn.allow_tf32 is short


def test_a_difference_is_reported_and_fails(monkeypatch, capsys):
    equal = torch_peer.Differences(1e-13, {"cross_entropy": 1e-13}, {"a.weight": 1e-13, "b.weight": 1e-12})
    monkeypatch.setattr(torch_peer, "differences", lambda *_: equal)
    assert torch_peer.check(["supervised"], "tiny", ["float64"])
    other = dataclasses.replace(equal, gradients={"a.weight": 1e-13, "b.weight": 1e-8})
    monkeypatch.setattr(torch_peer, "differences", lambda *_: other)
    assert not torch_peer.check(["supervised"], "tiny", ["float64"])
    assert "b.weight | above 1e-09" in capsys.readouterr().out


def test_a_gradient_of_rounding_is_judged_by_the_floor():
    assert torch_peer.relative(np.float64(1e-17), np.float64(0), floor=1e-8) == pytest.approx(1e-9)
    assert torch_peer.relative(1.5, 1.0) == pytest.approx(0.5)
