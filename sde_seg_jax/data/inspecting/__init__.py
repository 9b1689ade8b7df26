"""What is wrong with data, before anything is trained: counts, sizes, pairs, classes, cameras.

Enter: a raw or a prepared folder. Leave: findings and thumbnails. Called by the command `doctor` and, to find the
raw frames of samples, by `experiment.annotation`.
"""
