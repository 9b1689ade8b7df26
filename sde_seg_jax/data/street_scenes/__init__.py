"""Rendered streets with exact labels, depth and motion: the data set that needs no download.

Enter: a seed, a place in a clip. Leave: images, labels, depth, poses. Called by `datasets.street_scenes`.
"""
