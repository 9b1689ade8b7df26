"""Everything comes back bit for bit, or the error says what is wrong."""

import json
import pathlib
import re
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.training import checkpoints as ck
from sde_seg_jax.training.checkpoint_errors import METADATA, save_failed
from sde_seg_jax.training.optimizers import make_optimizer
from sde_seg_jax.training.step import init_state
from sde_seg_jax.training.tree_shapes import SHOWN_DIFFERENCES, differences
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
    assert message.count("expected") == SHOWN_DIFFERENCES
    assert re.search(r"and \d+ more. Use the config it was trained with$", message)


def test_another_optimizer_is_refused(tmp_path):
    save(tmp_path, 2, state=make_state(2, name="sgd"))
    with pytest.raises(ck.CheckpointError, match=r"opt_state.*missing in the checkpoint"):
        restore(tmp_path, make_state(name="adam"))


def test_a_part_that_is_missing_or_left_over_is_a_difference():
    assert differences({"a": (1,), "b": (2,)}, {"b": (3,), "c": ()}) == [
        "c: missing in the checkpoint",
        "a: only in the checkpoint",
        "b: (2,) in the checkpoint, (3,) expected",
    ]


def test_a_missing_checkpoint_names_the_folder(tmp_path):
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(ck.CheckpointError, match=re.escape(f"no checkpoint in {path}: a folder that training")):
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


# values


def change_values(folder, name="student/params/encoder/kernel"):
    """Other values in a checkpoint whose digests stay: what a damaged disk may return."""
    store = ck.Checkpoints(str(folder))
    store.save(2, make_state(2), CONFIG)
    store.close()
    path = folder / "checkpoints" / "2" / METADATA
    found = json.loads(path.read_text())
    assert name in found["custom_metadata"]["digests"]
    found["custom_metadata"]["digests"][name] = "0" * 64
    path.write_text(json.dumps(found))


def test_values_that_are_not_those_saved_are_told_with_the_array_and_the_checkpoint_before(tmp_path):
    save(tmp_path, 1)
    change_values(tmp_path)
    line = (
        f"checkpoint {tmp_path / 'checkpoints' / '2'} is damaged or incomplete (student/params/encoder/kernel is not "
        "what was saved): delete it, the one before is used then (step 1)"
    )
    for attempt in (lambda: restore(tmp_path, make_state()), lambda: ck.read(str(tmp_path), "student")):
        with pytest.raises(ck.CheckpointError) as error:
            attempt()
        assert str(error.value) == line
    assert ck.read(str(tmp_path), "teacher").parts["teacher"] is not None  # that part is as it was saved


@pytest.mark.parametrize("victim", ["key", "step", "opt_state", "teacher/batch_stats", "frozen/depth"])
def test_every_part_is_compared(tmp_path, victim):
    save(tmp_path, 1)
    stored = json.loads((tmp_path / "checkpoints" / "1" / METADATA).read_text())["custom_metadata"]["digests"]
    change_values(tmp_path, next(name for name in stored if name.startswith(victim)))
    with pytest.raises(ck.CheckpointError, match=f"damaged or incomplete .{victim}.* is not what was saved"):
        restore(tmp_path, make_state())


def test_bits_turned_in_the_files_of_arrays_are_never_loaded(tmp_path):
    save(tmp_path, 1)
    expected = ck.read(str(tmp_path), "student", "opt_state").parts
    damaged, draw = 0, np.random.default_rng(0)
    for path in sorted((tmp_path / "checkpoints" / "1" / "state").rglob("d/*")):
        whole = path.read_bytes()
        for place in draw.integers(len(whole), size=20):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
            try:
                found = ck.read(str(tmp_path), "student", "opt_state").parts
            except ck.CheckpointError:
                damaged += 1
            else:
                jax.tree.map(np.testing.assert_array_equal, found, expected)
        path.write_bytes(whole)
    assert damaged


