"""Toy networks in float64, trained by all processes or by one."""

import jax
import jax.numpy as jnp
import optax
import toy
from agreement import own_part, parts
from flax import linen as nn

from sde_seg_jax.models.batch_norm import BatchNorm
from sde_seg_jax.processes import together
from sde_seg_jax.tasks import domain_adaptation, multitask
from sde_seg_jax.training import ema, sharding
from sde_seg_jax.training.step import make_step

BATCH = 4
LABEL, DEPTH = {"cross_entropy": 1.0}, {"photometric": 1.0, "smoothness": 1e-3}


class Encoder(nn.Module):
    """As toy's, without its float32."""

    dtype: str = "float64"

    @nn.compact
    def __call__(self, image, train):
        return jnp.tanh(BatchNorm()(nn.Conv(6, (3, 3), 2)(image), train=train))


def adaptation(network):
    """All three streams, both mixes by depth, strong augmentation, dropout, a teacher."""
    frozen = {name: toy.variables(network, seed) for name, seed in (("depth", 5), ("source_depth", 6))}
    networks = {"depth_network": network, "source_depth_network": network}
    loss = domain_adaptation.make_loss(network, losses=LABEL, confidence=0.0, **networks)
    return loss, frozen, lambda seed: toy.streams(BATCH, seed, [True, False] * 2).replace(source=toy.batch(BATCH, 9))


def several(network):
    """Classes and depth of two streams, neighbors that are warped, a mix by the student's own depth."""
    loss = multitask.make_loss(network, losses=LABEL | DEPTH, confidence=0.0)
    return loss, {}, lambda seed: toy.streams(BATCH, seed, [True, False] * 2)


TASKS = {"adaptation": adaptation, "multitask": several}


def two_steps(name):
    """`agreement.parts` before, after one and after two steps."""
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        network, optimizer = toy.Toy(encoder_type=Encoder), optax.sgd(1e-2, momentum=0.9)
        loss, frozen, streams = TASKS[name](network)
        state = toy.state_of(network, optimizer, teacher=True, frozen=frozen)
        state = jax.tree.map(lambda x: x.astype(jnp.float64) if x.dtype == jnp.float32 else x, state)
        mesh = sharding.make_mesh([BATCH])
        update = ema.update_rule("batch_stats")
        step = sharding.compile_step(make_step(loss, optimizer, update), mesh)
        found, now = [], sharding.replicate(state, mesh)
        given = [sharding.put(own_part(streams(seed)), mesh) for seed in (0, 1)]
        compiled = step.lower(now, given[0]).compile()
        together.barrier()  # gloo does not wait while another process compiles
        for one in given:
            now, logs = compiled(now, one)
            found.append(parts(now, logs))
        return [parts(state, {name: 0.0 for name in logs}), *found]
