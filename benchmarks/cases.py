"""What is timed: the training step of every task, from plain values (no TensorFlow, no ml_collections).

TASKS are the seven of the paper; KINDS has `modern_supervised`, too, a vision transformer with DPT.
`make_case(task, setting)` gives network, state, step and made-up data on the device. The settings are those of the
configurations (a test compares the two): `small` for a laptop, `published` for an accelerator.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from sde_seg_jax.models.init import initial_variables
from sde_seg_jax.models.network import Network, make_network
from sde_seg_jax.tasks.task import find_task
from sde_seg_jax.training import ema
from sde_seg_jax.training.optimizers import make_optimizer
from sde_seg_jax.training.sharding import copied
from sde_seg_jax.training.step import init_state, make_step
from sde_seg_jax.types import IGNORE, Batch, Intrinsics, Streams, TrainState, Variables

CLASSES = 19
SMALL = {  # configs/base.py, small()
    "encoder": "resnet18",
    "width": 24,
    "dilate": (False, False, False),
    "decoder_channels": (16, 24, 32, 48, 64),
    "aspp_rates": (1, 2, 3),
    "dropout": 0.0,
    "pose_width": 16,
    "pose_channels": 128,
    "disparity_bias": -4.0,
    "pose_scale": 0.3,
    "pose_start": 0.0,
}
TINY = SMALL | {"width": 8, "decoder_channels": (4, 4, 4, 8, 8), "aspp_rates": (1, 2), "pose_width": 8}
STUDENT = {"encoder": "resnet50", "decoder_channels": (64, 64, 128, 128, 256), "batch_norm": True}


@dataclasses.dataclass(frozen=True)
class Setting:
    """Sizes and precision of a case; `model` and `student` are keyword arguments of `make_network`."""

    crop: tuple[int, int] = (512, 512)  # height, width [px]
    batch: int = 2  # of each stream
    dtype: str = "float32"  # or bfloat16: what convolutions compute in
    remat: bool = False
    model: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    student: Mapping[str, Any] = dataclasses.field(default_factory=lambda: STUDENT)  # of the task student_depth


SETTINGS = {
    "published": Setting(),  # ResNet-101, output stride 16
    "small": Setting((64, 128), 4, model=SMALL, student=SMALL),
    "tiny": Setting((64, 64), 2, model=TINY, student=TINY),
}

VIT = {  # configs/modern.py
    "encoder": "dinov2_vits14",
    "encoder_options": {"position_offset": 0.1},
    "decoder": "dpt",
    "decoder_options": {"features": 64, "reassembled": (48, 96, 192, 384)},
    "head_kind": "convolution",
}
FOUR = VIT | {"width": 32, "encoder_options": {"position_offset": 0.1, "blocks": 4}}
TWO = {"features": 8, "reassembled": (4, 6, 8, 10)}
MODERN_SETTINGS = {  # sides of whole patches
    "published": Setting((798, 798), model=VIT),  # of the batch of 8 a part
    "small": Setting((112, 224), 4, model=FOUR),  # four blocks of 192 channels
    "tiny": Setting((28, 42), model=FOUR | {"width": 4, "decoder_options": TWO}),
}

ADAM = {"name": "adam", "learning_rate": 1e-4, "weight_decay": 0.0, "clip": None}
SGD = {"name": "sgd", "learning_rate": 1e-2, "module_rates": {"encoder": 1e-3}}
SGD_POSE = SGD | {"module_rates": {"encoder": 1e-3, "pose": 1e-6}}
ADAMW = {"name": "adamw", "learning_rate": 2e-4, "weight_decay": 0.01, "clip": None, "module_rates": {"encoder": 5e-6}}
LABEL = {"cross_entropy": 1.0}
DEPTH = {"photometric": 1.0, "smoothness": 1e-3}
HARD = {"ohem": {"weight": 0.5, "threshold": 0.7, "min_kept": 200_000}}
MIX = {"mix": "depth", "teacher": "batch_stats"}


@dataclasses.dataclass(frozen=True)
class Kind:
    """A task as it is trained: module of `tasks`, loss terms, options, optimiser, frozen networks in its state."""

    task: str
    losses: Mapping[str, Any]  # weights, or mappings with options of the term
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    optimizer: Mapping[str, Any] = dataclasses.field(default_factory=lambda: SGD)
    model: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    frozen: tuple[str, ...] = ()  # names in TrainState.frozen: depth networks, or "imagenet", an encoder


TASKS = {
    "sde_phase1": Kind("depth", DEPTH, optimizer=ADAM | {"frozen": ("encoder",)}),
    "sde_phase2": Kind(
        "depth", DEPTH | {"feature_distance": 0.01}, optimizer=ADAM | {"learning_rate": 1e-5}, frozen=("imagenet",)
    ),
    "supervised": Kind("supervised", LABEL),
    "semi_supervised": Kind("semi_supervised", LABEL, MIX, frozen=("depth",)),
    "multitask": Kind("multitask", LABEL | DEPTH, MIX, SGD_POSE, {"distillation_level": 2}),
    "domain_adaptation": Kind(
        "domain_adaptation", LABEL, MIX | {"intra_domain": 1.0, "cross_domain": 1.0, "cross_mix": "depth"},
        frozen=("depth", "source_depth"),
    ),
    "student_depth": Kind("student_depth", {"berhu": 1.0}, optimizer=ADAM, frozen=("depth",)),
}  # fmt: skip


MODERN = {"modern_supervised": Kind("supervised", HARD, optimizer=ADAMW)}  # configs/modern.py
KINDS = TASKS | MODERN


def setting_of(task: str, name: str) -> Setting:
    """The setting of that name for one of KINDS."""
    return (MODERN_SETTINGS if task in MODERN else SETTINGS)[name]


@dataclasses.dataclass(frozen=True)
class Case:
    """One task at one setting, ready to be compiled (`sharding.compile_step(case.step, mesh)`) and run."""

    task: str
    setting: Setting
    network: Network
    depth_network: Network | None  # of the frozen networks "depth" and "source_depth"
    loss: Callable  # (params, state, streams, rng) -> (value, Aux)
    step: Callable  # (state, streams) -> (state, logs), not compiled
    state: TrainState
    streams: Streams
    images: int  # target images a step, neighbors not counted: what images/s counts


def make_case(task: str, setting: Setting, *, seed: int = 0, **options: Any) -> Case:
    """The case of one of KINDS. `options` replace the task's (as `jitter_probability=0.0` without randomness)."""
    kind = KINDS[task]
    definition = find_task(kind.task)
    network = network_of(task, setting)
    depth = make_network(**_model(setting, setting.model), depth=True, segmentation=False, pose=False)
    variables = initial_variables(network, seed, setting.crop)
    frozen, networks = {}, {}
    for number, name in enumerate(kind.frozen, start=1):
        if name == "imagenet":
            frozen[name] = encoder_of(variables)
        else:
            networks[f"{name}_network"] = depth
            frozen[name] = initial_variables(depth, seed + number, setting.crop)
    chosen = {**kind.options, **options}
    loss = definition.make_loss(network, losses=dict(kind.losses), **chosen, **networks)
    optimizer = make_optimizer(variables.params, **kind.optimizer).transform
    teaches = definition.teacher(kind.losses, chosen)
    update = ema.update_rule(chosen["teacher"]) if teaches else None
    state = init_state(variables, optimizer, seed=seed, teacher=teaches, frozen=frozen)
    step = make_step(loss, optimizer, update, frozen=kind.optimizer.get("frozen", ()))
    fields = definition.streams(
        kind.losses, {"intra_domain": 1.0, "cross_domain": 1.0, "source": 1.0, "target": 1.0, **chosen}
    )
    streams = make_streams(fields, setting, seed)
    images = setting.batch * len(fields)
    return Case(task, setting, network, depth if networks else None, loss, step, state, streams, images)


