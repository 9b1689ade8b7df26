"""Choices within the method, each changed alone: head of the segmentation decoder, mixing, teacher, augmentation, PAD.

Claim: none; what each published choice is worth. `reference` is DepthMix with transfer, `multitask` the full system
without selection.
Command: python -m sde_seg_jax.cli.table --config=configs/paper/ablations.py --labels=372 --config.data.raw_dir=DIR
    --workdir=DIR
Options: labels=, seed=, dataset=cityscapes|camvid|mapillary, selection=random|ent|us|ds|ds_us,
    lists=published|ours (published.py).
Hardware, time: an accelerator, 40000 steps of 2 + 2 crops a run; not run.
The paper's numbers: none quoted for these rows. Ours: not run.
"""

import published
from published import (  # noqa: F401  read by cli.table
    IMAGENET,
    LABELS,
    MULTITASK_TRANSFER,
    SDE,
    SEEDS,
    SOURCE,
    STAGES,
    TRANSFER,
)

TITLE = "Choices within the method"
METRIC = "miou"
REFERENCE = {
    "task.name": "semi_supervised",
    "task.mix": "depth",
    "task.depth_checkpoint": SDE,
    "model.init": SDE,
    "model.transfer": TRANSFER,
}
MULTITASK = {"task.name": "multitask", "task.mix": "depth", "model.init": SDE, "model.transfer": MULTITASK_TRANSFER}
ROWS = {
    "reference": REFERENCE,
    # the features under the classifier (METHOD 2): 9, 8, 7 are the decoder's levels 0 (finest), 1, 2
    "decoder_level_1": REFERENCE | {"model.head_layers": (8,)},
    "decoder_level_2": REFERENCE | {"model.head_layers": (7,)},
    "decoder_levels_0_1_2": REFERENCE | {"model.head_layers": (9, 8, 7)},
    "head_3x3": REFERENCE | {"model.head_inter_channels": 64},
    "output_stride_2": REFERENCE | {"model.head_stride": 2},
    "decoder_level_1_output_stride_2_head_3x3": REFERENCE
    | {"model.head_layers": (8,), "model.head_stride": 2, "model.head_inter_channels": 64},
    # what starts from depth features (METHOD 2)
    "transfer_encoder_only": REFERENCE | {"model.transfer": ("encoder",)},
    "imagenet_encoder": REFERENCE | {"model.init": "", "model.transfer": IMAGENET},
    # the mask (METHOD 3)
    "mix_none": REFERENCE | {"task.mix": "none", "task.depth_checkpoint": ""},
    "mix_class": REFERENCE | {"task.mix": "class", "task.depth_checkpoint": ""},
    "mix_depth_threshold": REFERENCE | {"task.mix": "depth_threshold"},
    "mix_depth_histogram": REFERENCE | {"task.mix": "depth_histogram"},
    "mix_margin_0": REFERENCE | {"task.mix_margin": 0.0},
    # teacher and pseudo labels
    "teacher_ema_stats": REFERENCE | {"task.teacher": "ema_stats"},
    "confidence_0": REFERENCE | {"task.confidence": 0.0},
    "confidence_0.9": REFERENCE | {"task.confidence": 0.9},
    # strong augmentation
    "augmentation_per_image": REFERENCE | {"task.per_batch": False},
    "augmentation_none": REFERENCE | {"task.jitter_probability": 0.0, "task.blur_probability": 0.0},
    # multi-task learning: where the decoders exchange features
    "multitask": MULTITASK,
    "multitask_distillation_level_1": MULTITASK | {"model.distillation_level": 1},
    "multitask_distillation_level_3": MULTITASK | {"model.distillation_level": 3},
    "multitask_without_side_output": MULTITASK | {"model.side_output": False},
    "multitask_output_stride_2": MULTITASK | {"model.head_stride": 2},
    "multitask_classmix": MULTITASK | {"task.mix": "class"},
}
PAPER: dict[tuple[str, int], str] = {}


def get_config(arg="reference"):
    return published.configure(ROWS, arg, __file__)
