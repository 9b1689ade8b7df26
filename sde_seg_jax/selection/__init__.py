"""Which samples to label: farthest points in feature space, uncertainty of a depth student, and both together."""
