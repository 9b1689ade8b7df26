"""A small state that is saved and restored over any devices."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import toy

from sde_seg_jax.training import checkpoints as ck
from sde_seg_jax.training import sharding

CONFIG = {"name": "toy"}


def state():
    """Toy's, with a teacher, an optimiser that has moments, and a key."""
    network = toy.Toy()
    return toy.state_of(network, optax.adam(1e-2), teacher=True, seed=3).replace(step=jnp.int32(7))


def plain(tree):
    """Keys of randomness as their words, so that NumPy takes all."""
    return tree.replace(key=jax.random.key_data(tree.key))


def save(folder, step, tree):
    """Writes it to the end."""
    store = ck.Checkpoints(str(folder))
    store.save(step, tree, CONFIG)
    store.close()


def abstract(tree):
    """What `restore` takes for a tree like this one."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), tree)


def restored(folder, devices):
    """The newest state over so many devices of this process, in NumPy; each device has a copy of its own."""
    mesh = sharding.own_mesh([devices])
    like = sharding.replicate(jax.tree.map(jnp.zeros_like, state()), mesh)
    store = ck.Checkpoints(str(folder))
    found = store.restore(abstract(like))
    store.close()
    assert len(found.step.sharding.device_set) == devices == mesh.size
    return jax.tree.map(np.asarray, plain(found))
