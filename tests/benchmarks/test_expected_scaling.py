"""The arithmetic of `expected_scaling.py` on numbers that are known."""

import argparse
import json
import re
import subprocess
import sys

import expected_scaling
import pytest
from collectives import each
from expected_scaling import SMALL, Machines, cores, efficiency

FREE = Machines(start=0.0, hop=0.0)
GRADIENTS = [("all-reduce", 100_000_000)]


def test_one_gpu_waits_for_nobody():
    assert efficiency(0.01, [*GRADIENTS, ("all-reduce", 8)] * 100, 1, Machines()) == (1.0, 1.0)


def test_a_ring_sends_every_byte_twice_but_for_the_last_share():
    assert FREE.seconds("all-reduce", 450_000_000_000, 8) == pytest.approx(2 * 7 / 8)
    assert FREE.seconds("collective-permute", 450_000_000_000, 8) == pytest.approx(1)


def test_between_hosts_the_slower_link_counts():
    slow, fast = Machines(network=50e9, start=0, hop=0), Machines(network=900e9, start=0, hop=0)
    assert slow.seconds("all-reduce", 50_000_000_000, 64) == pytest.approx(2 * 63 / 64)
    assert fast.seconds("all-reduce", 450_000_000_000, 64) == pytest.approx(2 * 63 / 64)
    assert slow.seconds("all-reduce", 10**9, 8) == fast.seconds("all-reduce", 10**9, 8)


def test_many_small_ones_cost_their_starts():
    machines = Machines(start=15e-6, hop=10e-6, network=400e9)
    assert machines.seconds("all-reduce", 0, 8) == pytest.approx(15e-6)
    assert machines.seconds("all-reduce", 0, 64) == pytest.approx(45e-6)
    least, most = efficiency(0.01, [("all-reduce", 8)] * 400, 8, machines)
    assert least == most == pytest.approx(0.01 / (0.01 + 400 * 15e-6), rel=1e-3)


def test_gradients_hide_behind_a_step_that_is_longer_and_only_then():
    least, most = efficiency(1.0, GRADIENTS, 64, Machines(network=50e9))
    assert most == 1.0 > least
    machines = Machines(network=1e6, start=0, hop=0)  # the network takes 196.9 s
    assert efficiency(1.0, GRADIENTS, 64, machines)[1] == pytest.approx(1 / (2 * 63 / 64 * 100))


def test_statistics_never_hide():
    told = [("all-reduce", SMALL)]
    least, most = efficiency(1.0, told, 64, Machines(network=1e6, start=0, hop=0))
    assert least == most < 1


def test_more_gpus_and_slower_links_never_help():
    found = [efficiency(0.01, [*GRADIENTS, ("all-reduce", 512)] * 3, n, Machines())[0] for n in (1, 8, 64, 512)]
    assert found == sorted(found, reverse=True)


def test_cores_are_images_a_second_over_those_of_a_core():
    assert cores(4, 0.01, 200.0) == pytest.approx(2.0)


def test_another_batch_has_its_bound_and_the_same_collectives():
    step = {"task": "t", "batch": 2, "images": 4, "bound_ms": 10.0, "collectives": GRADIENTS}
    first, second = expected_scaling.with_batches([step], {16: 70.0})
    assert first == step
    assert (second["images"], second["bound_ms"], second["collectives"]) == (32, 70.0, GRADIENTS)


def test_every_collective_is_read_off_the_text():
    text = "  %a = f32[4]{0} all-reduce(%x), to_apply=%s\n  ROOT %b = (f32[2]{0}, s32[]) all-reduce-done(%y)\n"
    assert each(text) == [("all-reduce", 16), ("all-reduce", 12)]


def test_steps_of_one_device_are_refused_with_the_remedy():
    given = argparse.Namespace(slower=1.0)
    with pytest.raises(SystemExit, match=r"compile it with gpu_hlo\.py --devices 2"):
        expected_scaling.rows([{"step": "x", "bound_ms": 1.0, "collectives": []}], [8], [100.0], given)


def test_the_command_prints_both_tables(tmp_path):
    step = {"step": "s", "task": "supervised", "batch": 2, "images": 4, "bound_ms": 10.0}
    step["collectives"] = [["all-reduce", 10**8], ["all-reduce", 64]]
    (tmp_path / "steps.json").write_text(json.dumps({"steps": [step]}))
    call = [sys.executable, expected_scaling.__file__, str(tmp_path / "steps.json"), "--images-a-core", "200"]
    found = subprocess.run(call, capture_output=True, text=True, check=True).stdout
    assert found.count("supervised") == 4  # three networks; cores
    assert "| supervised | 2     | 2     |" in found
    found = subprocess.run([*call, "--batch", "16=80"], capture_output=True, text=True, check=True).stdout
    assert found.count("supervised") == 8
    assert re.search(r"\| supervised \| 16 +\| 2 ", found)
