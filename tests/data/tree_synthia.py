"""A tiny synthia: see synthetic_trees."""

from synthetic_trees import write_synthia as write

__all__ = ["write"]
