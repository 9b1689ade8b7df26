"""The recipes of launch/: they parse, their commands have their flags, and the one that can run here runs."""

import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import time

import pytest
import test_guide

import sde_seg_jax as sds

ROOT = pathlib.Path(__file__).resolve().parents[1]
LAUNCH = ROOT / "launch"
SCRIPTS = sorted([*LAUNCH.glob("*.sh"), *LAUNCH.glob("*.sbatch")])
FILES = [*SCRIPTS, LAUNCH / "gke_job.yaml", LAUNCH / "Dockerfile"]
COMMAND = re.compile(
    r"(?:-m sde_seg_jax\.cli\.|sde_seg_jax:\w+ )(\w+)((?:\s+(?:\\\s+)?--[\w.]+(?:=\"[^\"]*\"|=[^\s\"]+)?)*)"
)


def name_of(path):
    return path.name


def commands():
    for path in FILES:
        text = path.read_text(encoding="utf-8").replace("\n#", "\n").replace('"$@"', "").replace("$flags", "")
        for command, flags in COMMAND.findall(text):
            yield path.name, command, flags.replace("\\\n", " ")


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_a_script_parses_and_stops_at_what_is_not_set(path):
    assert subprocess.run(["bash", "-n", path], capture_output=True, text=True, check=True).stderr == ""
    assert re.search(r"^set -(e?)uo pipefail$", path.read_text(), re.MULTILINE)


@pytest.mark.parametrize(("file", "command", "line"), list(commands()))
def test_a_command_has_its_flags_and_configuration(file, command, line):
    given = dict(word[2:].partition("=")[::2] for word in shlex.split(line))
    own = {name for name in given if not name.startswith("config.")}
    assert own <= test_guide.flags(command)
    if "config" in given:
        config = sds.configure(given["config"])
        for name in given.keys() - own:
            _, section, field = name.split(".")
            assert field in config[section], name


def test_every_recipe_has_commands():
    assert {file for file, *_ in commands()} == {path.name for path in FILES}


def test_every_recipe_stands_on_the_page():
    page = (ROOT / "docs/machines.md").read_text(encoding="utf-8")
    assert [path.name for path in FILES if f"launch/{path.name}" not in page] == []


def test_the_job_of_kubernetes_fits_itself():
    yaml = pytest.importorskip("yaml")
    service, job = yaml.safe_load_all((LAUNCH / "gke_job.yaml").read_text())
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    name, port = job["metadata"]["name"], container["ports"][0]["containerPort"]
    assert f"--coordinator={name}-0.{service['metadata']['name']}:{port}" in container["args"][0]
    assert f"--processes={spec['completions']} " in container["args"][0]
    assert pod["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["selector"] == {"job-name": name}
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert spec["podFailurePolicy"]["rules"][1]["onExitCodes"]["values"] == [130]


def test_the_image_installs_the_jax_of_the_requirements():
    text = (LAUNCH / "Dockerfile").read_text()
    assert re.search(r"^jax==\d", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    for variant, packages in {"cuda": "jax[cuda12]", "tpu": "jax[tpu]"}.items():
        assert f'{variant}) pip install -r requirements.txt "{packages}==$jax" ;;' in text
    assert text.index("COPY requirements.txt") < text.index("COPY . ./") < text.index("USER 1000")


# A run that writes a checkpoint a second, and one more when it is told to stop.
RUN = """
import os, signal, sys, time
workdir, first = sys.argv[1], len(os.listdir(sys.argv[1] + "/checkpoints")) if os.path.isdir(sys.argv[1] + "/checkpoints") else 0
def save(step):
    os.makedirs(f"{workdir}/checkpoints/{step}.tmp")
    open(f"{workdir}/checkpoints/{step}.tmp/state", "w").write(str(step))
    os.rename(f"{workdir}/checkpoints/{step}.tmp", f"{workdir}/checkpoints/{step}")
def stop(*_):
    save(99)
    sys.exit(130)
signal.signal(signal.SIGTERM, stop)
for step in range(first + 1, int(sys.argv[2]) + 1):
    save(step)
    time.sleep(0.5)
"""  # noqa: E501


@pytest.fixture
def spot(tmp_path):
    """spot(steps) starts launch/spot.sh around RUN; a bucket is a folder here."""
    (tmp_path / "run.py").write_text(RUN)
    copy = tmp_path / "copy.sh"
    copy.write_text('#!/bin/sh\n[ -d "$1" ] && mkdir -p "$2" && cp -r "$1/." "$2"\n')
    copy.chmod(0o755)
    environment = {**os.environ, "SYNC": str(copy), "SYNC_SECONDS": "1"}

    def start(steps, workdir="work"):
        work = str(tmp_path / workdir)
        call = ["bash", LAUNCH / "spot.sh", tmp_path / "bucket", work, "python3", tmp_path / "run.py", work, str(steps)]
        return subprocess.Popen(call, env=environment, stderr=subprocess.PIPE, text=True)

    return start


def ended(running):
    """(exit status, what was told)."""
    _, told = running.communicate(timeout=60)
    return running.returncode, told


def saved(folder):
    return sorted(int(path.name) for path in (folder / "checkpoints").iterdir() if path.name.isdigit())


def test_a_run_on_a_spot_machine_is_sent_and_fetched_by_the_next_one(spot, tmp_path):
    status, told = ended(spot(2))
    assert (status, "a new run" in told) == (0, True)
    assert saved(tmp_path / "bucket") == [1, 2]
    shutil.rmtree(tmp_path / "work")  # the machine is gone; another one
    assert ended(spot(3, "other"))[0] == 0
    assert saved(tmp_path / "other") == saved(tmp_path / "bucket") == [1, 2, 3]


def test_told_to_stop_it_waits_for_the_save_and_sends_it(spot, tmp_path):
    running = spot(1000)
    until = time.monotonic() + 60
    while not (tmp_path / "bucket/sent.txt").exists() and time.monotonic() < until:
        time.sleep(0.1)
    running.send_signal(signal.SIGTERM)
    assert ended(running)[0] == 130
    assert saved(tmp_path / "bucket")[-1] == 99


def test_what_was_half_sent_is_left_out(spot, tmp_path):
    assert ended(spot(2))[0] == 0
    shutil.rmtree(tmp_path / "work")
    (tmp_path / "bucket/checkpoints/7").mkdir()  # the machine vanished as it was sent
    assert "checkpoint 7 was not sent to the end: left out" in ended(spot(2))[1]
    assert saved(tmp_path / "work") == [1, 2]


def test_what_is_here_already_is_not_replaced(spot, tmp_path):
    assert ended(spot(2))[0] == 0
    assert "going on with" in ended(spot(3))[1]
    assert saved(tmp_path / "work") == [1, 2, 3]
