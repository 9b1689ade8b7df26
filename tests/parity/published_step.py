"""The recorded whole training steps: the network, the optimiser and the batches of one, and our steps on them.

A recording holds two consecutive updates. Everything follows from its parameters in the manifest.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax
from compiler_options import FAST
from filled import decoder_options, shapes
from golden import Recording, fill, nhwc
from recorded_schedule import schedule_of

from sde_seg_jax.models.import_weights import encoder_part, network_from_torch, network_parts, to_torch
from sde_seg_jax.models.network import Network, make_network
from sde_seg_jax.models.segmentation import FINEST_LAYER
from sde_seg_jax.training.optimizers import Optimizer, make_optimizer
from sde_seg_jax.training.step import init_state, make_step
from sde_seg_jax.types import IGNORE, Batch, Intrinsics, Streams, TrainState, Variables

UPDATES = (1, 2)
CLASSES = 19
SMOOTHNESS = 1e-3  # published weight of the smoothness relative to the photometric error
REFERENCE = encoder_part(("encoder",), "models.imnet_encoder.encoder.")  # the frozen ImageNet encoder


@dataclasses.dataclass(frozen=True)
class Done:
    """One update as ours did it."""

    before: TrainState
    after: TrainState
    streams: Streams
    logs: dict
    gradients: dict  # before clipping


@dataclasses.dataclass(frozen=True)
class Published:
    """What a recording's parameters describe, in our terms."""

    rec: Recording
    dtype: type

    @property
    def params(self) -> dict:
        return self.rec.params

    @functools.cached_property
    def names(self) -> list[str]:
        """Of the student's tensors."""
        return [str(name) for name in self.rec["out.s1.student_names"]]

    def has(self, part: str) -> bool:
        return any(name.startswith(f"models.{part}.") for name in self.names)

    @functools.cached_property
    def network(self) -> Network:
        """All steps were recorded with a ResNet-18 without dilation and without dropout."""
        head = self.params["segmentation_args"] or {}
        options = decoder_options(self.params["depth_args"])
        options["decoder_channels"] = options.pop("channels")
        pad = self.has("mtl_decoder")
        if pad:
            options |= {"distillation_level": FINEST_LAYER - head["distillation_layer"]}
            options |= {"side_output": head["side_output"], "head_stride": head["output_stride"]}
        elif head:
            options |= {"head_layers": head["layers"], "head_channels": head["layer_out_channels"]}
            options |= {"head_stride": head["output_stride"]}
            options |= {"head_inter_channels": head["head_inter_channels"] if head["head_inter"] else None}
        return make_network(
            num_classes=CLASSES,
            encoder="resnet18",
            dilate=(False, False, False),
            dropout=0.0,
            dtype=None,
            depth=pad or self.has("depth"),
            segmentation=pad or self.has("segmentation"),
            pose=self.has("pose"),
            **options,
        )

    @functools.cached_property
    def start(self) -> Variables:
        """The student before the first update."""
        size = (self.params["h"], self.params["w"])
        like = shapes(self.network, np.zeros((1, *size, 3)), method="initialize")
        return network_from_torch(self._filled(like, network_parts(like)), like)

    def frozen(self) -> dict[str, Variables]:
        """The reference encoder of the feature distance, where there is one."""
        if not self.has("imnet_encoder"):
            return {}
        like = Variables({"encoder": self.start.params["encoder"]}, {"encoder": self.start.batch_stats["encoder"]})
        return {"imagenet": network_from_torch(self._filled(like, [REFERENCE]), like, "models.imnet_")}

    def _filled(self, like: Variables, parts) -> dict[str, np.ndarray]:
        zeros = jax.tree.map(lambda leaf: np.broadcast_to(np.float32(0), leaf.shape), like)
        state = {}
        for name, value in to_torch(zeros, parts).items():
            scale = self.params["init_scale"].get(name, 1)
            state[name] = self.dtype(scale) * fill(name, value.shape, self.params["fill_seed"]).astype(self.dtype)
        return state

    def losses(self) -> dict[str, float]:
        """Weights of our loss terms."""
        p = self.params
        weights = {
            "cross_entropy": 1.0 if p["segmentation_name"] else 0,
            "photometric": p["monodepth_lambda"],
            "smoothness": p["monodepth_lambda"] * SMOOTHNESS,
            "feature_distance": p["training_overrides"].get("feat_dist_lambda", 0),
            "berhu": p["training_overrides"].get("pseudo_depth_lambda", 0),
        }
        return {name: weight for name, weight in weights.items() if weight}

    def not_trained(self) -> tuple[str, ...]:
        """Modules without gradient in PyTorch: frozen ones, and decoder levels finer than any that the head reads."""
        modules = ["encoder"] if self.params["model_overrides"].get("freeze_backbone") else []
        if self.has("segmentation"):
            finest = FINEST_LAYER - max(self.params["segmentation_args"]["layers"])
            modules += [f"segmentation/decoder/level_{level}" for level in range(finest)]
        return tuple(modules)

    @functools.cached_property
    def groups(self) -> dict[str, float]:
        """Module -> learning rate, in the recorded order; "default" is the rest."""
        o = self.params["optimizer"]
        keys = {"encoder": "backbone_lr", "pose": "pose_lr", "segmentation": "segmentation_lr"}
        return {module: o[key] for module, key in keys.items() if key in o} | {"default": o["lr"]}

    @functools.cached_property
    def optimizer(self) -> Optimizer:
        o = self.params["optimizer"]
        return make_optimizer(
            self.start.params,
            name=o["name"],
            learning_rate=o["lr"],
            module_rates={module: rate for module, rate in self.groups.items() if module != "default"},
            frozen=self.not_trained(),
            momentum=o.get("momentum", 0.0),
            weight_decay=o.get("weight_decay", 0.0),
            clip=self.params["clip_grad_norm"],
            schedule=schedule_of(self.params["lr_schedule"], len(UPDATES)),
        )

    def batch(self, name: str, labeled=None) -> Batch:
        """The recorded batch "l1" (labelled, first update) or "u2" with all it has; `labeled`: all, or some samples."""
        image = nhwc(self.rec[f"in.{name}_color_0"])
        size = len(image)
        optional = {}
        if f"in.{name}_color_1" in self.rec:
            frames = [nhwc(self.rec[f"in.{name}_color_{offset}"]) for offset in ("m1", "1")]
            optional["neighbors"] = np.stack(frames, axis=1)
        if f"in.{name}_pseudo_depth" in self.rec:
            optional["disparity"] = self.rec.input(f"{name}_pseudo_depth", self.dtype)[:, 0]
        if f"in.{name}_lbl" in self.rec:
            known = np.ones(size, bool) if labeled is None else np.asarray(labeled)
            label = np.where(known[:, None, None], self.rec[f"in.{name}_lbl"], IGNORE).astype(np.uint8)
            optional |= {"label": label, "labeled": known}
        none = np.tile(np.eye(4, dtype=self.dtype), (size, 1, 1))
        camera = self.rec.input("K", self.dtype) if "in.K" in self.rec else none
        intrinsics = Intrinsics(*(camera[:, i, j] for i, j in ((0, 0), (1, 1), (0, 2), (1, 2))))
        return Batch(image=image, intrinsics=intrinsics, **optional)

    def unlabeled(self, number: int) -> Batch:
        """The batch that is mixed, with labels where a sample happens to have some and the recording mixes them."""
        batch = self.batch(f"u{number}", self.params["is_labeled"][number - 1])
        return batch if self.params["unlabeled"]["mix_use_gt"] else batch.replace(label=None, labeled=None)


