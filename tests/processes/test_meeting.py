"""Where processes meet: only if somebody asks, and with one line if they do not."""

import jax
import pytest

import launch
from sde_seg_jax.cli import cache_depth, command_line, evaluate, train
from sde_seg_jax.processes import together
from sde_seg_jax.processes.meeting import Meeting, meeting
from sde_seg_jax.reporter import Console

JAX = {"JAX_COORDINATOR_ADDRESS": "host:12", "JAX_NUM_PROCESSES": "4", "JAX_PROCESS_ID": "3"}


@pytest.mark.parametrize("environment", [{}, {"SLURM_JOB_ID": "7", "SLURM_PROCID": "1"}])
def test_nobody_meets_where_nobody_asks(environment):
    assert meeting("", None, None, environment=environment) is None


@pytest.mark.parametrize(
    ("flags", "environment", "expected"),
    [
        (("host:12", 4, 3), {}, Meeting("host:12", 4, 3)),
        (("[::1]:12", 4, 3), {}, Meeting("[::1]:12", 4, 3)),
        (("", None, None), JAX, Meeting("host:12", 4, 3)),
        (("auto", None, None), JAX, Meeting("host:12", 4, 3)),
        (("auto", None, None), {}, Meeting()),  # jax looks for Slurm and others
        (("other:1", None, 0), JAX, Meeting("other:1", 4, 0)),
    ],
)
def test_flags_go_before_the_environment(flags, environment, expected):
    assert meeting(*flags, environment=environment) == expected


@pytest.mark.parametrize(
    ("flags", "environment", "message"),
    [
        (("", 2, None), {}, "--processes and --process need --coordinator=HOST:PORT, or --coordinator=auto"),
        (("", None, 0), JAX, "--processes and --process need --coordinator"),
        (("host", 2, 0), {}, "--coordinator=host: expected HOST:PORT of process 0, or auto"),
        (("host:0", 2, 0), {}, "--coordinator=host:0: expected HOST:PORT"),
        (("host:65536", 2, 0), {}, "--coordinator=host:65536: expected HOST:PORT"),
        ((":12", 2, 0), {}, "--coordinator=:12: expected HOST:PORT"),
        (("host:12", 0, 0), {}, "--processes=0: expected 1 or more"),
        (("host:12", 2, 2), {}, "--process=2: expected a number from 0 to 1"),
        (("host:12", 2, -1), {}, "--process=-1: expected a number from 0 to 1"),
        (("", None, None), JAX | {"JAX_PROCESS_ID": "x"}, "JAX_PROCESS_ID=x: expected a whole number"),
    ],
)
def test_what_cannot_be_asked_for_is_named(flags, environment, message):
    if flags == ("", None, 0):
        environment = {}
    with pytest.raises(ValueError, match=message.replace("[", r"\[").replace("]", r"\]")):
        meeting(*flags, environment=environment)


def outcome(capsys, *flags):
    status = command_line.run(lambda arguments: print("done"), ["train", *flags], about="", extra=train.flags)
    return status, *capsys.readouterr()


def test_a_command_alone_initialises_nothing(capsys):
    assert outcome(capsys) == (0, "done\n", "")
    assert not jax.distributed.is_initialized()
    assert (together.count(), together.index(), together.is_first()) == (1, 0, True)


def test_flags_that_do_not_fit_end_with_one_line_and_status_2(capsys):
    status, out, err = outcome(capsys, "--processes=2", "--process=0")
    assert (status, out) == (2, "")
    assert err == "error: --processes and --process need --coordinator=HOST:PORT, or --coordinator=auto\n"


def test_a_host_that_nobody_knows_is_named(capsys):
    status, _, err = outcome(capsys, "--coordinator=no-such-host.invalid:99", "--processes=2", "--process=1")
    assert status == 2
    assert err.startswith("error: --coordinator=no-such-host.invalid:99: this machine knows no host 'no-such-host.inv")
    assert len(err.splitlines()) == 1


def test_nothing_to_detect_is_an_error_that_names_the_flags(monkeypatch):
    for name in ("SLURM_JOB_ID", "OMPI_MCA_orte_hnp_uri", "KUBERNETES_SERVICE_HOST", *JAX):
        monkeypatch.delenv(name, raising=False)
    ((status, out, err),) = launch.finish([launch.command("-m", "sde_seg_jax.cli.train", "--coordinator=auto")])
    assert (status, out) == (2, "")
    assert err.splitlines() == [
        "error: --coordinator=auto: neither Slurm, Open MPI, Kubernetes nor a Cloud TPU tells how many processes "
        "there are and which one this is: give --coordinator=HOST:PORT --processes=N --process=I"
    ]


def test_commands_of_several_processes_take_the_flags():
    for module in (train, evaluate, cache_depth):
        values = command_line.flag_values(module.flags)
        assert {"coordinator", "processes", "process", "join_seconds", "lost_seconds"} <= set(values)


def test_one_process_exchanges_nothing_and_keeps_the_order():
    assert list(together.part("abc")) == ["a", "b", "c"]
    found = [1, 2]
    assert together.in_order(found) is found
    assert together.gathered(3) == [3]
    assert together.first_before_others(lambda: 5) == 5
    together.barrier()
    together.require_same(1, "it", "do")


def test_a_silenced_console_tells_nothing_and_tells_again(capsys):
    console = Console()
    with console.silenced():
        console.tell("a")
        console.warn("b")
        assert console.bar(range(3)).disable
    console.tell("c")
    assert capsys.readouterr() == ("c\n", "")
