"""A tiny synthia_video: see synthetic_trees."""

from synthetic_trees import write_synthia_video as write

__all__ = ["write"]
