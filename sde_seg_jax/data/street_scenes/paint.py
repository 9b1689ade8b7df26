"""A painter's canvas: colour channels of a subset of hit points, with the coordinates that patterns need."""

from __future__ import annotations

import numpy as np

F = np.float32


class Paint:
    """The colour channels [3][N] of a subset of hits, with the coordinates that patterns need."""

    def __init__(self, scene, table, hits, subset, color, glow):
        self.scene, self.color, self.glow, self.subset = scene, color, glow, subset
        index = hits.index[subset]
        self.row = index
        self.local = [c[subset] for c in hits.local]
        self.half = [np.take(h, index) for h in table.half]
        self.world = [c[subset] for c in hits.world]
        self.u, self.v = hits.u[subset], hits.v[subset]
        self.eu, self.ev = hits.extent_u[subset], hits.extent_v[subset]
        self.axis, self.front = hits.axis[subset], hits.front[subset]
        self.param = [np.take(table.param[i], index) for i in range(4)]

    def blend(self, share, rgb):
        """Mixes a colour (numbers or arrays, 3 of them) into the subset by `share` in [0,1]."""
        for channel, target in zip(self.color, rgb, strict=True):
            old = channel[self.subset]
            channel[self.subset] = old + (np.asarray(target, F) - old) * share

    def light(self, share, rgb):
        """Adds emitted light."""
        for channel, value in zip(self.glow, rgb, strict=True):
            channel[self.subset] += F(value) * share

    def scale(self, factor):
        """Multiplies the colour."""
        for channel in self.color:
            channel[self.subset] *= factor

    def height(self):
        """Metres above the primitive's lower face."""
        return self.half[1] - self.local[1]
