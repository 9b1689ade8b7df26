"""Matching Geometry Sampling (METHOD 5): which source crop has the geometry of a target crop.

Enter: disparities of both domains. Leave: the crop that stands at each position of both streams (`reading.picks.Pick`).
Called by `experiment.matching`.
"""
