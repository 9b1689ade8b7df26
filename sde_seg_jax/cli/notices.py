"""What libraries say on their own stays off the screen: commands tell in one line what happened, and what to do.

SDE_SEG_TRACEBACK=1 shows all of it.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

TRACEBACK = "SDE_SEG_TRACEBACK"  # set to 1 to see where an error comes from
# asyncio: orbax's loop is closed while it reads on; jax: there is a GPU, but no plugin (our line names the devices)
LOGGERS = (
    "absl",
    "apache_beam",
    "asyncio",
    "etils",
    "fsspec",
    "jax",
    "orbax",
    "tensorboardX",
    "tensorflow",
    "tensorflow_datasets",
)
# Read when TensorFlow, jaxlib and gRPC are loaded. TensorFlow, which only reads files here, announces oneDNN whatever
# its log level is.
CPP = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "GRPC_VERBOSITY": "NONE"}


def shown() -> bool:
    """Does somebody want to see everything?"""
    return bool(os.environ.get(TRACEBACK))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """While this block runs, and when the process ends, libraries log nothing and their threads end in silence."""
    if shown():
        yield
        return
    for key, value in CPP.items():
        os.environ.setdefault(key, value)
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    before = sys.unraisablehook, threading.excepthook, warnings.showwarning
    atexit.register(_hush)
    try:
        _hush()
        warnings.showwarning = _drop
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)  # jax, loaded later, knows no higher one
        yield
    finally:
        sys.unraisablehook, threading.excepthook, warnings.showwarning = before
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _hush() -> None:
    """What an object raises as it is deleted, or a thread as it ends, nobody waits for."""
    sys.unraisablehook = threading.excepthook = _drop


def _drop(*told: Any, **more: Any) -> None:
    """Says nothing."""
