"""Street scenes: the recipe of UniMatch V2 (configs/modern.py) with small encoders, from random weights, on a CPU.

Claim to be tested: two views with complementary channels help a small network, too, and its boxes are no better than
mixing along depth. It shows that all of it runs; a transformer of this size learns little from so few images.
Command: python -m sde_seg_jax.cli.table --config=configs/streets_modern.py --workdir=runs/streets_modern
One run: python -m sde_seg_jax.cli.train --config=configs/streets_modern.py:vit_unimatch --workdir=runs/x/vit_unimatch
Options: labels=, seed=, size= cpu (64x128, 1500 steps), toy (32x64, 4 steps, for tests).
Before rows with depthmix_files, which mix by true depth: python benchmarks/foreign_depth.py writes it as 16-bit PNG
and caches it by cli.cache_depth --from_files; it then runs those rows beside depthmix, our learnt depth.
Encoders: vit, four blocks of DINOv3's kind, 96 channels, patches of 16; convnext, a ConvNeXt of femto's 2, 2, 6, 2
blocks with half of its channels. Both with DPT.
Hardware, time: a CPU. The paper's number: none, it has no street scenes. Ours: not run.
"""

import base
from ml_collections import ConfigDict

from sde_seg_jax.experiment import rows
from sde_seg_jax.experiment.config import UsageError

TITLE = "Small modern networks on street scenes"
METRIC = "miou"
LABELS = (40,)
SEEDS = (42, 43, 44)
SOURCE = ""
PAPER: dict[tuple[str, int], str] = {}
STAGES = {f"depth_{encoder}": f"configs/streets_modern.py:depth_{encoder}" for encoder in ("vit", "convnext")}

SEMI = {"task.name": "semi_supervised"}
PARTS = {
    "supervised": lambda depth: {"task.name": "supervised"},
    "unimatch": lambda depth: SEMI | {"task.mix": "cutmix"},
    "classmix": lambda depth: SEMI | {"task.mix": "class"},
    "depthmix": lambda depth: SEMI | {"task.mix": "depth", "task.depth_checkpoint": depth},
    "depthmix_files": lambda depth: SEMI | {"task.mix": "depth", "data.depth_cache": "true_files"},
    "mtl_depthmix": lambda depth: {
        "task.name": "multitask",
        "task.mix": "depth",
        "model.init": depth,
        "model.transfer": ("encoder", "segmentation/decoder <- depth_decoder", "depth_decoder", "pose"),
        "model.distillation_level": 2,
    },
}
ENCODERS = {
    "vit": {"encoder": "dinov3_vits16", "width": 16, "encoder_options": {"blocks": 4}},
    "convnext": {"encoder": "convnext_tiny", "width": 16, "encoder_options": {"blocks": (2, 2, 6, 2)}},
}
ROWS = {f"{encoder}_{part}": changes(f"@depth_{encoder}") for encoder in ENCODERS for part, changes in PARTS.items()}
AGAINST = {
    **{f"{encoder}_unimatch": f"{encoder}_supervised" for encoder in ENCODERS},
    **{f"{encoder}_{part}": f"{encoder}_unimatch" for encoder in ENCODERS for part in ("classmix", "depthmix")},
    **{f"{encoder}_depthmix_files": f"{encoder}_depthmix" for encoder in ENCODERS},
    **{f"{encoder}_mtl_depthmix": f"{encoder}_depthmix" for encoder in ENCODERS},
}
STAGE = {name: {"task.name": "depth"} for name in STAGES}
OPTIONS = {"labels": LABELS[0], "seed": SEEDS[0], "size": ("cpu", "toy")}
SCENES = {"cpu": (480, 64), "toy": (48, 3)}  # for training, for validation
STEPS = {"cpu": 1500, "toy": 4}
OPTIMIZER = {"name": "adamw", "learning_rate": 1e-3, "weight_decay": 0.01, "decay_mask": "kernels", "clip": 1.0}
ENCODER_RATE = 3e-4  # from random weights the encoder has to learn fast, too


def get_config(arg="vit_unimatch"):
    row, options = rows.parse(arg, ROWS | STAGE, OPTIONS, __file__)
    changes, size = (ROWS | STAGE)[row], options["size"]
    train, val = SCENES[size]
    if not 0 < options["labels"] <= train:
        raise UsageError(f"{__file__}: labels={options['labels']}: size={size} has {train} training scenes")
    c = base.small(base.get_config())
    c.name = f"street scenes: {row}"
    c.seed = c.data.label_seed = options["seed"]
    c.data.prepared_dir = f"prepared/streets_modern_{size}"
    c.data.size = c.data.crop = (64, 128) if size == "cpu" else (32, 64)
    c.data.labels = options["labels"]
    c.dataset = ConfigDict({"domain": "target", "seed": 0, "counts": {"train": train, "val": val}})
    getattr(base, changes["task.name"])(c)
    encoder = next(name for name in ENCODERS if name in row.split("_"))
    c.model.update({key: value for key, value in ENCODERS[encoder].items() if key != "encoder_options"})
    c.model.encoder_options = ConfigDict(ENCODERS[encoder]["encoder_options"])
    c.model.decoder = "dpt"
    c.model.decoder_options = ConfigDict({"features": 24, "reassembled": (12, 24, 48, 48), "hidden": 12})
    c.model.head_kind = "convolution"
    rows.change(c, {f"optim.{key}": value for key, value in OPTIMIZER.items()})
    c.optim.module_rates = ConfigDict({"encoder": ENCODER_RATE})
    c.schedule = ConfigDict({"name": "poly", "steps": 0})
    c.train.steps = STEPS[size]
    if size == "toy":
        c.data.batch_size = 2
        c.model.pose_width = c.model.pose_channels = 8
        c.train.update(log_every=1, save_every=2, eval_every=0)
    if "views" in c.task:
        _recipe(c)
    return rows.change(c, changes)


def _recipe(c):
    """That of configs/modern.py, milder and with a faster teacher, for few steps from random weights."""
    recipe = {
        **{"weighting": "pixel", "confidence": 0.9, "divisor": "valid", "teacher": "ema_stats"},
        **{"teacher_decay": 0.99, "views": 2, "complementary": 0.5},
        **{"jitter_kind": "torchvision", "jitter_strength": 0.1, "jitter_hue": 0.05, "blur_probability": 0.0},
    }
    rows.change(c, {f"task.{key}": value for key, value in recipe.items()})
