"""What tests against the original PyTorch networks share: tolerances, what those see, their weights as we read them."""

import numpy as np
import torch

from sde_seg_jax.models.imagenet import MEAN, STD
from sde_seg_jax.models.init import initial_variables
from sde_seg_jax.models.weight_files import read_state
from sde_seg_jax.models.weight_modules import module_from_torch

TOLERANCE = {np.float32: {"rtol": 1e-5, "atol": 1e-5}, np.float64: {"rtol": 1e-10, "atol": 1e-10}}


def seen_by(model, image):
    """An image [B,H,W,3] in [0,1] as the network takes it: [B,3,H,W], normalised, in its precision."""
    dtype = next(model.parameters()).dtype
    mean, std = (torch.tensor(value, dtype=dtype) for value in (MEAN, STD))
    return ((torch.tensor(image, dtype=dtype) - mean) / std).permute(0, 3, 1, 2)


def encoder_as_read(model, encoder, folder, size):
    """Our variables of an encoder, from a file of the network's weights."""
    path = folder / "pytorch_model.bin"
    torch.save(model.state_dict(), path)
    return module_from_torch(read_state(path), "encoder", initial_variables(encoder, 0, size, None))
