"""Reading a stored record, a serialized tf.train.Example, without TensorFlow and without copying the image files.

TFDS reads it too, but through general parsing of its feature tree, which takes about as long as decoding a label. The
format: tensorflow/core/example/{example,feature}.proto of TensorFlow; protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types
BYTES_LIST, FLOAT_LIST, INT64_LIST = 1, 2, 3  # fields of a Feature

Feature = list[memoryview] | np.ndarray


def parse(record: bytes) -> dict[str, Feature]:
    """Returns every feature by its key: parts of the record [N], float32 [N] or int64 [N].

    Raises:
      ValueError: this is no tf.train.Example.
    """
    try:
        result = {}
        for _, features in _fields(memoryview(record)):
            for _, entry in _fields(features):
                pair = dict(_fields(entry))
                result[bytes(pair[1]).decode()] = _feature(pair[2])
        return result
    except (IndexError, KeyError, TypeError) as error:
        raise ValueError("a record is broken; delete the prepared data and prepare again") from error


def _feature(message: memoryview) -> Feature:
    for kind, values in _fields(message):
        if kind == BYTES_LIST:
            return [value for _, value in _fields(values)]
        if kind == FLOAT_LIST:
            return np.frombuffer(b"".join(value for _, value in _fields(values)), "<f4")
        if kind == INT64_LIST:
            return np.array([number for _, value in _fields(values) for number in _integers(value)], np.int64)
    return []  # a feature without values


def _integers(value: int | memoryview) -> Iterator[int]:
    """Of a packed list, or the one value that stands alone."""
    if isinstance(value, int):
        yield _signed(value)
        return
    place = 0
    while place < len(value):
        number, place = _varint(value, place)
        yield _signed(number)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yields (field number, value) of a message: an integer, or the bytes of anything else."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind = tag & 7
        if kind == VARINT:
            value, place = _varint(message, place)
        else:
            if kind == BYTES:
                length, place = _varint(message, place)
            else:
                length = {FIXED64: 8, FIXED32: 4}[kind]
            value, place = message[place : place + length], place + length
            if len(value) != length:
                raise IndexError("cut off")
        yield tag >> 3, value


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """Returns the number at `place`, seven bits a byte from the lowest on, and the place behind it."""
    number = shift = 0
    while True:
        byte = message[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number
