"""Whole training steps in PyTorch: the same passes in the same order as ours, on the same data and weights.

Left out is what ours logs on top: signs of collapse of depth (spread of the disparity, norm of the translation) and,
without clipping, the norm of the gradients. Not left out, as in PyTorch nobody does, are outputs that no loss reads.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from cases import CLASSES, KINDS, Case, Kind
from torch import Tensor

from peer import depth_tasks, mixing_tasks, weights
from peer.batches import DepthOptions, Found, PeerBatch, from_ours
from peer.modes import MODES, Mode, Networks
from peer.network import PeerNetwork, make_network
from sde_seg_jax.mixing.strong import Strong
from sde_seg_jax.tasks.task import find_task
from sde_seg_jax.training.ema import DECAY
from sde_seg_jax.training.optimizers import ADAM_BETAS, ADAM_EPSILON, make_optimizer

LOSSES = {
    "depth": depth_tasks.depth,
    "supervised": depth_tasks.supervised,
    "student_depth": depth_tasks.student_depth,
    "semi_supervised": mixing_tasks.semi_supervised,
    "multitask": mixing_tasks.multitask,
    "domain_adaptation": mixing_tasks.domain_adaptation,
}
STRONG = {
    "jitter_probability": "jitter_probability",
    "strength": "jitter_strength",
    "blur_probability": "blur_probability",
}
ONLY = {  # options of which the peers know one value
    "weighting": "batch",
    "ramp": (0, 0),
    "kept": "unlabeled",
    "prior": 0.0,
    "temperature": 1.0,
    "divisor": "all",
    "teacher_decay": DECAY,
    "views": 1,
    "complementary": 0.0,
    "jitter_kind": "additive",
    "jitter_hue": None,
    "gray_probability": 0.0,
    "blur_sigma": Strong.blur_sigma,
    "mix": "depth",
    "cross_mix": "depth",
    "teacher": "batch_stats",
    "per_batch": False,
    "frames": "minimum",
    "error": "ssim_l1",
    "auto_mask": True,
}


class Peer:
    """A task in training."""

    def __init__(
        self,
        networks: Networks,
        loss: Callable[[Mapping[str, PeerBatch]], Found],
        streams: Mapping[str, PeerBatch],
        optimizer: Mapping[str, Any],
    ):
        self.networks, self.streams, self.updates = networks, streams, 0
        self._loss, self._clip = loss, optimizer["clip"]
        self.optimizer = pytorch_optimizer(networks, **optimizer)
        self._trained = [p for p in networks.student.parameters() if p.requires_grad]
        self._averaged = _pairs(networks)

    def loss(self) -> Found:
        """(loss, logs) of the next step; running statistics move."""
        self.networks.mode.switch()
        return self._loss(self.streams)

    def gradients(self) -> dict[str, Tensor]:
        """Gradients before clipping by PyTorch's names of the student's parameters; zero where there is none."""
        self.optimizer.zero_grad(set_to_none=True)
        self.loss()[0].backward()
        named = self.networks.student.named_parameters()
        found = {name: torch.zeros_like(p) if p.grad is None else p.grad.clone() for name, p in named}
        self.optimizer.zero_grad(set_to_none=True)
        return found

    def step(self) -> Tensor:
        """One training step; returns its loss without waiting for the device."""
        self.optimizer.zero_grad(set_to_none=True)
        loss, _ = self.loss()
        loss.backward()
        if self._clip is not None:
            torch.nn.utils.clip_grad_norm_(self._trained, self._clip)
        self.optimizer.step()
        self.updates += 1
        if self.networks.teacher is not None:
            keep = min(1 - 1 / (self.updates + 1), DECAY)
            torch._foreach_lerp_(*self._averaged, 1 - keep)
        return loss.detach()


def make_peer(case: Case, *, mode: str, **options: Any) -> Peer:
    """The task of `case` with its weights and data, as PyTorch trains it on a GPU, if there is one.

    Call it before a step of ours donates the state, which ends its arrays.
    mode: one of MODES. `options` are those with which the case was made. Raises ValueError for an unknown mode and for
    options that the peers do not have.
    """
    if mode not in MODES:
        raise ValueError(f"unknown mode '{mode}'; known: {', '.join(MODES)}")
    kind, chosen, device = KINDS[case.task], MODES[mode], torch.device("cuda" if torch.cuda.is_available() else "cpu")
    networks = _networks(case, kind, chosen, device)
    given = _options(find_task(kind.task).make_loss, {**kind.options, **options}, kind.losses)
    loss = LOSSES[kind.task](networks, dict(kind.losses), **given)
    names = ("labeled", "unlabeled", "source")
    found = {name: getattr(case.streams, name) for name in names if getattr(case.streams, name) is not None}
    streams = {name: from_ours(batch, device, chosen.dtype) for name, batch in found.items()}
    return Peer(networks, loss, streams, _defaults(make_optimizer) | dict(kind.optimizer))


def _student(case: Case) -> PeerNetwork:
    """A network for weights of the student."""
    kind = KINDS[case.task]
    setting = case.setting
    parts = find_task(kind.task).needs(kind.losses, kind.options)
    needs = {part: part in parts for part in ("depth", "segmentation", "pose")}
    model = setting.student if kind.task == "student_depth" else setting.model
    return make_network(num_classes=CLASSES, **model, **kind.model, **needs)


def _networks(case: Case, kind: Kind, mode: Mode, device: torch.device) -> Networks:
    student, teacher, frozen = _student(case), None, {}
    weights.load(student, case.state.student)
    if case.state.teacher is not None:
        teacher = _student(case)
        teacher.pose = None
        weights.load(teacher, case.state.teacher)
    for name, variables in case.state.frozen.items():
        parts = {"depth": name != "imagenet", "segmentation": False, "pose": False}
        frozen[name] = make_network(**case.setting.model, **parts)
        weights.load(frozen[name], variables)
    for name, parameter in student.named_parameters():
        parameter.requires_grad_(not any(_inside(name, held) for held in kind.optimizer.get("frozen", ())))
    return Networks(student, teacher, frozen, mode, device)


def _options(make_loss: Callable, given: Mapping[str, Any], losses: Mapping[str, float]) -> dict[str, Any]:
    """Keyword arguments of a peer's loss: what is given, and the defaults of ours."""
    options = _defaults(make_loss) | dict(given)
    for name, value in ONLY.items():
        if options.pop(name, value) != value:
            raise ValueError(f"the peers know {name}={value!r} alone, got {given[name]!r}")
    unread = () if "photometric" in losses else DepthOptions._fields
    for name in ("depth_network", "source_depth_network", "class_shares", *unread):
        options.pop(name, None)
    strong = {name: options.pop(ours) for name, ours in STRONG.items() if ours in options}
    return options | ({"strong": strong} if strong else {})


