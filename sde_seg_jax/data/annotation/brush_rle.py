"""Run lengths of Label Studio's brush: a stream of bits, "rle-pack" of thi.ng/umbrella, of an RGBA image.

The stream is: 32 bits count of values, 5 bits W-1, four times 4 bits S-1, then blocks until all values are there. A
block is one bit (1: a run, 0: single values), two bits that choose S, S bits length-1, and the value (W bits) of the
run, or each value. A pixel has four values; it is painted where alpha, the last, is not 0 (strokes have soft borders).
Source: decode_rle and encode_rle of label-studio-converter 0.0.59 (docs of the format; it is the oracle of the tests).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

CHANNELS, PAINTED = 4, 255
WORD, SIZES = 8, (3, 4, 8, 16)  # bits of a value, and of the length of a block: what Label Studio writes
HEADER, LOW = 32 + 5 + 4 * len(SIZES), 26  # bits, and those of its lower half
LONGEST = 1 << SIZES[-1]
WINDOW, NEXT = 64, 8  # bits that are looked at together, and the bytes after the end that this needs


def encode(mask: np.ndarray) -> list[int]:
    """The bytes of a mask bool [H,W]."""
    flat = mask.ravel()
    starts = np.flatnonzero(np.concatenate([[flat.size > 0], flat[1:] != flat[:-1]]))
    lengths = CHANNELS * np.diff(starts, append=flat.size)
    blocks = -(-lengths // LONGEST)  # a run that is too long becomes several
    values = np.repeat(np.where(flat[starts], PAINTED, 0), blocks)
    rest = lengths - (blocks - 1) * LONGEST
    lengths = np.full(values.size, LONGEST)
    lengths[np.cumsum(blocks) - 1] = rest
    choice = np.searchsorted(1 << np.array(SIZES), lengths)
    size = np.array(SIZES)[choice]
    codes = (((4 | choice) << size | lengths - 1) << WORD) | values
    header = flat.size * CHANNELS << (HEADER - 32) | WORD - 1 << 4 * len(SIZES)
    header |= sum(bits - 1 << 4 * place for place, bits in enumerate(reversed(SIZES)))
    halves = divmod(header, 1 << LOW)
    return _pack(np.append(halves, codes), np.append((HEADER - LOW, LOW), 3 + size + WORD)).tolist()


def decode(data: Sequence[int], height: int, width: int) -> np.ndarray:
    """The mask bool [height, width] of a region.

    Raises:
      ValueError: these are no bytes, they end too early, or are of an image of another size.
    """
    try:
        stream = np.array([*data, *[0] * NEXT], np.int64)
    except (TypeError, ValueError, OverflowError):
        stream = np.array([-1])
    if stream.ndim != 1 or stream.min() < 0 or stream.max() > 255:
        raise ValueError("its run lengths are no list of bytes")
    bits = 8 * (len(stream) - NEXT)
    windows = _windows(stream.astype(np.uint64))
    header = int(windows[0]) >> (WINDOW - HEADER) if bits >= HEADER else 0
    total, word = header >> 21, (header >> 16 & 31) + 1
    sizes = [(header >> shift & 15) + 1 for shift in (12, 8, 4, 0)]
    if bits >= HEADER and total != CHANNELS * height * width:
        raise ValueError(f"its run lengths are of {total} values, not of the 4 x {width} x {height} of the image")
    starts, counts, runs, end = _blocks(windows.tolist(), bits, total, word, sizes)
    if end > bits or bits < HEADER or int(counts.sum()) != total:
        raise ValueError("its run lengths are broken or cut off")
    singles = np.where(runs, 1, counts)  # values of each block that are in the stream
    nth = np.arange(singles.sum()) - np.repeat(np.cumsum(singles) - singles, singles)
    at = np.repeat(starts, singles) + word * nth
    shift = (WINDOW - word - (at & 7)).astype(np.uint64)
    values = windows[at >> 3] >> shift & np.uint64((1 << word) - 1)
    values = np.repeat(values != 0, np.repeat(np.where(runs, counts, 1), singles))
    return values.reshape(height, width, CHANNELS)[..., -1]


def _pack(codes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The bytes uint8 of codes of up to 33 bits, each of its own size, the highest bit first."""
    ends = np.cumsum(sizes)
    starts = ends - sizes
    shifted = codes << (40 - sizes - (starts & 7))  # into the five bytes from the one where it starts
    count = -(-int(ends[-1]) // 8)
    found = np.zeros(count + 4)
    for place in range(5):
        found += np.bincount(starts // 8 + place, shifted >> (32 - 8 * place) & 255, len(found))
    return found[:count].astype(np.uint8)


def _windows(stream: np.ndarray) -> np.ndarray:
    """The 64 bits uint64 from each byte on, but for the last few."""
    count = len(stream) - NEXT + 1
    windows = np.zeros(count, np.uint64)
    for place in range(NEXT):
        windows = windows << np.uint64(8) | stream[place : place + count]
    return windows


def _blocks(
    windows: list[int], bits: int, total: int, word: int, sizes: Sequence[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Of each block: bit of its first value, count of values, is it a run; and the bit after the last one.

    Where a block starts depends on the one before: the only loop, a step for each block.
    """
    starts, counts, runs = [], [], []
    at, done = HEADER, 0
    while done < total and at + 3 <= bits:
        head = windows[at >> 3] >> (WINDOW - 3 - (at & 7)) & 7
        size = sizes[head & 3]
        at += 3
        if at + size > bits:
            break
        count = (windows[at >> 3] >> (WINDOW - size - (at & 7)) & ((1 << size) - 1)) + 1
        at += size
        starts.append(at)
        counts.append(count)
        runs.append(head > 3)
        at += word if head > 3 else word * count
        done += count
    return np.array(starts, np.int64), np.array(counts, np.int64), np.array(runs, bool), at
