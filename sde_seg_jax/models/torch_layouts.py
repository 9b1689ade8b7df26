"""Parameters of a layer in PyTorch's names and orders of axes."""

import numpy as np

# our name of a layer's parameter -> PyTorch's; any other parameter has the same name there
LEAVES = {
    **dict.fromkeys(("kernel", "transposed", "scale", "embedding"), "weight"),
    **{"bias": "bias", "mean": "running_mean", "var": "running_var"},
}


def from_torch(leaf: str, value: np.ndarray) -> np.ndarray:
    """PyTorch's array in our order: OIHW -> HWIO, OI -> IO of a dense layer, IOHW -> HWIO of what enlarges."""
    if leaf == "transposed" and value.ndim == 4:
        return value.transpose(2, 3, 0, 1)
    if leaf == "kernel" and value.ndim > 1:
        return value.transpose(*range(2, value.ndim), 1, 0)
    return value


def to_torch_layout(leaf: str, value: np.ndarray) -> np.ndarray:
    """The inverse."""
    return value.transpose(_torch_axes(leaf, value.ndim))


def torch_shape(leaf: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that an array of ours has in PyTorch."""
    return tuple(shape[i] for i in _torch_axes(leaf, len(shape)))


def _torch_axes(leaf: str, count: int) -> tuple[int, ...]:
    """The axes of ours in PyTorch's order."""
    spatial = tuple(range(count - 2))
    order = {"kernel": (count - 1, count - 2, *spatial), "transposed": (count - 2, count - 1, *spatial)}
    return order[leaf] if leaf in order and count > 1 else tuple(range(count))
