"""Prepared data become batches: batch t is a function of (seed, t).

Enter: a prepared folder, which streams and fields, a seed, a position. Leave: `types.Batch` in NumPy, from tf.data or
from memory. Called by `experiment`; `memory` and what it needs import without TensorFlow.
"""
