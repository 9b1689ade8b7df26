"""A tiny viper: see synthetic_trees."""

from synthetic_trees import write_viper as write

__all__ = ["write"]
