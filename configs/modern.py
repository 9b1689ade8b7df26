"""A foundation model on Cityscapes: the recipe of UniMatch V2 with DINOv2 and DPT, and depth beside it.

Claim to be tested, nobody has measured it: with such an encoder, too, mixing along depth, learning depth as well and
choosing which images to label each add to consistency training, and Depth Anything's depth is good enough to mix by.
Command: python -m sde_seg_jax.cli.table --config=configs/modern.py --workdir=DIR --config.data.raw_dir=DIR
Before rows with depthmix: python -m sde_seg_jax.cli.cache_depth --config=configs/modern.py:depthmix
    --checkpoint=hf://depth-anything/Depth-Anything-V2-Small-hf     (ssda_depthmix: once more with --source)
One run: python -m sde_seg_jax.cli.train --config=configs/modern.py:depthmix,encoder=base,labels=372 --workdir=DIR
Options: encoder=small|base, labels= (186, 372, 744 are 1/16, 1/8, 1/4; 100), seed=, memory=80|24|16 (GB of the GPU;
    24 and 16: blocks are computed twice), attention=cudnn|xla (xla on a CPU).
Hardware, time: published on four GPUs of 80 GB, 32 to 47 hours a run. Here one GPU, batch of 8 crops in micro-batches.
    unimatch by arithmetic: 32 TFLOP a step (small), 93 (base), so 2.4 or 6.8 hours at 30 % of an H200's peak. Not run.
Published: UniMatch V2 at 1/16, 1/8, 1/4: 80.6, 81.9, 82.4 (small), 83.6, 84.3, 84.5 (base), at the best of its
    validations; synthetic and 1/16 of the real labels on a foundation model: 85, which is full supervision.
Differences from the published recipe: docs/recipe.md. Ours: not run.
"""

import math
import pathlib

import base
from ml_collections import ConfigDict

from sde_seg_jax.experiment import rows
from sde_seg_jax.experiment.config import UsageError

TITLE = "A foundation model with few labels on Cityscapes"
METRIC = "miou"
LABELS = (100, 186, 372, 744)
SEEDS = (42, 43, 44)
SOURCE = "as quoted in Yang et al., UniMatch V2, arXiv:2410.10777 (encoder=small)"
PAPER = {("unimatch", 186): "80.6", ("unimatch", 372): "81.9", ("unimatch", 744): "82.4"}
STAGES = {"modern_depth": "configs/modern.py:depth"}

SCALE = (0.5, 2.0)  # of an image before its crop is cut
RATE = 5e-6  # of the encoder
DEPTH = "@modern_depth"
CACHE = "Depth-Anything-V2-Small-hf"  # of cli.cache_depth
TRANSFER = {"model.init": DEPTH, "model.transfer": ("encoder", "segmentation/decoder <- depth_decoder")}
SEMI = {"task.name": "semi_supervised"}
BY_DEPTH = {"task.mix": "depth", "data.depth_cache": CACHE}
MTL = {
    "model.init": DEPTH,
    "model.transfer": (*TRANSFER["model.transfer"], "depth_decoder", "pose"),
    "model.distillation_level": 2,
    "optim.module_rates": {"encoder": RATE, "pose": 1e-5},  # the pose network has learnt already
}
SELECTION = {"selection": "ds_us"}
SSDA = {"task.name": "domain_adaptation", "task.cross_mix": "class", "task.mix": "cutmix"}
ROWS = {
    "supervised": {"task.name": "supervised"},
    "unimatch": SEMI | {"task.mix": "cutmix"},
    "classmix": SEMI | {"task.mix": "class"},
    "depthmix": SEMI | BY_DEPTH,
    "depthmix_video": SEMI | {"task.mix": "depth", "task.depth_checkpoint": DEPTH},  # depth learnt from the videos
    "transfer": TRANSFER | SEMI | {"task.mix": "cutmix"},
    "mtl": MTL | {"task.name": "multitask_supervised"},
    "mtl_unimatch": MTL | {"task.name": "multitask", "task.mix": "cutmix"},
    "mtl_depthmix": MTL | {"task.name": "multitask"} | BY_DEPTH,
    "selection": SELECTION | SEMI | {"task.mix": "cutmix"},
    "selection_depthmix": SELECTION | SEMI | BY_DEPTH,
    "selection_mtl_depthmix": SELECTION | MTL | {"task.name": "multitask"} | BY_DEPTH,
    "ssda_joint": SSDA | {"task.intra_domain": 0.0, "task.cross_domain": 0.0},
    "ssda_unimatch": SSDA | {"task.cross_domain": 0.0},
    "ssda_classmix": SSDA,
    "ssda_depthmix": SSDA | BY_DEPTH | {"task.cross_mix": "depth", "source_data.depth_cache": CACHE},
}
AGAINST = {
    **{"unimatch": "supervised", "mtl": "supervised", "ssda_unimatch": "ssda_joint", "ssda_classmix": "ssda_unimatch"},
    **dict.fromkeys(("classmix", "depthmix", "depthmix_video", "transfer", "mtl_unimatch", "selection"), "unimatch"),
    **{"mtl_depthmix": "mtl_unimatch", "selection_depthmix": "selection", "ssda_depthmix": "ssda_classmix"},
    "selection_mtl_depthmix": "mtl_depthmix",
}
STAGE = {"depth": {"task.name": "depth"}}
ENCODERS = {
    "small": {"encoder": "dinov2_vits14", "features": 64, "reassembled": (48, 96, 192, 384)},
    "base": {"encoder": "dinov2_vitb14", "features": 128, "reassembled": (96, 192, 384, 768)},
}
# GB of the GPU -> whether blocks are computed again. Parts of a batch have two images, which are mixed.
# By plan a preset needs at most training.memory.PLANNED of the gigabytes: docs/recipe.md tells which are planned
MEMORY = {"80": False, "24": True, "16": True}
OPTIONS = {
    **{"labels": LABELS[1], "seed": SEEDS[0], "encoder": tuple(ENCODERS), "memory": tuple(MEMORY)},
    "attention": ("cudnn", "xla"),
}
IMAGES, BATCH, PART, EPOCHS = 2975, 8, 2, 180
CROP, HARD = (798, 798), 100_000  # pixels of a crop that always count


