"""Cutting a window out of a JPEG file without decoding it: the rest is then never decoded.

Restart markers split the coded blocks of 8x8 pixels into intervals that are decoded independently of each other (ITU-T
T.81, E.1.4 and F.2.1.3.1). The intervals that cover a window, put one after the other behind the same header with a
smaller size, are a JPEG file again. Without chroma subsampling every block yields its pixels alone, so these are the
bits that decoding the whole file gives.
"""

from __future__ import annotations

import dataclasses

import numpy as np

BLOCK = 8  # pixels along each side of what is coded as one unit
INTERVAL = 8  # blocks wanted in an interval: longer ones waste more around a window, each costs about 5 bytes
MARKER = 2  # bytes of a marker
START_OF_FRAME, START_OF_SCAN, RESTART_INTERVAL, END_OF_IMAGE, RESTART = 0xC0, 0xDA, 0xDD, 0xD9, 0xD0
RESTARTS = 8  # markers are numbered in turn


@dataclasses.dataclass(frozen=True)
class Header:
    """What precedes the coded blocks. `frame`: offset of the stored height, width; `data`: of the first block."""

    height: int
    width: int
    interval: int  # blocks
    frame: int
    data: int


def restart_interval(width: int) -> int:
    """Blocks between restart markers for an image of `width` pixels: a row of blocks is one or more whole intervals."""
    blocks = -(-width // BLOCK)
    possible = [interval for interval in range(INTERVAL // 2, 2 * INTERVAL + 1) if blocks % interval == 0]
    return min(possible, key=lambda interval: abs(interval - INTERVAL), default=blocks)


def cut(content: bytes | memoryview, rows: slice, columns: slice) -> tuple[np.ndarray, int, int]:
    """Returns (file, top, left): a JPEG file of the part from pixel (top, left) on that covers the window.

    A file that cannot be cut (other coding, no restart markers, broken) is returned whole, with (0, 0).
    """
    data = np.frombuffer(content, np.uint8)
    header = read_header(content)
    ends = None if header is None else _interval_ends(data, header)
    if ends is None:
        return data, 0, 0
    step = header.interval * BLOCK
    top, bottom = rows.start // BLOCK, -(-rows.stop // BLOCK)
    left, right = columns.start // step, -(-columns.stop // step)
    chosen = np.arange(len(ends)).reshape(-(-header.height // BLOCK), -1)[top:bottom, left:right]
    starts = np.concatenate([[header.data], ends[:-1]])
    parts = [data[starts[row[0]] : ends[row[-1]]] for row in chosen]
    result = np.concatenate([data[: header.data], *parts])
    size = (min(header.height, bottom * BLOCK) - top * BLOCK, min(header.width, right * step) - left * step)
    result[header.frame : header.frame + 4] = np.frombuffer(np.array(size, ">u2").tobytes(), np.uint8)
    markers = header.data + np.cumsum((ends - starts)[chosen.ravel()]) - 1  # where each one's second byte is
    result[markers] = RESTART + np.arange(len(markers)) % RESTARTS
    result[markers[-1]] = END_OF_IMAGE
    return result, top * BLOCK, left * step


def read_header(content: bytes | memoryview) -> Header | None:
    """Returns the header of a baseline file whose blocks can be cut apart, None for any other."""
    interval, frame, place = 0, None, MARKER  # behind the start-of-image marker
    while place + 2 * MARKER <= len(content) and content[place] == 0xFF:
        kind, length = content[place + 1], _uint16(content, place + MARKER)
        body, place = place + 2 * MARKER, place + MARKER + length
        if place > len(content):
            return None
        if kind == RESTART_INTERVAL:
            interval = _uint16(content, body)
        elif kind == START_OF_FRAME:
            frame, components = body + 1, content[body + 5]  # behind the bits a sample
            samplings = [content[body + 7 + 3 * i] for i in range(components)]
        elif kind == START_OF_SCAN:
            if frame is None or content[body] != components or set(samplings) != {0x11}:
                return None
            height, width = _uint16(content, frame), _uint16(content, frame + 2)
            if not interval or not height or -(-width // BLOCK) % interval:
                return None
            return Header(height, width, interval, frame, place)
    return None


def _interval_ends(data: np.ndarray, header: Header) -> np.ndarray | None:
    """Offsets behind the marker that ends each interval, row by row; None unless all are there."""
    candidates = header.data + np.flatnonzero(data[header.data : -1] == 0xFF)  # within coded blocks 0xFF precedes 0
    kinds = data[candidates + 1]
    ends = candidates[(kinds & ~np.uint8(RESTARTS - 1)) == RESTART]
    last = candidates[kinds == END_OF_IMAGE][:1]
    count = -(-header.height // BLOCK) * (-(-header.width // BLOCK) // header.interval)
    if len(ends) != count - 1 or not len(last) or (len(ends) and ends[-1] > last[0]):
        return None
    return np.concatenate([ends, last]) + MARKER


def _uint16(content: bytes | memoryview, place: int) -> int:
    return content[place] << 8 | content[place + 1]
