"""What libraries say on their own does not reach the screen; SDE_SEG_TRACEBACK=1 shows all of it."""

import os
import pathlib
import subprocess
import sys

import pytest

from sde_seg_jax.cli.notices import CPP

ROOT = pathlib.Path(__file__).resolve().parents[2]
# every way in which a library has spoken: a thread that ends in an error, an object that is deleted after its loop was
# closed, loggers, a warning; and the same once more as the process ends
SCRIPT = """
import asyncio, atexit, logging, sys, threading, warnings
from absl import logging as absl
from sde_seg_jax.cli.command_line import run

class Loop:
    def __del__(self):
        raise RuntimeError("Event loop is closed")

def full():
    raise OSError(28, "a thread of tensorboardX")

def speak():
    thread = threading.Thread(target=full)
    thread.start()
    thread.join()
    Loop()

def main(arguments):
    import jax  # reads the level of its logger
    import tensorflow
    speak()
    absl.warning("a notice of absl")
    logging.getLogger("jax._src.xla_bridge").warning("a notice of jax")
    logging.getLogger("asyncio").error("Task exception was never retrieved")
    warnings.warn("a warning of a library")
    atexit.register(speak)
    print("our own line")
    raise ValueError("x.json is damaged: delete it")

last = Loop()
status = run(main, ["command"], about="about")
assert run(lambda arguments: None, ["command"], about="about") == 0
sys.exit(status)
"""
NOTICES = (
    *("Event loop is closed", "a thread of tensorboardX", "a notice of absl", "a notice of jax"),
    *("Task exception was never retrieved", "a warning of a library", "Traceback", "oneDNN custom operations are on"),
)


def speak(**environment):
    inherited = {key: value for key, value in os.environ.items() if key not in CPP}  # a command run before sets them
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**inherited, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 2, found.stderr
    assert found.stdout == "our own line\n"
    return found.stderr


def test_only_our_own_line_reaches_the_screen():
    assert speak() == "error: x.json is damaged: delete it\n"


@pytest.mark.parametrize("notice", NOTICES)
def test_everything_is_shown_to_whoever_asks(notice, everything):
    assert notice in everything


@pytest.fixture(scope="module")
def everything():
    return speak(SDE_SEG_TRACEBACK="1")


def test_afterwards_the_process_is_as_it_was(command):
    import logging
    import threading
    import warnings

    before = sys.unraisablehook, threading.excepthook, warnings.showwarning, logging.getLogger("jax").level
    assert command("train")[0] == 2
    assert (sys.unraisablehook, threading.excepthook, warnings.showwarning, logging.getLogger("jax").level) == before
