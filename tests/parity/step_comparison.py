"""Our two updates of a recorded training step against the published system's.

A test gives `assert_updates` a task's loss on `Published.network` and the batches it reads; what only some tasks have,
as a mix mask, it compares itself with `Comparison`.
"""

import re
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from golden import Recording, stats
from published_step import REFERENCE, UPDATES, Done, Published, train

from sde_seg_jax.models.import_weights import network_parts, to_torch
from sde_seg_jax.types import Variables

SAMPLES = 8  # entries of a tensor that are recorded
TINY_GRADIENT = 1e-5  # Adam moves a parameter by the learning rate times the sign of its gradient, rounding noise too
ONE_UNIT = 5e-3  # share of an array's largest entry that one unit may decide, where it is decided by rounding
NEAR = 1e-5  # of two probabilities that a float32 network cannot tell apart
# Parameters that the published segmentation decoders own and never use: their disparity heads (Q12).
UNUSED = re.compile(r"models\.(segmentation\.unet_dec|mtl_decoder\.seg_dec)\.decoder\.1[4-7]\.")
COUNTER = "num_batches_tracked"  # ours have no such counters: the momentum is constant


def assert_updates(
    rec: Recording, task: Callable[[Published], tuple], check: Callable[[Published, list[Done]], None]
) -> None:
    """Checks both updates in float64, then each in float32 from float64's state.

    `task(run)` gives what `train` needs after `run`: the loss, the streams, the update of a teacher if there is one.
    """
    starts = None
    for dtype in (np.float64, np.float32):
        with jax.enable_x64(dtype == np.float64), jax.default_matmul_precision("highest"):
            run = Published(rec, dtype)
            updates = train(run, *task(run), starts=starts)
            check(run, updates)
            starts = [done.before for done in updates]


def published_losses(run: Published, logs: Mapping) -> dict[str, jax.Array]:
    """The recorded loss names for our logs of a step on one labelled, or one video, batch and maybe a mixed one."""
    part = {name: weight * logs[name] for name, weight in run.losses().items()}
    mono = part.get("photometric", 0) + part.get("smoothness", 0)
    # The published sum is taken in place: segmentation_loss has the unlabelled loss in it too (Q26).
    segmentation = part.get("cross_entropy", 0) + logs.get("agreement", 0)
    return {
        "feat_dist_loss": part.get("feature_distance", 0),
        "mono_loss": mono,
        "mono_total_loss": mono + part.get("feature_distance", 0),
        "pseudo_depth_loss": part.get("berhu", 0),
        "segmentation_loss": segmentation,
        "segmentation_total_loss": segmentation,
        "total_loss": logs["loss"],
    }


def torch_tensors(variables: Variables, frozen: Mapping[str, Variables] | None = None) -> dict[str, np.ndarray]:
    """PyTorch's name -> array, of a student or teacher and of the reference encoder."""
    found = to_torch(variables, network_parts(variables))
    if frozen:
        found |= to_torch(frozen["imagenet"], [REFERENCE])
    return {name: value for name, value in found.items() if not name.endswith(COUNTER)}


class Comparison:
    """The recorded numbers of one update against ours.

    float64: rtol 1e-6. float32: the manifest's atol, which is ten times the noise of one run of the original. Any
    float32 run decides some units otherwise: a ReLU at zero, a minimum of two equal errors, a confidence at its
    threshold. In a layer of few pixels one unit moves all gradients before it by about a percent, so that gradients
    and what follows from them may be off by `ONE_UNIT`. With `ties` everything may: a pixel of the loss is decided
    otherwise.
    """

    def __init__(self, run: Published, number: int, done: Done, ties: bool = False):
        self.run, self.done, self.prefix, self.ties = run, done, f"s{number}.", ties

    def assert_value(self, key: str, actual, *, share: float = 0.0, floor: float = 0.0) -> None:
        """A scalar, a vector or a map. In float32 errors up to `floor`, or a `share` of the largest entry, pass too."""
        rec, key = self.run.rec, self.prefix + key
        actual = np.asarray(actual)
        actual = actual.astype(self.run.dtype) if np.issubdtype(actual.dtype, np.floating) else actual
        noise = rec.entry["arrays"].get(f"out64.{key}", {})
        if actual.dtype != np.float32 or "maxabs" not in noise:
            rec.assert_matches(key, actual, rtol=1e-6)
            return
        share = ONE_UNIT if self.ties else share
        atol = max(noise["suggested_atol_for_a_float32_implementation"], floor, share * noise["maxabs"])
        np.testing.assert_allclose(actual, rec[f"out64.{key}"], rtol=0, atol=atol, err_msg=f"{rec.name}: {key}")

    def assert_losses(self, losses: Mapping) -> None:
        """`losses` maps the recorded names."""
        names = self.run.rec[f"out.{self.prefix}loss_names"]
        self.assert_value("losses", [np.asarray(losses[name], self.run.dtype) for name in names])

    def assert_table(self, group: str, tensors: Mapping[str, np.ndarray], skip=None, **options) -> None:
        """`group`_stats and `group`_sample of named tensors. `skip`: entries [N,8] of the samples to leave out."""
        names = self.names(group)
        missing = [name for name in names if name not in tensors]
        assert all(name.endswith(COUNTER) or UNUSED.match(name) for name in missing), missing
        for kind, summary in (("stats", stats), ("sample", sample)):
            expected = self.run.rec[f"out64.{self.prefix}{group}_{kind}"]
            actual = [summary(tensors[n]) if n in tensors else e for n, e in zip(names, expected, strict=True)]
            if skip is not None and kind == "sample":
                actual = np.where(skip, expected, actual)
            self.assert_value(f"{group}_{kind}", actual, **options)

    def names(self, group: str) -> list[str]:
        """Of the tensors in a table."""
        return [str(name) for name in self.run.rec[f"out.{self.prefix}{group}_names"]]


