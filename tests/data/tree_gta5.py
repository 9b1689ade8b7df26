"""A tiny gta5: see synthetic_trees."""

from synthetic_trees import write_gta5 as write

__all__ = ["write"]
