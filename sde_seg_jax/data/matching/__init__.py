"""Matching Geometry Sampling: which source crop has the geometry of a target crop.

See METHOD 5 in docs/reference/method.md.
Enter: disparities of both domains. Leave: the crop that stands at each position of both streams (`reading.picks.Pick`).
Called by `experiment.matching`.
"""
