"""Several processes on one task, by jax.distributed: how they find each other, agree, and end together."""