def sample(tensor: np.ndarray) -> np.ndarray:
    """The recorded entries of a tensor."""
    flat = np.asarray(tensor, np.float64).reshape(-1)
    return flat[np.arange(SAMPLES) * (flat.size - 1) // (SAMPLES - 1)]


def assert_mixed_alike(run: Published, number: int, mask, label, probability, confident, mix: int = 0) -> bool:
    """Mix mask [B,H,W], pseudo label and pixel weights of an update; returns whether every pixel is as recorded.

    probability: [B,H,W,C] of which the label is the largest. confident: mean, least and largest weight, or the one of
    all. mix: which of an update's mixes; mask: None of one whose mask is not recorded. Maps were recorded from a
    float32 run, in which two classes may be equal up to rounding: in float64 a pixel is as recorded, unless the two
    are as near as that. In float32 a confidence and its threshold may be, too.
    """
    target, shown = run.rec[f"out.s{number}.pseudo_target_{mix}"], np.asarray(label)
    exact, alike = run.dtype == np.float64, target == shown
    assert alike.mean() >= 0.999, "pseudo label"
    if exact:
        assert gap(np.asarray(probability), target)[~alike].max(initial=0) <= NEAR, "pseudo label"
    if mask is not None:
        same = np.asarray(mask) == run.rec[f"out.s{number}.intra_mix_mask"]
        assert same.mean() >= (1 if exact else 0.999), "mix mask"
        alike = alike & same
    alike = bool(alike.all())
    weight = run.rec[f"out64.s{number}.pixel_weight_mean_min_max_{mix}"]
    np.testing.assert_allclose(weight, confident, rtol=0, atol=1e-10 if run.dtype == np.float64 else 1e-3)
    return alike and bool(np.abs(weight - confident).max() < 1e-6)


def gap(probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    """[B,H,W]: by how much the largest probability exceeds that of the label; an ignored label has none."""
    of_label = np.where(np.arange(probability.shape[-1]) == label[..., None], probability, 0).sum(-1)
    return probability.max(-1) - of_label


def assert_same_updates(run: Published, updates: list[Done], losses=published_losses, ties: bool = False) -> None:
    """Losses, gradients, learning rates, changes and values of all tensors; `losses(run, logs)` gives the recorded."""
    assert_group_sizes(run)
    for number, done in zip(UPDATES, updates, strict=True):
        compare = Comparison(run, number, done, ties)
        compare.assert_losses(losses(run, done.logs))
        assert_gradients(compare)
        rates = run.optimizer.learning_rates(jnp.int32(number))
        compare.assert_value("lr_after", [rates[module] for module in run.groups])
        assert_parameters(compare)


def assert_group_sizes(run: Published) -> None:
    """Our modules hold as many parameters as the recorded optimiser's groups."""
    sizes = dict.fromkeys(run.groups, 0)
    for module, tree in run.start.params.items():
        sizes[module if module in sizes else "default"] += sum(leaf.size for leaf in jax.tree.leaves(tree))
    heads = {name.rsplit(".conv.", 1)[0] for name in run.names if UNUSED.match(name)}
    channels = run.params["depth_args"]["num_ch_dec"][: len(heads)]
    sizes["segmentation" if "segmentation" in sizes else "default"] += sum(9 * c + 1 for c in channels)
    sizes["default"] += sum(leaf.size for part in run.frozen().values() for leaf in jax.tree.leaves(part.params))
    assert list(sizes.values()) == list(run.rec["out.n_params_per_group"])


def assert_gradients(compare: Comparison) -> None:
    """Of every tensor that the recording lists; the others are frozen, and have none."""
    tensors = torch_tensors(Variables(compare.done.gradients, {}))
    compare.assert_table("grad", tensors, share=ONE_UNIT)
    compare.assert_value("grad_norm", compare.done.logs["gradient_norm"], share=ONE_UNIT)
    for name in set(tensors) - set(compare.names("grad")):
        assert not tensors[name].any(), name


def assert_parameters(compare: Comparison) -> None:
    """The student, how it changed, and the teacher."""
    run, done = compare.run, compare.done
    before, after = (torch_tensors(state.student, state.frozen) for state in (done.before, done.after))
    unused = {name: np.zeros(1) for name in compare.names("delta") if UNUSED.match(name)}  # they never move (Q12)
    change = {name: after[name] - before[name] for name in after}
    adam = run.params["optimizer"]["name"] == "adam"
    flipped = 2 * max(run.groups.values()) if adam else 0.0  # the sign of a gradient that is noise
    compare.assert_table("delta", change | unused, undecided(compare) if adam else None, share=ONE_UNIT)
    compare.assert_table("student", after, floor=flipped)
    if done.after.teacher is not None:
        compare.assert_table("teacher", torch_tensors(done.after.teacher))


def undecided(compare: Comparison) -> np.ndarray | None:
    """Recorded entries of the changes that Adam makes from the rounding noise of their gradient, in either update.

    In float32 only: in float64 such a gradient is far below Adam's epsilon, and so is the change.
    """
    if compare.run.dtype == np.float64:
        return None
    tiny = {}
    for update in UPDATES[: UPDATES.index(int(compare.prefix[1:-1])) + 1]:
        recorded = np.abs(compare.run.rec[f"out64.s{update}.grad_sample"]) <= TINY_GRADIENT
        for name, entries in zip(compare.names("grad"), recorded, strict=True):
            tiny[name] = entries | tiny.get(name, False)
    return np.stack([tiny.get(name, np.zeros(SAMPLES, bool)) for name in compare.names("delta")])
