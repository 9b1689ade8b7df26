"""CamVid, real driving images: 12 or 37 of 367 labels and an encoder from ImageNet. Does mixing win there, too?

Claim: what won on street scenes (streets_few_labels.py: pseudo labels, ClassMix, true labels pasted) wins on real
images with the settings found there. Nothing is chosen on CamVid.
Command: python -m sde_seg_jax.cli.table --config=configs/camvid_few_labels.py --config.data.raw_dir=DIR
    --workdir=runs/camvid_few_labels --split=test
Options: labels=, seed=, steps=. test has a drive that nothing else shows; val lies close to the training drive.
Layout of the raw files, terms: docs/data.md. The rows need no video.
Hardware, time, ours: docs/record/results.md. The paper's number: none for CamVid.
"""

import base
from ml_collections import ConfigDict

from sde_seg_jax.experiment import rows
from sde_seg_jax.experiment.config import UsageError

TITLE = "CamVid with few labels"
METRIC = "miou"
LABELS = (12, 37)  # 1/30, 1/10
SEEDS = (1, 2, 3)
SPLIT = "test"
SOURCE = ""
PAPER: dict[tuple[str, int], str] = {}

SEMI = {"task.name": "semi_supervised"}
ROWS = {
    "baseline": {"task.name": "supervised"},
    "all_labels": {"task.name": "supervised", "data.labels": 0},
    "pseudo": SEMI | {"task.mix": "none", "task.kept": "unlabeled"},
    "classmix": SEMI | {"task.mix": "class"},
}
AGAINST = {"all_labels": "baseline", "pseudo": "baseline", "classmix": "baseline"}
OPTIONS = {"labels": LABELS[0], "seed": SEEDS[0], "steps": 1500}
TRAIN = 367  # images


def get_config(arg="baseline"):
    row, options = rows.parse(arg, ROWS, OPTIONS, __file__)
    if not 0 < options["labels"] <= TRAIN:
        raise UsageError(f"{__file__}: labels={options['labels']}: there are {TRAIN} training images")
    c = base.small(base.get_config())
    c.name = f"CamVid, few labels: {row}"
    c.seed = c.data.label_seed = options["seed"]
    c.data.dataset = "camvid"
    c.data.prepared_dir = "prepared/camvid_few_labels"
    c.data.size, c.data.crop = (192, 256), (96, 128)
    c.data.labels = options["labels"]
    c.dataset = ConfigDict({"frame_gap": 4})
    base.pretrained(c)
    getattr(base, ROWS[row]["task.name"])(c)
    c.data.batch_size = 4
    base.short_training(c)
    c.train.steps = options["steps"]
    c.train.eval_every = c.train.save_every = 500
    if "consistency" in c.task:
        base.short_mixing(c)
    return rows.change(c, ROWS[row])
