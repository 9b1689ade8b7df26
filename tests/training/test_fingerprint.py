import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.training.fingerprint import fingerprint


def tree():
    return {"encoder": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "bias": np.zeros(3, np.float32)}}


def test_the_fingerprint_of_known_values_never_changes():
    """Caches on disk are recognised by it."""
    assert fingerprint(tree()) == "c3f326f9699803383fca440be9a307fd5d7722497b66578b97e16e9224f7b69a"


def test_device_layout_and_order_do_not_matter():
    expected = fingerprint(tree())
    kernel, bias = tree()["encoder"]["kernel"], tree()["encoder"]["bias"]
    others = [
        {"encoder": {"bias": bias, "kernel": np.asfortranarray(kernel)}},
        {"encoder": {"kernel": kernel.astype(">f4"), "bias": bias}},
        jax.device_put(jax.tree.map(jnp.asarray, tree()), jax.devices()[1]),
    ]
    assert [fingerprint(other) for other in others] == [expected] * 3


@pytest.mark.parametrize(
    "changed",
    [
        {"kernel": np.arange(6, dtype=np.float32).reshape(3, 2)},
        {"kernel": np.arange(6, dtype=np.float64).reshape(2, 3)},
        {"kernel": np.nextafter(np.arange(6, dtype=np.float32), 9, dtype=np.float32).reshape(2, 3)},
        {"weight": np.zeros(3, np.float32)},
    ],
    ids=["shape", "dtype", "value", "name"],
)
def test_every_other_tree_has_another_fingerprint(changed):
    assert fingerprint({"encoder": tree()["encoder"] | changed}) != fingerprint(tree())