def get_config(arg="unimatch"):
    row, options = rows.parse(arg, ROWS | STAGE, OPTIONS, __file__)
    changes = dict((ROWS | STAGE)[row])
    labels, seed = options["labels"], options["seed"]
    if not 0 < labels < IMAGES:
        raise UsageError(f"{__file__}: labels={labels}: expected 1 to {IMAGES - 1}")
    c = base.get_config()
    c.name = f"{row}, {options['encoder']}, {labels} labels"
    c.seed = c.data.label_seed = seed
    c.data.dataset = "cityscapes"
    c.data.prepared_dir = "prepared/cityscapes_full"
    c.data.size = (1024, 2048)
    c.data.labels = labels
    _selected(c, changes.pop("selection", ""), labels, seed)
    task = changes["task.name"]
    getattr(base, task)(c)
    _network(c, **ENCODERS[options["encoder"]], attention=options["attention"])
    c.model.remat = MEMORY[options["memory"]]
    c.data.crop = CROP
    c.data.batch_size = BATCH
    c.train.micro_batches = BATCH // PART
    c.train.memory = int(options["memory"])
    c.train.steps = EPOCHS * ((IMAGES - labels) // BATCH)
    c.optim = ConfigDict(base.get_config().optim.to_dict() | OPTIMIZER)
    c.schedule = ConfigDict({"name": "poly", "steps": 0})
    if row in STAGE:
        return rows.change(_depth(c), changes)
    c.data.scale = SCALE
    if "photometric" in c.losses:  # has no mask for what is beyond an image smaller than its crop
        c.data.scale = (math.ceil(100 * c.data.crop[0] / c.data.size[0]) / 100, SCALE[1])
    del c.losses.cross_entropy
    c.losses.ohem = ConfigDict({"weight": 0.5, "threshold": 0.7, "min_kept": PART * HARD})
    recipe(c)
    if task == "domain_adaptation":
        c.source_data.dataset = "gta5"
        c.source_data.prepared_dir = "prepared/gta5_full"
        c.source_data.size = c.data.size
        c.source_dataset = ConfigDict()
    return rows.change(c, changes)


OPTIMIZER = {
    **{"name": "adamw", "learning_rate": 2e-4, "weight_decay": 0.01, "clip": None},
    "module_rates": {"encoder": RATE},  # a fortieth of all others'
}


def recipe(c):
    """Consistency as in UniMatch V2, whatever mixes; a configuration that has none stays as it is."""
    if "views" not in c.task:
        return
    changes = {
        **{"weighting": "pixel", "confidence": 0.95, "divisor": "valid", "teacher": "ema_stats"},
        **{"teacher_decay": 0.996, "views": 2, "complementary": 0.5},
        **{"jitter_kind": "torchvision", "jitter_strength": 0.5, "jitter_hue": 0.25},
        **{"gray_probability": 0.2, "blur_sigma": (0.1, 2.0)},
    }
    changes |= {key: 0.5 for key in ("consistency", "intra_domain", "cross_domain") if key in c.task}
    rows.change(c, {f"task.{key}": value for key, value in changes.items()})


def _network(c, encoder, features, reassembled, attention):
    c.model.encoder = encoder
    c.model.encoder_options = ConfigDict({"position_offset": 0.1, "implementation": attention})
    c.model.decoder = "dpt"
    c.model.decoder_options = ConfigDict({"features": features, "reassembled": reassembled})
    c.model.head_kind = "convolution"
    c.model.dtype = "bfloat16"
    c.model.transfer = ("encoder from dinov2",)
    c.sources.dinov2 = f"hf://facebook/dinov2-{'small' if 'vits' in encoder else 'base'}/model.safetensors"


def _depth(c):
    """Depth from Cityscapes' videos: what rows are mixed by, start from and go on to learn."""
    c.data.prepared_dir = "prepared/cityscapes_video"
    c.data.size, c.data.crop = (512, 1024), (504, 504)
    c.model.disparity_bias = -4.0
    c.model.transfer = ("encoder from dinov2", "pose/encoder <- encoder from imagenet_pose")
    c.optim.learning_rate = 1e-4
    c.optim.module_rates = ConfigDict({"encoder": 1e-5})
    c.train.steps = 60000
    return c


def _selected(c, selection, labels, seed):
    if not selection:
        return
    if seed not in SEEDS or labels > 744:
        raise UsageError(f"{__file__}: selections list 744 images, for the seeds {', '.join(map(str, SEEDS))}")
    folder = pathlib.Path(__file__).resolve().parent / "paper" / "selections"
    c.data.label_file = str(folder / f"cityscapes_{selection}_{seed}.txt")
