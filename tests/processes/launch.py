"""Several processes of this package on one machine, two CPU devices each."""

import os
import pathlib
import socket
import subprocess
import sys

import jax

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKER = str(pathlib.Path(__file__).with_name("worker.py"))
PATHS = ("", "benchmarks", "tests/tasks", "tests/processes")
SEEN = 600  # seconds: a process that ends at all has ended by then


def free_address():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{one.getsockname()[1]}"


def environment(devices):
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in PATHS),
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": str(devices),
        "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
    }


def command(*words, devices=2):
    """A process of Python."""
    options = {"cwd": ROOT, "env": environment(devices), "text": True}
    return subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def start(part, folder, count=2, lost_seconds=60):
    """Processes that do a part of worker.py, with the flags by which they meet."""
    meet = (f"--coordinator={free_address()}", f"--processes={count}", f"--lost_seconds={lost_seconds}")
    words = (WORKER, f"--part={part}", f"--workdir={folder}", *meet)
    return [command(*words, f"--process={index}") for index in range(count)]


def finish(processes):
    """[(exit status, standard output, standard error)], of all that were started; none outlives this."""
    try:
        told = [process.communicate(timeout=SEEN) for process in processes]
        return [(process.returncode, *texts) for process, texts in zip(processes, told, strict=True)]
    finally:
        for process in processes:
            process.kill()


def together(part, folder, count=2):
    """As `finish`, of processes that end with status 0."""
    found = finish(start(part, folder, count))
    assert [status for status, _, _ in found] == [0] * count, [err[-3000:] for _, _, err in found]
    return found
