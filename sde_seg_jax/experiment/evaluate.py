"""Scores of a checkpoint, beside it: metrics.json, pictures, the camera that was learnt."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from ml_collections import config_dict

from sde_seg_jax.data.reading.dataset import Data, open_data
from sde_seg_jax.display import pictures
from sde_seg_jax.display.sheets import grid
from sde_seg_jax.evaluation.bootstrap import miou_interval
from sde_seg_jax.evaluation.protocols.protocol import file_part
from sde_seg_jax.experiment import build, depth_verdict, learnt_camera, monitor, other_data
from sde_seg_jax.experiment.config import ABSENT, call
from sde_seg_jax.experiment.evaluated import result_name, write_pictures
from sde_seg_jax.experiment.prediction import predictor as predictors
from sde_seg_jax.experiment.prepare import prepare_data
from sde_seg_jax.experiment.scoring import PUBLISHED, Asked, at_resolution, scorer_of
from sde_seg_jax.experiment.weights.sharing import require_run
from sde_seg_jax.processes import together
from sde_seg_jax.reporter import SILENT, Reporter
from sde_seg_jax.state_files.writing import write_json
from sde_seg_jax.training.checkpoints import FOLDER, Stored, locate, read

SHOWN = 6
LATER = ("classes", "depth_crop")  # keys of the section eval that old checkpoints lack


def evaluate(
    checkpoint: str,
    workdir: str = "",
    override=lambda config: config,
    reporter: Reporter = SILENT,
    split: str = "",
    asked: Asked = PUBLISHED,
) -> dict[str, Any]:
    """Scores a checkpoint and writes metrics.json and pictures; returns the scores.

    `override` changes the checkpoint's configuration; with another data.dataset, classes are mapped by name. In the
    run's own folder, scores on other data go to a file of their own (`other_data.name_of`), without pictures. `split`:
    one to score on other than the configuration's validation split, into metrics_SPLIT.json, likewise. `asked`:
    another protocol than the published, into a file of its own, classes alone and without pictures. Of several
    processes all call this, and the first writes. Raises CheckpointError, ValueError.
    """
    require_run(checkpoint, "cli.evaluate")
    folder = locate(checkpoint)
    home = folder.parent if folder.name == FOLDER else folder
    out = pathlib.Path(workdir).expanduser() if workdir else home
    stored = read(checkpoint, "student", "teacher")
    config, trained_on = override(_stored_config(stored)), _stored_config(stored)
    elsewhere = config.data.dataset != trained_on.data.dataset
    if elsewhere:
        other_data.fit(config)
    if split:
        config.data.val_split = split
    other = other_data.name_of(config, trained_on) if elsewhere or out.resolve() == home.resolve() else ""
    if asked != PUBLISHED:
        config = at_resolution(config, asked)
    prepare_data(validation_only(config), reporter=reporter)
    data = call("data", open_data, config.data, reporter.tell)
    own = data.space if elsewhere else None
    if elsewhere:
        data = other_data.in_classes_of(trained_on, data, reporter.tell)
    trained = build.trained(stored)
    scorer, name = scorer_of(asked, trained, config, data)
    matrices: list[np.ndarray] = []

    def scores_of(one: build.Trained, keep: monitor.Keep | None = None) -> dict[str, Any]:
        scores = scorer(one.network, one.variables, config, data, keep)
        return scores if own is None else other_data.of_common_classes(scores, own, data.space)

    scores = scores_of(trained, matrices.append)
    found = {"step": trained.step, **({"protocol": name} if scores else {}), **scores}
    if matrices and not elsewhere:
        found |= miou_interval(np.concatenate(matrices), data.source("val", ("label",)).names)
    if asked == PUBLISHED:
        found |= depth_verdict.judge(trained.network, trained.variables, config, data, reporter)
    if line := unscored(found, config):
        reporter.tell(f"warning: {line}")
    found |= learnt_camera.measure(trained.network, trained.variables, data, config.eval.batch_size)
    if stored.parts["teacher"]:
        scores = scores_of(build.trained(stored, "teacher"))
        found |= {f"teacher/{key}": value for key, value in scores.items() if not key.startswith("constant")}
    found = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in found.items()}
    split, part = other or split, "" if asked == PUBLISHED else file_part(name)
    if other:
        reporter.tell(f"scored on other data than the run's own: {out / result_name(other, part)}")
    if not together.is_first():
        return found
    if not split and asked == PUBLISHED:
        write_pictures(out, example_pictures(trained, config, data))
        learnt_camera.write(out, found)
    write_json(out / result_name(split, part), found)  # last: it says that all is there
    return found


def draw_examples(checkpoint: str, reporter: Reporter = SILENT) -> None:
    """Writes the pictures of `evaluate` beside a checkpoint, without scoring it. Raises CheckpointError, ValueError."""
    folder, stored = locate(checkpoint), read(checkpoint, "student")
    config = _stored_config(stored)
    reporter.tell(f"drawing validation pictures of {checkpoint}")
    data = call("data", open_data, config.data, reporter.tell)
    write_pictures(
        folder.parent if folder.name == FOLDER else folder, example_pictures(build.trained(stored), config, data)
    )


def _stored_config(stored: Stored) -> config_dict.ConfigDict:
    """A checkpoint's configuration, with the keys of the section eval that older ones lack."""
    config = build.own_config(stored)
    config.eval = config_dict.ConfigDict({**{key: ABSENT[f"eval.{key}"] for key in LATER}, **config.get("eval", {})})
    return config


def unscored(found: Mapping[str, Any], config: config_dict.ConfigDict) -> str:
    """What the data have nothing to be scored by, in one line; "" if they have."""
    where = f"nothing to score: split {config.data.val_split!r} of '{config.data.prepared_dir}'"
    remedy = f"cli.doctor --prepared_dir={config.data.prepared_dir} tells what is in it"
    if "miou" in found and not math.isfinite(found["miou"]):
        return f"{where} has no labelled pixel of a class, so mIoU and accuracies are unknown; {remedy}"
    if not {"miou", "abs_rel", "verdict"} & found.keys():
        return f"{where} has neither labels nor true depth, so there are pictures but no scores; {remedy}"
    return ""


def validation_only(config: config_dict.ConfigDict) -> config_dict.ConfigDict:
    """A copy that names no split but the validation split: to score on a new one needs no training data."""
    copy = config.copy_and_resolve_references()
    copy.data.train_split = copy.data.video_split = copy.data.val_split
    copy.data.unlabeled_split = ""
    return copy


def example_pictures(trained: build.Trained, config: config_dict.ConfigDict, data: Data) -> dict[str, np.ndarray]:
    """Validation samples beside what the network makes of them."""
    found, network, variables = {}, trained.network, trained.variables
    if network.segmentation is not None and data.has("val", "label"):
        batch = data.examples(("label",), SHOWN)
        ids = np.asarray(predictors.class_predictor(network)(variables, batch.image))
        found["segmentation"] = monitor.label_rows(batch, ids, data.space)
    if network.depth_decoder is not None:
        known = data.has("val", "depth")
        batch = data.examples(("depth",) if known else (), SHOWN)
        disparity = np.asarray(predictors.disparity_predictor(network)(variables, batch.image))
        rows = [
            [batch.image[i], pictures.disparity_picture(disparity[i])]
            + ([pictures.depth_picture(batch.depth[i])] if known else [])
            for i in range(len(disparity))
        ]
        found["depth"] = grid(rows, captions=["image", "learnt disparity", "true inverse depth"][: 2 + known])
    return found
