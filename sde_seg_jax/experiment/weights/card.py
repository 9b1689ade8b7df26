"""The model card of a shared network, filled from its run."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import sde_seg_jax
from sde_seg_jax.experiment.table.runs import commit
from sde_seg_jax.experiment.weights.sources import HUB, STAGE
from sde_seg_jax.label_spaces import LabelSpace

KNOWN_LICENSES = ("apache-2.0", "mit", "bsd-3-clause", "cc0-1.0", "openrail")
KNOWN_LICENSES += ("cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0")
SCORES = {  # of metrics.json -> how the card calls them
    "miou": "mean IoU",
    "pixel_accuracy": "pixel accuracy",
    "abs_rel": "absolute relative depth error",
    "rmse": "depth RMSE",
    "delta_1": "share of depths within a factor of 1.25",
}


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a card tells: configuration without places, scores of metrics.json, classes, the weights' licence.

    `weights` are the student's or the teacher's, whose scores are `teacher/...` of metrics.json. `gives`: "semantic
    segmentation", "depth". `commits`: of the code that trained it.
    """

    name: str
    config: Mapping[str, Any]
    step: int
    weights: str
    scores: Mapping[str, Any]
    space: LabelSpace | None
    license_text: str
    gives: tuple[str, ...] = ("semantic segmentation",)
    commits: tuple[str, ...] = ()


def text(facts: Facts) -> str:
    """README.md: the head that the hub reads, and the page that people read."""
    from huggingface_hub import ModelCardData

    config = facts.config
    head = ModelCardData(
        library_name="sde_seg_jax",
        pipeline_tag="image-segmentation" if facts.space else "depth-estimation",
        tags=["jax", "flax", config["task"]["name"], config["model"]["encoder"], config["data"]["dataset"]],
        **_license(facts.license_text),
    )
    return "\n".join(["---", head.to_yaml(), "---", "", *_page(facts), ""])


def _license(name: str) -> dict[str, str]:
    """As the hub names it: licences that it knows by their own name, others as "other"."""
    if name.lower() in KNOWN_LICENSES:
        return {"license": name.lower()}
    return {"license": "other", "license_name": name} if name else {}


def public_name(value: str) -> str:
    """A source as others may read it: of a path of this machine the last part."""
    return value if value.startswith((HUB, STAGE)) else pathlib.PurePath(value).name


def _page(facts: Facts) -> list[str]:
    config, data = facts.config, facts.config["data"]
    size = "x".join(map(str, data["size"]))
    rows = {
        "task": config["task"]["name"],
        "encoder": config["model"]["encoder"],
        "weights": f"{facts.weights}, after {facts.step} updates",
        "data": f"{data['dataset']}, {data['labels'] or 'all'} labels, images of {size}",
        "seed": config["seed"],
        "started from": "; ".join(_started_from(config)) or "random values",
        "licence of the weights": facts.license_text or "not told: see what they started from and the data's terms",
        "code": f"sde_seg_jax {sde_seg_jax.__version__}, commit {', '.join(facts.commits) or commit() or 'unknown'}",
    }
    table = ["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows.items())]
    return [
        f"# {facts.name}",
        "",
        f"{' and '.join(facts.gives).capitalize()}, trained as Hoyer et al. (IJCV 2023).",
        "",
        *table,
        "",
        "## Scores",
        *_scores(facts),
        "",
        "## Use",
        "```python",
        "import sde_seg_jax as sds",
        "",
        f'model = sds.load("{facts.name}")  # this folder, or hf://org/{facts.name}',
        'model.predict("street.jpg").show()',
        "```",
        *(["", f"Classes: {', '.join(facts.space.classes)}."] if facts.space else []),
    ]


def _scores(facts: Facts) -> list[str]:
    prefix = "" if facts.weights == "student" else f"{facts.weights}/"
    own = {key: facts.scores.get(prefix + key) for key in SCORES}
    found = {SCORES[key]: value for key, value in own.items() if isinstance(value, float)}
    if not found:
        return ["Not evaluated."]
    protocol = facts.scores.get("protocol")
    how = f"On the validation split{f', protocol {protocol}' if protocol else ''}, {facts.weights}'s weights."
    classes = facts.space.classes if facts.space else ()
    by_class = {f"IoU, {name}": facts.scores.get(f"{prefix}iou/{name}") for name in classes}
    found |= {name: value for name, value in by_class.items() if isinstance(value, float)}
    return [how, "", "| score | value |", "|---|---|", *(f"| {name} | {value:.4f} |" for name, value in found.items())]


def _started_from(config: Mapping[str, Any]) -> list[str]:
    """The rules by which other weights came in, with their sources."""
    model, known = config["model"], config.get("sources", {})
    rules = list(model.get("transfer") or (["all"] if model.get("init") else []))
    found = []
    for rule in rules:
        _, _, source = rule.partition(" from ")
        found.append(f"{rule} ({public_name(known.get(source, source) if source else model.get('init', ''))})")
    return found
