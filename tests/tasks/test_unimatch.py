"""The recipe of UniMatch V2 against plain PyTorch, operator by operator, written from the paper (Yang et al. 2024)."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from toy import CLASSES, Toy, assert_finite, batch, fast_jit, state_of, streams, variables

from sde_seg_jax.losses import ohem
from sde_seg_jax.mixing import cutmix
from sde_seg_jax.mixing.apply import next_in_batch, paste
from sde_seg_jax.tasks import domain_adaptation, multitask, semi_supervised
from sde_seg_jax.tasks.options import Mixing
from sde_seg_jax.tasks.teacher import Pseudo
from sde_seg_jax.tasks.views import complementary_factors
from sde_seg_jax.training import ema
from sde_seg_jax.training.optimizers import make_optimizer
from sde_seg_jax.types import IGNORE, Outputs, Streams, View

SIZE, THRESHOLD = (12, 20), 0.95
RECIPE = {
    **{"mix": "cutmix", "weighting": "pixel", "confidence": THRESHOLD, "divisor": "valid", "teacher": "ema_stats"},
    **{"views": 2, "complementary": 0.5},
}
LOSSES = {"cross_entropy": 0.5}


def random_case(seed, images=3):
    """Weak and strong logits, boxes of both views, and which pixels belong to no image."""
    rng = np.random.default_rng(seed)
    weak = 4 * rng.standard_normal((images, *SIZE, CLASSES))
    strong = rng.standard_normal((2 * images, *SIZE, CLASSES))
    boxes = rng.random((2 * images, *SIZE)) < 0.4
    ignored = rng.random((images, *SIZE)) < 0.2
    return weak, strong, boxes, ignored


def torch_consistency(weak, strong, boxes, ignored):
    """Cross entropy with the mixed hard labels where the teacher is sure, over the valid pixels; mean of both views."""
    probability, label = torch.tensor(weak).softmax(-1).max(-1)
    losses = []
    for logits, box in zip(strong.chunk(2), torch.tensor(boxes).chunk(2), strict=True):
        partner = [torch.roll(x, -1 - len(losses), 0) for x in (label, probability, torch.tensor(ignored))]
        mixed = [
            torch.where(box, b, a) for a, b in zip((label, probability, torch.tensor(ignored)), partner, strict=True)
        ]
        of_pixel = torch.nn.functional.cross_entropy(logits.permute(0, 3, 1, 2), mixed[0], reduction="none")
        counted = (mixed[1] >= THRESHOLD) & ~mixed[2]
        losses.append((of_pixel * counted).sum() / (~mixed[2]).sum())
    return sum(losses) / 2


@pytest.mark.parametrize("seed", range(3))
def test_consistency_of_two_views_is_that_of_pytorch(seed):
    weak, strong, boxes, ignored = random_case(seed)
    theirs = torch.tensor(strong, requires_grad=True)
    wanted = torch_consistency(weak, theirs, boxes, ignored)
    wanted.backward()
    with jax.enable_x64(True):
        probability = np.where(ignored[..., None], 0, jax.nn.softmax(jnp.asarray(weak), axis=-1))
        pseudo = Pseudo(jnp.zeros((len(weak), *SIZE, 3)), jnp.asarray(probability), None)
        views = [
            paste(pseudo, next_in_batch(pseudo, 1 + v), ~boxes[v * len(weak) : (v + 1) * len(weak), ..., None])
            for v in range(2)
        ]
        mixed = jax.tree.map(lambda *x: jnp.concatenate(x), *views)
        options = Mixing(**RECIPE)

        def loss(logits):
            return semi_supervised.agree(Outputs(logits=logits), mixed, jnp.asarray(boxes), options)[0]

        found, gradient = jax.jit(jax.value_and_grad(loss))(jnp.asarray(strong))
    assert wanted > 0
    np.testing.assert_allclose(found, wanted.item(), rtol=1e-10)
    np.testing.assert_allclose(gradient, theirs.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_without_valid_pixels_the_loss_is_zero():
    mixed = Pseudo(jnp.zeros((2, *SIZE, 3)), jnp.zeros((2, *SIZE, CLASSES)), None)
    outputs = Outputs(logits=jnp.ones((2, *SIZE, CLASSES)))
    mask = jnp.ones((2, *SIZE, 1), bool)
    value = fast_jit(lambda x: semi_supervised.agree(x, mixed, mask, Mixing(**RECIPE))[0])(outputs)
    assert value == 0


def torch_ohem(logits, label, threshold, min_kept):
    """Pixels up to the threshold, or up to the probability of the min_kept-th hardest if that is larger."""
    valid = label != IGNORE
    if min_kept <= valid.sum():
        every = logits.softmax(-1).gather(-1, torch.where(valid, label, 0)[..., None])[..., 0]
        probability = torch.where(valid, every, torch.ones_like(every)).detach()
        limit = threshold
        if min_kept:
            limit = max(limit, probability.flatten().sort().values[min_kept - 1].item())
        valid = valid & (probability <= limit)
    target = torch.where(valid, label, IGNORE)
    return torch.nn.functional.cross_entropy(logits.permute(0, 3, 1, 2), target, ignore_index=IGNORE)


@pytest.mark.parametrize(
    ("threshold", "min_kept"), [(0.7, 0), (0.1, 50), (0.7, 50), (0.05, 385), (0.7, 10_000)], ids=str
)
def test_hard_examples_are_those_of_pytorch(threshold, min_kept):
    rng = np.random.default_rng(5)
    logits = 2 * rng.standard_normal((2, *SIZE, CLASSES))
    label = rng.integers(0, CLASSES, (2, *SIZE))
    label[:, :2] = IGNORE
    theirs = torch.tensor(logits, requires_grad=True)
    wanted = torch_ohem(theirs, torch.tensor(label), threshold, min_kept)
    wanted.backward()
    with jax.enable_x64(True):
        view = View(image=None, outputs=Outputs(logits=None), label=jnp.asarray(label))

        def loss(logits):
            seen = view.replace(outputs=Outputs(logits=logits))
            return ohem.term(seen, jax.random.key(0), threshold=threshold, min_kept=min_kept)

        found, gradient = jax.jit(jax.value_and_grad(loss))(jnp.asarray(logits))
    np.testing.assert_allclose(found, wanted.item(), rtol=1e-9)
    np.testing.assert_allclose(gradient, theirs.grad.numpy(), rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("images", [1, 2, 5])
def test_views_share_out_the_channels_and_some_images_keep_all(images):
    for seed in range(20):
        (found, *same) = complementary_factors(jax.random.key(seed), (64, 64, 64), images)
        first, second = np.split(np.asarray(found), 2)
        np.testing.assert_array_equal(first + second, 2)  # what one view lacks the other has, doubled
        whole = (first == 1).all(1)
        assert whole.sum() == images // 2
        assert set(np.unique(first[~whole])) == {0, 2}
        for other in same:
            np.testing.assert_array_equal(other, found)


def test_half_of_the_channels_is_dropped_and_each_map_of_a_pyramid_draws_its_own():
    drawn = complementary_factors(jax.random.key(0), (512, 512, 1024), 8, 1.0, alike=False)
    assert [x.shape for x in drawn] == [(16, 512), (16, 512), (16, 1024)]
    assert all(abs((np.asarray(x) == 0).mean() - 0.5) < 0.03 for x in drawn)
    assert (drawn[0] != drawn[1]).any()


def test_a_network_multiplies_the_maps_as_pytorch_the_tokens():
    network = Toy()
    tree, image = variables(network), batch(4).image / np.float32(255)
    factors = complementary_factors(jax.random.key(1), (6,), 2)
    tree = {"params": tree.params, "batch_stats": tree.batch_stats}
    maps = torch.tensor(np.array(network.apply(tree, image).bottleneck))
    dropped = maps * torch.tensor(np.array(factors[0]))[:, None, None]
    found = network.apply(tree, image, factors=factors).logits
    weights, bias = (torch.tensor(np.array(tree["params"]["segmentation"][k])) for k in ("kernel", "bias"))
    wanted = torch.einsum("bhwc,cd->bhwd", dropped, weights[0, 0]) + bias
    wanted = torch.nn.functional.interpolate(wanted.permute(0, 3, 1, 2), size=image.shape[1:3], mode="bilinear")
    np.testing.assert_allclose(found, wanted.permute(0, 2, 3, 1), rtol=1e-4, atol=1e-5)


def boxes_by_rejection(count, size, seed=0):
    """(height, width) shares of boxes, one at a time: ratio and place are drawn until the box is inside."""
    rng, found = np.random.default_rng(seed), []
    while len(found) < count:
        area = rng.uniform(0.02, 0.4) * size * size
        while True:
            ratio = rng.uniform(0.3, 1 / 0.3)
            width, height = int(np.sqrt(area / ratio)), int(np.sqrt(area * ratio))
            left, top = rng.integers(0, size, 2)
            if left + width <= size and top + height <= size:
                break
        found.append((top, left, height, width))
    return np.array(found)


def test_boxes_are_distributed_as_by_drawing_one_at_a_time():
    size, count = 98, 4000
    draw = jax.jit(jax.vmap(lambda key: jnp.stack(cutmix.draw_box(key, (size, size)))))
    ours, theirs = np.asarray(draw(jax.random.split(jax.random.key(0), count))), boxes_by_rejection(count, size)
    assert (ours[:, 0] + ours[:, 2] <= size).all()
    assert (ours[:, 1] + ours[:, 3] <= size).all()
    error = (ours.var(0) / count + theirs.var(0) / count) ** 0.5
    assert (np.abs(ours.mean(0) - theirs.mean(0)) < 4 * error).all()
    np.testing.assert_allclose(ours.std(0), theirs.std(0), rtol=0.06)


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (16, 300)])
def test_half_of_the_images_get_a_box_whatever_their_shape(size):
    keys = jax.random.split(jax.random.key(2), 400)
    masks = np.asarray(jax.jit(jax.vmap(lambda key: cutmix.box_mask(key, size)))(keys))
    shares = masks.mean((1, 2))
    assert shares.max() <= 0.4
    if min(size) > 1:
        assert 0.4 < (shares > 0).mean() < 0.6


@pytest.mark.parametrize("update", [1, 2, 100, 249, 250, 10_000])
def test_the_teacher_keeps_what_the_paper_says(update):
    # the paper counts updates from 0 and starts with a copy of the student: one update later than here
    np.testing.assert_allclose(ema.alpha(jnp.int32(update), 0.996), min(1 - 1 / (update + 1), 0.996), rtol=1e-6)


def test_adamw_with_a_fast_head_is_pytorchs():
    rng = np.random.default_rng(0)
    start = {"encoder": rng.standard_normal(5), "segmentation": rng.standard_normal(7)}
    gradients = [{k: rng.standard_normal(v.shape) for k, v in start.items()} for _ in range(4)]
    rate, steps = 5e-6, 10
    factor = lambda step: (1 - step / steps) ** 0.9  # noqa: E731
    theirs = {name: torch.nn.Parameter(torch.tensor(value)) for name, value in start.items()}
    groups = [{"params": [theirs["encoder"]]}, {"params": [theirs["segmentation"]]}]
    reference = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.999), weight_decay=0.01)
    with jax.enable_x64(True):
        params = {name: {"kernel": jnp.asarray(value)} for name, value in start.items()}
        rates = {"learning_rate": 40 * rate, "module_rates": {"encoder": rate}}
        options = {"name": "adamw", **rates, "weight_decay": 0.01, "clip": None, "schedule": factor}
        optimizer = make_optimizer(params, **options).transform
        state, update = optimizer.init(params), jax.jit(optimizer.update)
        for number, gradient in enumerate(gradients):
            for group, faster in zip(reference.param_groups, (1, 40), strict=True):
                group["lr"] = rate * faster * factor(number)
            for name, value in theirs.items():
                value.grad = torch.tensor(gradient[name])
            reference.step()
            ours = {name: {"kernel": jnp.asarray(value)} for name, value in gradient.items()}
            updates, state = update(ours, state, params)
            params = optax.apply_updates(params, updates)
    for name, value in theirs.items():  # rates are float32 here
        moved = np.asarray(params[name]["kernel"]) - start[name]
        np.testing.assert_allclose(moved, value.detach().numpy() - start[name], rtol=1e-6)


def run(task, data, losses=LOSSES, **options):
    network = Toy()
    state = state_of(network, optax.sgd(0.1), teacher=True, frozen={"depth": variables(Toy(), seed=5)})
    loss = task.make_loss(network, losses=losses, **options)
    both = fast_jit(jax.value_and_grad(loss, has_aux=True))
    return both(state.student.params, state, data, jax.random.key(3))


@pytest.mark.parametrize(("mix", "kept"), [("cutmix", "unlabeled"), ("class", "labeled"), ("depth", "labeled")])
def test_the_recipe_runs_with_every_kind_of_mix(mix, kept):
    data = streams(3, labeled=[True, False, False])
    (loss, aux), gradient = run(semi_supervised, data, depth_network=Toy(), **RECIPE | {"mix": mix, "kept": kept})
    assert_finite((loss, aux, gradient))
    assert aux.teacher_stats is None
    assert 0 < aux.logs["pasted"] < 1


def test_the_views_differ_and_the_first_is_what_one_view_would_be():
    data = streams(3, labeled=[False] * 3)
    state = state_of(Toy(), optax.sgd(0.1), teacher=True, frozen={"depth": variables(Toy(), seed=5)})
    found = {}
    for views in (1, 2):
        options = {"mix": "depth", "teacher": "ema_stats", "depth_network": Toy(), "views": views}
        _, mixed, mask, _ = fast_jit(semi_supervised.make_mixing(Toy(), **options))(state, data, jax.random.key(0))
        found[views] = np.asarray(mixed.image), np.asarray(mask)
    for one, two in zip(found[1], found[2], strict=True):
        np.testing.assert_array_equal(one, two[:3])
        assert (two[:3] != two[3:]).any((1, 2, 3)).all()


@pytest.mark.slow
def test_multi_task_learning_and_domain_adaptation_take_the_recipe():
    data = streams(2, labeled=[True, False])
    found = {}
    terms = {"cross_entropy": 0.5, "photometric": 1.0, "smoothness": 1e-3}
    found["multitask"] = run(multitask, data, losses=terms, **RECIPE | {"mix": "depth"})
    across = Streams(labeled=data.labeled, unlabeled=data.unlabeled, source=batch(2, seed=9))
    options = RECIPE | {"cross_mix": "cutmix"}
    found["domain_adaptation"] = run(domain_adaptation, across, **options)
    for (loss, aux), gradient in found.values():
        assert_finite((loss, aux, gradient))
        assert aux.logs["agreement"] >= 0


def test_complementary_channels_need_two_views():
    with pytest.raises(ValueError, match=r"set task\.views=2"):
        semi_supervised.make_loss(Toy(), losses=LOSSES, mix="cutmix", complementary=0.5)
