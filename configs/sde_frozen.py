"""Self-supervised depth, phase 1: the encoder keeps its ImageNet weights, decoder and pose network learn (METHOD 1).

Claim: decoders that settle on frozen ImageNet features leave the encoder semantic for what follows.
Command: python -m sde_seg_jax.cli.train --config=configs/sde_frozen.py --config.data.raw_dir=DIR
    --workdir=runs/sde_frozen
Rows: crop (512x512 of 1024x512), full (uncropped). The encoder's batch-norm statistics still move, as published (Q5).
Data: the 2975 labeled frames with their neighbors; all frames of their video with --config.data.video_split=video.
Hardware, time: an accelerator, 300000 steps of batch 4; not run. The paper's number: none quoted. Ours: not run.
"""

import base
from ml_collections import ConfigDict

from sde_seg_jax.experiment.config import pick_row

ROWS = {"crop": {"crop": (512, 512)}, "full": {"crop": (512, 1024)}}
IMAGENET = ("encoder from imagenet", "pose/encoder <- encoder from imagenet_pose")


def get_config(row="crop"):
    c = base.depth(base.get_config())
    c.name = f"SDE, frozen encoder, {row}"
    c.data.dataset = "cityscapes"
    c.data.prepared_dir = "prepared/cityscapes_video"
    c.data.video_split = "video"  # every frame; dataset.sequence_step=k takes every k-th
    c.dataset = ConfigDict({"sequence_step": 1})
    c.data.crop = pick_row(ROWS, row, __file__)["crop"]
    c.model.transfer = IMAGENET
    c.optim.frozen = ("encoder",)
    return c
