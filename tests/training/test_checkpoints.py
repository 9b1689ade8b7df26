"""Everything comes back bit for bit, or the error says what is wrong."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.training import checkpoints as ck
from sde_seg_jax.training.optimizers import make_optimizer
from sde_seg_jax.training.step import init_state
from sde_seg_jax.types import Variables

# Reads of a damaged file that end after the first error find orbax's event loop closed.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CONFIG = {"name": "x", "data": {"size": [4, 6], "file": None}}


def make_state(seed=0, width=3, name="adam", frozen=("head",)):
    draw = np.random.default_rng(seed).standard_normal
    params = {
        "encoder": {"kernel": jnp.asarray(draw((2, width)), jnp.float32)},
        "head": {"bias": jnp.asarray(draw(width), jnp.float32)},
    }
    student = Variables(params, {"encoder": {"mean": jnp.asarray(draw(width), jnp.float32)}})
    optimizer = make_optimizer(params, name=name, frozen=frozen)  # a frozen module has optax.MaskedNode as its state
    state = init_state(student, optimizer.transform, seed=seed, teacher=True, frozen={"depth": student})
    gradient = jax.tree.map(jnp.ones_like, params)
    _, opt_state = optimizer.transform.update(gradient, state.opt_state, params)
    return state.replace(opt_state=opt_state, step=jnp.int32(seed), key=jax.random.key(seed))


def save(folder, *steps, keep=2, state=None):
    store = ck.Checkpoints(str(folder), keep)
    for step in steps:
        store.save(step, state or make_state(step), CONFIG)
    store.close()


def restore(folder, like):
    store = ck.Checkpoints(str(folder))
    abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), like)
    try:
        return store.restore(abstract)
    finally:
        store.close()


@pytest.mark.parametrize("options", [{"name": "adam"}, {"name": "sgd", "frozen": ()}])
def test_a_whole_state_comes_back_bit_for_bit(tmp_path, options):
    state = make_state(5, **options)
    save(tmp_path, 5, state=state)
    found = restore(tmp_path, make_state(0, **options))
    assert jax.tree.structure(found) == jax.tree.structure(state)
    assert jnp.issubdtype(found.key.dtype, jax.dtypes.prng_key)
    for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(found), strict=True):
        a, b = (jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x for x in (a, b))
        np.testing.assert_array_equal(a, b, strict=True)


def test_the_last_two_are_kept(tmp_path):
    save(tmp_path, 1, 2, 3, 4)
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["3", "4"]
    assert ck.newest_step(str(tmp_path)) == 4


def test_saving_a_step_twice_is_saving_it_once(tmp_path):
    save(tmp_path, 3, 3)
    assert restore(tmp_path, make_state()).step == 3


def test_a_part_is_read_alone(tmp_path):
    save(tmp_path, 2)
    state = make_state(2)
    found = ck.read(str(tmp_path), "student", "nothing").parts
    assert found.keys() == {"student", "nothing"}
    assert found["nothing"] is None
    kernel = found["student"]["params"]["encoder"]["kernel"]
    assert isinstance(kernel, np.ndarray)
    np.testing.assert_array_equal(kernel, state.student.params["encoder"]["kernel"])
    teacher = ck.read(str(tmp_path / "checkpoints"), "teacher").parts["teacher"]
    np.testing.assert_array_equal(
        teacher["batch_stats"]["encoder"]["mean"], state.teacher.batch_stats["encoder"]["mean"]
    )


def test_the_configuration_comes_back(tmp_path):
    save(tmp_path, 2)
    assert ck.read(str(tmp_path)).config == CONFIG


def test_another_architecture_is_refused_with_the_first_differences(tmp_path):
    save(tmp_path, 2)
    with pytest.raises(ck.CheckpointError) as error:
        restore(tmp_path, make_state(width=4))
    message = str(error.value)
    assert f"checkpoint {tmp_path / 'checkpoints' / '2'} is of another architecture: " in message
    assert "student/params/encoder/kernel: (2, 3) in the checkpoint, (2, 4) expected" in message
    assert message.count("expected") == ck.SHOWN_DIFFERENCES
    assert re.search(r"and \d+ more. Use the config it was trained with$", message)


def test_another_optimizer_is_refused(tmp_path):
    save(tmp_path, 2, state=make_state(2, name="sgd"))
    with pytest.raises(ck.CheckpointError, match=r"opt_state.*missing in the checkpoint"):
        restore(tmp_path, make_state(name="adam"))


def test_a_part_that_is_missing_or_left_over_is_a_difference():
    assert ck.differences({"a": (1,), "b": (2,)}, {"b": (3,), "c": ()}) == [
        "c: missing in the checkpoint",
        "a: only in the checkpoint",
        "b: (2,) in the checkpoint, (3,) expected",
    ]


def test_a_missing_checkpoint_names_the_folder(tmp_path):
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(ck.CheckpointError, match=re.escape(f"no checkpoint in {path}: give a --workdir")):
            ck.locate(str(path))
    with pytest.raises(ck.CheckpointError, match="no checkpoint in"):
        restore(tmp_path, make_state())


def test_a_folder_of_unfinished_checkpoints_has_none(tmp_path):
    (tmp_path / "checkpoints" / "3").mkdir(parents=True)
    with pytest.raises(ck.CheckpointError, match=r"no finished checkpoint|damaged"):
        ck.read(str(tmp_path), "student")


def test_a_damaged_checkpoint_is_named_and_the_one_before_can_be_used(tmp_path):
    save(tmp_path, 1, 2)
    for path in (tmp_path / "checkpoints" / "2" / "state").rglob("d/*"):
        path.write_bytes(path.read_bytes()[:10])
    with pytest.raises(
        ck.CheckpointError, match=r"checkpoints/2 is damaged or incomplete .*: delete it, the one before"
    ):
        ck.read(str(tmp_path), "student")


def test_an_interrupted_save_is_cleaned_up_and_never_taken_for_a_checkpoint(tmp_path):
    save(tmp_path, 1)
    left = tmp_path / "checkpoints" / "2.orbax-checkpoint-tmp"
    left.mkdir()
    assert ck.newest_step(str(tmp_path)) == 1
    save(tmp_path, 2)
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["1", "2"]
