"""Self-supervised depth of the synthetic source domain (METHOD 5): one phase, a narrow decoder, a careful encoder.

Claim: none of its own; domain adaptation mixes source and target images by this network's disparity.
Command: python -m sde_seg_jax.cli.train --config=configs/sde_source.py:gta --config.data.raw_dir=raw/viper
    --workdir=runs/sde_source_gta
Rows: street_scenes (the rendered domain "source", no raw_dir); gta (VIPER, videos of the game that GTA5's pictures are
from: raw_dir holds train/img, labels are not needed); synthia (SYNTHIA-SEQS-*, front camera: raw_dir holds them).
For labeled pictures, which are no video: cli.cache_depth --checkpoint=runs/sde_source_gta (docs/domain_adaptation.md).
Hardware, time: an accelerator, 300000 steps of batch 4; not run. The paper's number: none quoted. Ours: not run.
"""

import base
from ml_collections import ConfigDict

from sde_seg_jax.experiment.config import pick_row

VIDEO = dict.fromkeys(("train_split", "video_split", "val_split"), "video")  # nothing but frames is read
ROWS = {  # of the section data; the data set's options
    "street_scenes": (
        {"dataset": "street_scenes", "prepared_dir": "prepared/street_scenes_source"},
        {"domain": "source"},
    ),
    "gta": (
        VIDEO | {"dataset": "viper", "prepared_dir": "prepared/viper_video"},
        {"sequence_step": 5},  # of 15 frames a second; their neighbors stay the next ones. 1 = all
    ),
    "synthia": (
        VIDEO | {"dataset": "synthia_video", "prepared_dir": "prepared/synthia_video"},
        {"cameras": ("Stereo_Left/Omni_F",), "sequence_step": 1},
    ),
}


def get_config(row="street_scenes"):
    data, options = pick_row(ROWS, row, __file__)
    c = base.depth(base.get_config())
    c.name = f"SDE, source domain, {row}"
    c.data.update(data)
    c.dataset = ConfigDict(options)
    c.model.dilate = (False, False, False)  # output stride 32: half the ASPP rates see as far
    c.model.aspp_rates = (3, 6, 9)
    c.model.decoder_channels = (16, 32, 64, 128, 256)
    c.model.transfer = ("encoder from imagenet", "pose/encoder <- encoder from imagenet_pose")
    c.optim.module_rates = ConfigDict({"encoder": 1e-5})
    return c
