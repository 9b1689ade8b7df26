"""A tiny Mapillary Vistas v1.2: see driving_trees."""

from driving_trees import write_mapillary

from sde_seg_jax.data.datasets.mapillary import V1


def write(root):
    write_mapillary(root, V1, {65}, "labels", "config.json")
