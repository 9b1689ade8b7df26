"""Our reading of a tf.train.Example against TensorFlow's."""

import numpy as np
import pytest
import tensorflow as tf

from sde_seg_jax.data.stored import records

NUMBERS = [0, 1, -1, 127, 128, 2**63 - 1, -(2**63)]


def serialized():
    feature = {
        "files": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"", b"\x00\xff", b"x" * 300])),
        "floats": tf.train.Feature(float_list=tf.train.FloatList(value=[1.5, -0.0, np.inf])),
        "numbers": tf.train.Feature(int64_list=tf.train.Int64List(value=NUMBERS)),
        "naïve": tf.train.Feature(bytes_list=tf.train.BytesList(value=["é".encode()])),
        "none": tf.train.Feature(),
        "no files": tf.train.Feature(bytes_list=tf.train.BytesList()),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def test_every_kind_of_feature_reads_as_it_was_written():
    found = records.parse(serialized())
    assert sorted(found) == ["files", "floats", "naïve", "no files", "none", "numbers"]
    assert [bytes(part) for part in found["files"]] == [b"", b"\x00\xff", b"x" * 300]
    np.testing.assert_array_equal(found["floats"], np.float32([1.5, -0.0, np.inf]))
    assert found["numbers"].tolist() == NUMBERS
    assert bytes(found["naïve"][0]).decode() == "é"
    assert (list(found["none"]), list(found["no files"])) == ([], [])


def test_a_record_cut_off_anywhere_is_an_error():
    whole = serialized()
    for length in range(1, len(whole)):
        with pytest.raises(ValueError, match="prepare again"):
            records.parse(whole[:length])
