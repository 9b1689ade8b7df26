"""A tiny Mapillary Vistas v2.0: see driving_trees."""

from driving_trees import write_mapillary

from sde_seg_jax.data.datasets.mapillary_v2 import V2


def write(root):
    write_mapillary(root, V2, range(116, 124), "v2.0/labels", "config_v2.0.json")
