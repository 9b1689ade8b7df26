"""Mapillary Vistas v2.0: the photographs of v1.2 with 116 classes."""

from __future__ import annotations

from sde_seg_jax.data.datasets.mapillary import Release, describe
from sde_seg_jax.label_spaces import MAPILLARY_V2

V2 = Release("mapillary_v2", MAPILLARY_V2, ("config_v2.0.json",), ("v2.0/labels",))

SPEC = describe(V2)