def published_teacher(teacher: Variables) -> Variables:
    """With the buffers of a network that was never run, as the published teacher starts (Q24)."""

    def default(path, leaf):
        return (jnp.ones_like if path[-1].key == "var" else jnp.zeros_like)(leaf)

    return teacher.replace(batch_stats=jax.tree_util.tree_map_with_path(default, teacher.batch_stats))


def keep_gradients() -> optax.GradientTransformation:
    """Does nothing; its state is the last gradient."""
    zeros = functools.partial(jax.tree.map, jnp.zeros_like)
    return optax.GradientTransformation(zeros, lambda gradients, state, params=None: (gradients, gradients))


def train(
    run: Published,
    loss,
    streams_of: Callable[[int], Streams],
    update_teacher=None,
    starts: Sequence[TrainState] | None = None,
) -> list[Done]:
    """Our `make_step` on the streams of update 1 and 2, one after the other, or each from a given state.

    `starts` is for float32: from float64's states each update has only its own rounding noise, not the first one's
    amplified by the second.
    """
    optimizer = optax.chain(keep_gradients(), run.optimizer.transform)
    if starts is None:
        start = jax.tree.map(jnp.asarray, (run.start, run.frozen()))
        first = init_state(start[0], optimizer, seed=0, teacher=update_teacher is not None, frozen=start[1])
        first = first.replace(teacher=first.teacher and published_teacher(first.teacher))
    else:
        given = [rounded(state, run.dtype) for state in starts]
    step = make_step(loss, optimizer, update_teacher, frozen=run.not_trained())
    step = jax.jit(step, compiler_options=FAST)
    done: list[Done] = []
    for number in UPDATES:
        before = given[number - 1] if starts else done[-1].after if done else first
        streams = jax.tree.map(jnp.asarray, streams_of(number))
        after, logs = step(before, streams)
        done.append(Done(before, after, streams, logs, after.opt_state[0]))
    return done


def rounded(state: TrainState, dtype) -> TrainState:
    """A state in another precision; its random key, which no recorded step uses, is made anew."""

    def cast(leaf):
        leaf = np.asarray(leaf)
        return jnp.asarray(leaf.astype(dtype) if np.issubdtype(leaf.dtype, np.floating) else leaf)

    return jax.tree.map(cast, state.replace(key=None)).replace(key=jax.random.key(0))
