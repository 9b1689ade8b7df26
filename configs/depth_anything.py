"""Depth Anything V2 (Yang et al. 2024): the network that its published weights are for, a DINOv2 with a DPT decoder.

Claim: none of ours; depth for mixing, matching and selection without a video and without training.
Command: python -m sde_seg_jax.cli.convert --config=depth_anything:small --input=model.safetensors
    --workdir=runs/depth_anything
then: python -m sde_seg_jax.cli.cache_depth --config=FILE --checkpoint=runs/depth_anything (FILE: the run that mixes)
Rows: small (Apache-2.0), base, large (non-commercial); the relative models. docs/weights.md has the places.
Hardware, time: nothing is trained. The paper's number: none quoted. Ours: not run.
"""

import base
from ml_collections import ConfigDict

from sde_seg_jax.experiment.config import pick_row

ROWS = {
    "small": {"encoder": "dinov2_vits14", "features": 64, "reassembled": (48, 96, 192, 384)},
    "base": {"encoder": "dinov2_vitb14", "features": 128, "reassembled": (96, 192, 384, 768)},
    "large": {"encoder": "dinov2_vitl14", "features": 256, "reassembled": (256, 512, 1024, 1024)},
}


def get_config(row="small"):
    size = dict(pick_row(ROWS, row, __file__))
    c = base.student_depth(base.get_config())
    c.name = f"Depth Anything V2, {row}"
    c.data.size = c.data.crop = (252, 504)  # multiples of the patch, 14
    c.model.encoder = size.pop("encoder")
    c.model.decoder = "dpt"
    c.model.decoder_options = ConfigDict({**size, "hidden": 32, "output": "relative"})
    return c
