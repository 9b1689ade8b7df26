"""Self-supervised depth of the synthetic source domain (METHOD 5): one phase, a narrow decoder, a careful encoder.

Claim: none of its own; domain adaptation mixes source and target images by this network's disparity.
Command: python -m sde_seg_jax.cli.train --config=configs/sde_source.py --workdir=runs/sde_source
Data: the street scenes of the domain "source", until there is a description of VIPER and SYNTHIA video.
Hardware, time: an accelerator, 300000 steps of batch 4; not run. The paper's number: none quoted. Ours: not run.
"""

import base
from ml_collections import ConfigDict


def get_config():
    c = base.depth(base.get_config())
    c.name = "SDE, source domain"
    c.data.dataset = "street_scenes"
    c.data.prepared_dir = "prepared/street_scenes_source"
    c.dataset = ConfigDict({"domain": "source"})
    c.model.dilate = (False, False, False)  # output stride 32: half the ASPP rates see as far
    c.model.aspp_rates = (3, 6, 9)
    c.model.decoder_channels = (16, 32, 64, 128, 256)
    c.model.transfer = ("encoder from imagenet", "pose/encoder <- encoder from imagenet_pose")
    c.optim.module_rates = ConfigDict({"encoder": 1e-5})
    return c
