"""What all rows of the paper's tables share: data sets, published selections, optimiser. Not a configuration itself.

The optimiser is base.py's: SGD 1e-2 (decoders, the multi-task depth decoder too, as it was run: Q31), 1e-3 (encoder),
1e-6 (pose), clip 10, 40000 steps, x 0.1 at 30000, batch 2 + 2 (METHOD 2). The strong augmentation is drawn once a
batch, as published (decision 5).
"""

import pathlib

import base

from sde_seg_jax.experiment import rows
from sde_seg_jax.experiment.config import UsageError

SOURCE = (
    "as quoted in github.com/ShijieLu222/SDE_SEG and, for 100, 372 and 744 labels of the full system, "
    "paperswithcode.com/paper/three-ways-to-improve-semantic-segmentation"
)
LABELS = (100, 372, 744, 2975)
SEEDS = (42, 43, 44)

SDE, SDE_WITHOUT_FEATURE_DISTANCE = "@sde_feature_distance", "@sde_without_feature_distance"
STAGES = {  # one for all rows, labels and seeds; trained on Cityscapes for every data set, the others have no video
    "sde_frozen": "configs/sde_frozen.py",
    "sde_feature_distance": "configs/sde_feature_distance.py",
    "sde_without_feature_distance": "configs/sde_feature_distance.py:without_feature_distance",
}
SELECTION_STEPS = {"cityscapes": (25, 50, 100, 200, 372, 744), "camvid": (25, 50, 100)}  # labels after each step
CRITERIA = {"ent": "entropy", "us": "us", "ds": "ds", "ds_us": "ds_us"}  # as published lists and our rows call them


def selection_stage(dataset, selection, seed):
    """The stage that chooses a list of our own."""
    return f"select_{'' if dataset == 'cityscapes' else f'{dataset}_'}{CRITERIA[selection]}_s{seed}"


STAGES |= {
    selection_stage(dataset, selection, seed): f"configs/paper/select_images.py:{row},dataset={dataset},seed={seed}"
    for dataset in SELECTION_STEPS
    for selection, row in CRITERIA.items()
    for seed in SEEDS
}
IMAGENET = ("encoder from imagenet",)
TRANSFER = ("encoder", "segmentation/decoder <- depth_decoder")
MULTITASK_TRANSFER = (*TRANSFER, "depth_decoder", "pose")

DATASETS = {
    "cityscapes": {"data.size": (512, 1024)},
    "camvid": {"data.size": (512, 672), "train.steps": 20000},
    "mapillary": {"data.size": (512, 704)},
}
DATASET_LABELS = {"cityscapes": LABELS, "camvid": (50, 100, 367), "mapillary": (100, 2250, 18000)}
LISTS = {  # by whom, of which data set, chosen by what
    "published": {"cityscapes": tuple(CRITERIA), "camvid": ("ds_us",), "mapillary": ()},
    "ours": {"cityscapes": tuple(CRITERIA), "camvid": tuple(CRITERIA), "mapillary": ()},
}
OPTIONS = {  # of a row's argument, with defaults; labels and selection depend on data set and row
    "labels": 0,
    "seed": 42,
    "dataset": tuple(DATASETS),
    "selection": ("", "random", "ent", "us", "ds", "ds_us"),
    "lists": tuple(LISTS),
}
FOLDER = pathlib.Path(__file__).resolve().parent / "selections"


def configure(table, arg, file, known=OPTIONS):
    """The configuration of "row,labels=372,seed=42,dataset=cityscapes,selection=random" in a table's ROWS.

    labels: default 372 (CamVid 100, Mapillary 2250); all of them means that there is nothing to select. selection: a
    list (ent, us, ds, ds_us) or random, by `seed`; default: the row's. lists: the published ones, or ours, which the
    stages "select_..." choose. `known`: other options and defaults; without dataset it is Cityscapes.

    A row may name what its configuration begins with, "base": a function of base.py; default: the one of its task.
    """
    row, options = rows.parse(arg, table, known, file)
    changes = dict(table[row])
    dataset, seed = options.get("dataset", "cityscapes"), options["seed"]
    selection = options["selection"] or changes.pop("selection", "random")
    changes.pop("selection", None)
    labels = options["labels"] or DATASET_LABELS[dataset][1]
    task = changes["task.name"]
    begin = getattr(base, changes.pop("base", task))
    if dataset != "cityscapes" and (task.startswith("multitask") or "data.unlabeled_split" in changes):
        raise UsageError(f"{file}: row '{row}' needs video of the training streets, which '{dataset}' does not have")

    c = base.get_config()
    c.name = f"{row}, {labels} labels"
    c.seed = c.data.label_seed = seed
    c.data.dataset = dataset
    c.data.prepared_dir = f"prepared/{dataset}"
    c.data.labels = labels
    c.data.label_file = _label_file(dataset, selection, labels, seed, options["lists"], file)
    c.model.transfer = IMAGENET
    begin(c)
    if "per_batch" in c.task:
        c.task.per_batch = True
    return rows.change(c, DATASETS[dataset] | changes)


def _label_file(dataset, selection, labels, seed, lists, file):
    every = DATASET_LABELS[dataset][-1]
    if labels > every:
        raise UsageError(f"{file}: labels={labels}: '{dataset}' has {every}")
    if selection == "random" or labels == every:
        return ""
    known = LISTS[lists][dataset]
    whose, verb = {"published": ("the published", "published"), "ours": ("our", "made")}[lists]
    if selection not in known:
        names = ", ".join(("random", *known))
        raise UsageError(f"{file}: selection={selection}: not {verb} for '{dataset}'; known: {names}")
    longest = SELECTION_STEPS[dataset][-1]
    if labels > longest:
        raise UsageError(f"{file}: labels={labels}: {whose} selections list {longest} images")
    if seed not in SEEDS:
        raise UsageError(f"{file}: seed={seed}: selections are {verb} for the seeds {', '.join(map(str, SEEDS))}")
    if lists == "ours":
        return f"@{selection_stage(dataset, selection, seed)}/labels.txt"
    return str(FOLDER / f"{dataset}_{selection}_{seed}.txt")
