"""Semi-supervised and domain-adaptive semantic segmentation with self-supervised depth, in JAX."""

__version__ = "0.1.0"
