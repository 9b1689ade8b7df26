"""A selection at work: its samples, the teacher, and the networks that are trained between its steps."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from ml_collections import config_dict

from sde_seg_jax.data.reading.subset import indices_of, published_permutation, read_list
from sde_seg_jax.experiment import build
from sde_seg_jax.experiment.begun import steps_done
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.scan import REMEDY, joined, scan, scan_part
from sde_seg_jax.experiment.selection import scores as selection_scores
from sde_seg_jax.experiment.selection.plan import ENTROPY, Plan
from sde_seg_jax.experiment.train import train
from sde_seg_jax.part import WHOLE, Part
from sde_seg_jax.processes import together
from sde_seg_jax.reporter import SILENT, Reporter
from sde_seg_jax.selection.features import standardize
from sde_seg_jax.state_files.reading import DamagedFile, read_array
from sde_seg_jax.state_files.writing import write_array, write_text

STUDENTS, FEATURES, SCORES = "students", "features", "scores"
MEDIAN = 0.2  # of disparities for which the published constants fit: 0.07 is then three times as far as the middle
LOOKED_AT = 64  # samples from which the median is taken


@dataclasses.dataclass(frozen=True)
class Work:
    """Samples are counted in the order of their sorted names, as in the published lists.

    Attributes:
      config: with places instead of "@stage".
      plan: its section `select`.
      folder: where everything is written.
      source: the samples.
      names: sorted.
      teacher: the depth network; None where none is looked at.
      eyes: the network whose features are compared: the teacher, or an encoder alone; None where none is.
      columns: optional fields to read beside the image.
      reporter: is told what goes on.
    """

    config: config_dict.ConfigDict
    plan: Plan
    folder: pathlib.Path
    source: Any
    names: Sequence[str]
    teacher: build.Trained | None
    eyes: build.Trained | None = None
    columns: tuple[str, ...] = ()
    reporter: Reporter = SILENT

    @functools.cached_property
    def places(self) -> np.ndarray:
        """Index in the source of each sample."""
        return np.array(sorted(range(len(self.source)), key=self.source.names.__getitem__), np.int64)

    @functools.cached_property
    def order(self) -> np.ndarray:
        """The random order of the seed, as published."""
        return published_permutation(len(self.names), self.config.seed)

    @functools.cached_property
    def features(self) -> np.ndarray:
        """Pooled features [N,h,w,C] of all samples, standardized if the plan says so.

        Of several processes one may ask for them alone, after `share_features`.
        """
        found = joined(self._feature_files(WHOLE, "features"), len(self.names))
        return standardize(found, self.names) if self.plan.standardize else found

    def features_of(self, part: Part) -> list[bool]:
        """Computes one part of the files of the features; of each file of all parts: is it there?"""
        return [path.is_file() for path in self._feature_files(part, f"features, part {part}")]

    def share_features(self) -> None:
        """Of several processes each computes a share of the files of the features, where features are looked at."""
        if self.eyes is not None and together.count() > 1:
            self._feature_files(WHOLE, "features")
            together.barrier()

    def _feature_files(self, part: Part, title: str) -> list[pathlib.Path]:
        function = selection_scores.feature_function(self.eyes.network, self.plan)
        places, folder = self.places.tolist(), self.folder / FEATURES
        options = self._scanning(title)
        return scan_part(part, self.source, places, function, self.eyes.variables, folder, **options)

    def scan(self, indices: Sequence[int], function, variables: Any, where: str, title: str) -> np.ndarray:
        """`scan.scan` of some samples; finished blocks lie in the folder `where`."""
        places = self.places[np.asarray(indices, np.int64)].tolist()
        return scan(self.source, places, function, variables, self.folder / where, **self._scanning(title))

    def _scanning(self, title: str) -> dict[str, Any]:
        fields, size = self.columns, self.config.eval.batch_size
        return {"batch_size": size, "fields": fields, "title": title, "reporter": self.reporter}

    @functools.cached_property
    def disparities(self) -> np.ndarray:
        """The teacher's disparity of some samples, spread evenly: [n,H,W]."""
        function = selection_scores.teacher_disparity(self.teacher.network)
        places = self.places[np.unique(np.linspace(0, len(self.names) - 1, LOOKED_AT).astype(int))]
        examples = [self.source.read(int(place), self.columns) for place in places]
        columns = ({key: np.asarray(example[key])[None] for key in ("image", *self.columns)} for example in examples)
        return np.concatenate([np.asarray(function(self.teacher.variables, one)) for one in columns])

    @functools.cached_property
    def scale(self) -> float:
        """What disparities are multiplied by before they are compared.

        Depth from video is known up to a factor, which differs from network to network; the published mask and bias
        are made for disparities that are MEDIAN in the middle, or so.
        """
        return self.plan.scale or float(MEDIAN / np.median(self.disparities))

    def _nothing_counts(self) -> str:
        low, middle, high = (float(q) for q in self.scale * np.quantile(self.disparities, (0.01, 0.5, 0.99)))
        far = self.plan.error["far"]
        return (
            f"the depth error of every sample is 0: no pixel counts. The teacher's disparity: {low:.2g} to {high:.2g}, "
            f"{middle:.2g} in the middle; what is under config.select.far={far} counts as far away. Set "
            "config.select.scale=0, which scales disparities to fit, or lower config.select.far"
        )

    def started(self) -> list[int]:
        """The samples that are labeled already, in the order of their list."""
        if not self.plan.start:
            return []
        listed = read_list(self.source, pathlib.Path(self.plan.start).expanduser())
        indices_of(self.source, listed)  # an unknown name is an error
        number = {name: index for index, name in enumerate(self.names)}
        return [number[name] for name in listed]

    def student(self, chosen: Sequence[int]) -> build.Trained:
        """The network of the step that has these labels; trained if that is not done."""
        return build.load_trained(self.train_student(chosen))

    def train_student(self, chosen: Sequence[int]) -> str:
        """Trains that network if it is not done, by all processes together; returns the folder of the run."""
        run = self.folder / STUDENTS / step_name(len(chosen))
        if self.plan.criterion == ENTROPY:
            self._require_labels(chosen)
        config = student_config(self.config, self.plan, len(chosen))
        if steps_done(run) < config.train.steps:
            if together.is_first():
                write_text(run.with_suffix(".txt"), "".join(f"{self.names[index]}\n" for index in chosen))
            together.barrier()
            train(config, str(run), f"student of {len(chosen)}", self.reporter)
        return str(run)

    def _require_labels(self, chosen: Sequence[int]) -> None:
        bare = [self.names[index] for index in chosen if not self.source.labeled[self.places[index]]]
        if bare:
            raise UsageError(
                f"criterion {ENTROPY} learns from the labels of the {len(chosen)} samples chosen so far, and "
                f"{len(bare)} have none, the first is '{bare[0]}': label them and prepare the data again, or choose by "
                "depth, which needs no labels: --config=...:ds_us"
            )

    def scores(self, chosen: Sequence[int]) -> np.ndarray:
        """Uncertainty of every sample that is not chosen, float32 [N]; NaN for the chosen ones.

        Of several processes all come here.
        """
        path = self.folder / SCORES / f"{step_name(len(chosen))}.npy"
        if together.told_by_first(path.is_file):
            return scores_in(path, len(self.names))
        student, left = self.student(chosen), np.setdiff1d(np.arange(len(self.names)), chosen)
        if self.plan.criterion == ENTROPY:
            function, variables = selection_scores.entropy_function(student.network), student.variables
        else:
            function = selection_scores.error_function(self.teacher.network, student.network, self.plan, self.scale)
            variables = (self.teacher.variables, student.variables)
        where = f"{SCORES}/{step_name(len(chosen))}"
        found = self.scan(left, function, variables, where, f"uncertainty after {len(chosen)} labels")
        if not np.isfinite(found).all():
            name = self.names[left[np.flatnonzero(~np.isfinite(found))[0]]]
            raise UsageError(f"the uncertainty of '{name}' is not finite: is the image or the student broken?")
        if not found.any():
            raise UsageError(self._nothing_counts())
        scores = np.full(len(self.names), np.nan, np.float32)
        scores[left] = found
        if together.is_first():
            write_array(path, scores)
        return scores


def scores_in(path: pathlib.Path, count: int) -> np.ndarray:
    """The uncertainties of `count` samples that `Work.scores` kept. Raises DamagedFile."""
    found = read_array(path, REMEDY)
    if found.shape != (count,) or found.dtype != np.float32:
        raise DamagedFile(path, f"it holds {found.dtype}{list(found.shape)}, wanted float32[{count}]", REMEDY)
    return found


def student_config(config: config_dict.ConfigDict, plan: Plan, labels: int) -> config_dict.ConfigDict:
    """What is trained on the first `labels` of the list."""
    c = config_dict.ConfigDict(config.to_dict())
    del c["select"]
    c.name = f"{config.name}: student of {labels}"
    c.data.labels, c.data.label_file = 0, f"@{step_name(labels)}.txt"
    c.train.steps = plan.training_steps(labels)
    return c


def step_name(labels: int) -> str:
    """Of files and folders of a step."""
    return f"{labels:05d}"
