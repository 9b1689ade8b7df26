"""What to do when the disk refuses something, by its reason."""

from __future__ import annotations

import errno
from collections.abc import Iterator

FREE = "free disk space and start again"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}
# The system's words, for the errors of libraries that carry no numbers.
FULL_WORDS = ("no space left", "quota exceeded", "file too large")
CLOSED_WORDS = ("permission denied", "read-only file system", "not permitted")


def remedy(error: BaseException, writable: str = "make the folder writable, or choose another") -> str:
    """As in "free disk space and start again", or `writable` where it may not be written at all."""
    found = list(_chain(error))
    numbers = {getattr(one, "errno", None) for one in found}
    words = " ".join(str(one) for one in found).lower()
    if numbers & FULL or any(sign in words for sign in FULL_WORDS):
        return FREE
    if numbers & CLOSED or any(sign in words for sign in CLOSED_WORDS):
        return writable
    return "check the disk and start again"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those behind it: libraries wrap what their writers raise."""
    if error is not None:
        yield error
        for one in (*getattr(error, "exceptions", ()), error.__cause__):
            yield from _chain(one)