def test_a_checkpoint_without_digests_loads(tmp_path):
    save(tmp_path, 3)
    path = tmp_path / "checkpoints" / "3" / METADATA
    found = json.loads(path.read_text())
    del found["custom_metadata"]["digests"], found["custom_metadata"]["config_digest"]
    path.write_text(json.dumps(found))
    assert restore(tmp_path, make_state()).step == 3
    assert ck.read(str(tmp_path), "student").config == CONFIG


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda beside: beside["config"].update(name="y"), "its configuration is not what was saved"),
        (lambda beside: beside["config"].pop("data"), "its configuration is not what was saved"),
        (lambda beside: beside.pop("config"), "it lacks its configuration"),
        (lambda beside: beside["digests"].pop("student/params/head/bias"), "student/params/head/bias is not what was"),
        (lambda beside: beside.update(digests=[1]), "its digests are none"),
    ],
)
def test_what_stands_beside_the_arrays_is_compared_too(tmp_path, change, reason):
    save(tmp_path, 3)
    path = tmp_path / "checkpoints" / "3" / METADATA
    found = json.loads(path.read_text())
    change(found["custom_metadata"])
    path.write_text(json.dumps(found))
    with pytest.raises(ck.CheckpointError, match=rf"is damaged or incomplete \({reason}"):
        ck.read(str(tmp_path), "student")


def test_deleting_is_advised_only_for_a_checkpoint_of_the_run(tmp_path):
    save(tmp_path, 1)
    change_values(tmp_path)
    config = tmp_path / "config.json"
    for content, advice in (
        ({"name": "x"}, r"\): delete it, the one before"),
        ({"name": "another"}, r"\): if it is of this run, delete it, the one before .*; else give another"),
    ):
        config.write_text(json.dumps(content))
        with pytest.raises(ck.CheckpointError, match=advice):
            ck.read(str(tmp_path), "student")
    foreign = tmp_path / "other" / "checkpoints" / "7"
    foreign.mkdir(parents=True)
    (foreign / METADATA).write_text("{}")
    with pytest.raises(ck.CheckpointError, match=r"\): if it is of this run, .*there is none before it"):
        ck.read(str(tmp_path / "other"), "student")


def test_a_state_that_is_not_finite_is_not_saved(tmp_path):
    save(tmp_path, 1)
    state = make_state(2)
    state = state.replace(teacher=jax.tree.map(lambda x: x.at[0].set(jnp.nan), state.teacher))
    line = (
        r"step 2 is not saved, since teacher/params/\S+ is not finite; the last good checkpoint \(step 1\) is untouched"
    )
    with pytest.raises(ck.CheckpointError, match=line):
        save(tmp_path, 2, state=state)
    assert ck.newest_step(str(tmp_path)) == 1


# paths


@pytest.mark.parametrize("name", ["run[1]", "a*b", "what?", "[!x]", "{a,b}", "a\nb", "%41", "~"])
def test_a_workdir_of_any_name_is_written_and_read(tmp_path, name):
    save(tmp_path / name, 1, 2, 3)
    assert sorted(p.name for p in (tmp_path / name / "checkpoints").iterdir()) == ["2", "3"]
    assert restore(tmp_path / name, make_state()).step == 3
    kernel = ck.read(str(tmp_path / name), "student").parts["student"]["params"]["encoder"]["kernel"]
    np.testing.assert_array_equal(kernel, make_state(3).student.params["encoder"]["kernel"])
    assert not list(pathlib.Path(tempfile.gettempdir()).glob("sde_seg_checkpoints_*"))


def test_where_no_link_can_be_made_such_a_path_is_refused_at_the_start(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no links here")

    monkeypatch.setattr(pathlib.Path, "symlink_to", refuse)
    with pytest.raises(ck.CheckpointError, match=r"run\[1\].* has one of '\[\*\?' in its path.*rename"):
        ck.Checkpoints(str(tmp_path / "run[1]"))


def test_a_save_that_cannot_be_read_back_is_no_success(tmp_path, monkeypatch):
    store = ck.Checkpoints(str(tmp_path))
    store.save(1, make_state(1), CONFIG)
    store._pending[1].result()
    for path in (tmp_path / "checkpoints" / "1").rglob("_METADATA"):
        path.unlink()
    with pytest.raises(ck.CheckpointError, match=r"checkpoints/1 is damaged or incomplete"):
        store.wait()
    store.close()


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("[Errno 28] No space left on device", "free disk space"),
        ("write: Disk quota exceeded", "free disk space"),
        ("[Errno 30] Read-only file system: '/x'", "make the folder writable, or choose another --workdir"),
        ("PERMISSION_DENIED: open: Permission denied", "make the folder writable, or choose another --workdir"),
        ("step_7 was renamed", "check the disk"),
    ],
)
def test_a_save_that_fails_advises_by_its_reason(tmp_path, reason, remedy):
    wrapped = RuntimeError("a writer failed")
    wrapped.__cause__ = OSError(reason)
    for error in (OSError(reason), wrapped, ExceptionGroup("two", [OSError(reason)])):
        assert f"): {remedy}" in str(save_failed(tmp_path, error, 3))