def network_of(task: str, setting: Setting) -> Network:
    """The student of a task."""
    kind = KINDS[task]
    model = setting.student if kind.task == "student_depth" else setting.model
    parts = find_task(kind.task).needs(kind.losses, kind.options)
    needs = {part: part in parts for part in ("depth", "segmentation", "pose")}
    return make_network(**_model(setting, model), **kind.model, **needs)


def _model(setting: Setting, model: Mapping[str, Any]) -> dict[str, Any]:
    return {"num_classes": CLASSES, "dtype": setting.dtype, "remat": setting.remat, **model}


def encoder_of(variables: Variables) -> Variables:
    """A copy of the encoder, as a frozen reference."""
    params, stats = ({"encoder": tree["encoder"]} for tree in (variables.params, variables.batch_stats))
    return copied(Variables(params, stats))


def make_streams(fields: Mapping[str, tuple[str, ...]], setting: Setting, seed: int) -> Streams:
    """Made-up batches on the default device: smooth images, sequences that shift by a pixel, labels in blocks."""
    keys = jax.random.split(jax.random.key(seed), len(fields))
    make = jax.jit(_batch, static_argnums=(1, 2, 3, 4))
    return Streams(**{
        name: make(key, wanted, setting.crop, setting.batch, name == "unlabeled")
        for key, (name, wanted) in zip(keys, sorted(fields.items()), strict=True)
    })  # fmt: skip


def _batch(key, wanted: tuple[str, ...], crop, batch: int, unlabeled: bool) -> Batch:
    height, width = crop
    r = jax.random.split(key, 3)
    coarse = jax.random.uniform(r[0], (batch, height // 16, width // 16 + 1, 3))
    wide = jax.image.resize(coarse, (batch, height, width + 2, 3), "linear")
    wide = wide + 0.05 * jax.random.normal(r[1], wide.shape)
    frames = [jnp.clip(255 * wide[:, :, i : i + width], 0, 255).astype(jnp.uint8) for i in range(3)]
    label = labeled = neighbors = None
    if "neighbors" in wanted:
        neighbors = jnp.stack([frames[0], frames[2]], axis=1)
    if "label" in wanted:
        blocks = jax.random.randint(r[2], (batch, -(-height // 16), -(-width // 16)), 0, CLASSES + 1)
        blocks = jnp.where(blocks == CLASSES, IGNORE, blocks)
        label = jnp.repeat(jnp.repeat(blocks, 16, axis=1), 16, axis=2).astype(jnp.uint8)[:, :height, :width]
        labeled = jnp.full((batch,), not unlabeled)
        label = jnp.full_like(label, IGNORE) if unlabeled else label
    side = jnp.full((batch,), 0.6 * width)
    camera = Intrinsics(side, side, jnp.full((batch,), (width - 1) / 2), jnp.full((batch,), (height - 1) / 2))
    return Batch(image=frames[1], intrinsics=camera, neighbors=neighbors, label=label, labeled=labeled)