def _defaults(function: Callable) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}


def pytorch_optimizer(
    networks: Networks,
    *,
    name: str,
    learning_rate: float,
    module_rates: Mapping[str, float] | None,
    momentum: float,
    weight_decay: float,
    **_: Any,
) -> torch.optim.Optimizer:
    """PyTorch's own, with one group a learning rate; the longest path that contains a parameter decides."""
    module_rates, groups = module_rates or {}, {}
    for parameter_name, parameter in networks.student.named_parameters():
        holding = [module for module in module_rates if _inside(parameter_name, module)]
        rate = module_rates[max(holding, key=len)] if holding else learning_rate
        if parameter.requires_grad:
            groups.setdefault(rate, []).append(parameter)
    groups = [{"params": parameters, "lr": rate} for rate, parameters in groups.items()]
    common = {"weight_decay": weight_decay} | ({"fused": True} if networks.mode.compiled else {})
    if name == "sgd":
        return torch.optim.SGD(groups, momentum=momentum, **common)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name]
    return kind(groups, betas=ADAM_BETAS, eps=ADAM_EPSILON, **common)


def _inside(name: str, module: str) -> bool:
    return name.startswith(module.replace("/", ".") + ".")


def _pairs(networks: Networks) -> tuple[list[Tensor], list[Tensor]]:
    """(the teacher's parameters, those of the student that they average)."""
    if networks.teacher is None:
        return [], []
    students = dict(networks.student.named_parameters())
    names, teachers = zip(*networks.teacher.named_parameters(), strict=True)
    return list(map(torch.Tensor.detach, teachers)), [students[name].detach() for name in names]
