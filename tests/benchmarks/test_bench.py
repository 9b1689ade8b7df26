"""The front end of the benchmarks: one table of all parts, and contenders in processes of their own."""

import operator

import bench
import pytest
import rivals

TIMES = {"median": 0.1, "low": 0.09, "high": 0.12, "n": 9}


def step(contender, speed, batch=2):
    return {"task": "supervised", "batch": batch, "contender": contender, "images_per_second": speed}


def test_peers_of_a_step_are_compared_with_ours_of_the_same_batch():
    found = {
        "steps": [step("ours", 30.0), step("torch eager", 20.0), step("ours", 50.0, 4), step("torch eager", 100.0, 4)]
    }
    assert [(line[0], line[1], line[3], line[-1]) for line in bench.lines(found)] == [
        ("supervised, batch 2", 30.0, 20.0, 1.5),
        ("supervised, batch 4", 50.0, 100.0, 0.5),
    ]


def test_a_step_without_peers_stands_alone():
    assert bench.lines({"steps": [step("ours", 30.0)]}) == [["supervised, batch 2", 30.0, "", None, "images/s", None]]


def test_a_kernel_that_takes_half_as_long_has_a_ratio_of_two():
    row = {"kernel": "warp", "dtype": "float32", "ours": "package"}
    row["seconds"] = {"package": TIMES, "eager": TIMES | {"median": 0.2}}
    assert bench.lines({"rows": [row]}) == [["warp, float32, package", 100.0, "torch eager", 200.0, "ms", 2.0]]


def test_the_worst_difference_of_devices_leaves_out_what_is_none():
    row = {"devices": 2, "loss": 1e-12, "teacher": None, "parameters": 3e-11, "pixels apart": 0, "across": 0.4}
    assert bench.lines({"agreement": [row]})[0][:2] == ["2 devices against one: worst difference", 3e-11]


@pytest.mark.parametrize("parts", [bench.PARTS, bench.GPU_PARTS])
def test_every_part_is_a_script(parts):
    assert all((bench.HERE / command[0]).exists() for command in parts.values())


def adder(value):
    total = {"sum": value}

    def call():
        total["sum"] = operator.add(total["sum"], 1)

    return {"began": value}, call


def broken(value):
    raise MemoryError(f"no room for {value}")


def test_a_rival_tells_its_facts_and_takes_turns():
    found = {"a": rivals.start(adder, 3), "b": rivals.start(adder, 4)}
    assert [rival.facts["began"] for rival in found.values()] == [3, 4]
    times = rivals.measure(found, rounds=2, seconds=0.0)
    assert {name: t.n for name, t in times.items()} == {"a": 2 * rivals.CALLS, "b": 2 * rivals.CALLS}
    for rival in found.values():
        rival.stop()
        assert rival.process.exitcode == 0


def test_what_goes_wrong_in_a_rival_is_told_here():
    with pytest.raises(RuntimeError, match="MemoryError: no room for 5"):
        rivals.start(broken, 5)
