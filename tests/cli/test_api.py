"""The library in a program of one's own: the public names, their examples, and that they do what the commands do."""

import doctest
import inspect
import pathlib
import subprocess
import sys

import cv2
import jax
import numpy as np
import pytest

import sde_seg_jax as sds
from sde_seg_jax import api
from sde_seg_jax.experiment.prediction.frames import read_image

ORDER = ("configure", "prepare", "train", "load", "Model.predict", "Model.features", "evaluate", "report", "start")
SCRIPT = """
import sys
sys.path[:0] = [{tiny!r}]
import config

def get_config(row="supervised"):
    return config.get_config(row)
"""


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (90, 130, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def model(runs):
    return sds.load(runs / "semi_supervised")


@pytest.fixture(scope="module")
def depth(runs):
    return sds.load(runs / "depth")


def named(name):
    found = api
    for part in name.split("."):
        found = getattr(found, part)
    return found


def test_importing_the_library_imports_neither_jax_nor_tensorflow():
    script = "import sde_seg_jax as sds, sys; sds.configure, dir(sds); print([m for m in sys.modules if '.' not in m])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"jax", "tensorflow", "matplotlib", "ml_collections", "cv2"} & set(eval(done.stdout))


@pytest.mark.parametrize("name", api.__all__)
def test_every_public_name_is_there_and_explained(name):
    found = getattr(sds, name)
    assert name in dir(sds)
    assert inspect.getdoc(type(found) if name.isupper() else found)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(AttributeError, match=r"no attribute 'trian'; did you mean 'train'\? known: .*start"):
        _ = sds.trian


def test_the_examples_of_the_docstrings_run(tmp_path, monkeypatch, image):
    monkeypatch.chdir(tmp_path)
    tiny = pathlib.Path(__file__).resolve().parents[1] / "tiny"
    (tmp_path / "my_config.py").write_text(SCRIPT.format(tiny=str(tiny)))
    cv2.imwrite("street.png", image)
    names = [*ORDER, "examples", "label_space"]
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    together = {"sds": sds, "np": np, "image": image}
    count = 0
    for name in names:
        test = parser.get_doctest(inspect.getdoc(named(name)), together, name, None, None)
        assert test.examples, f"{name} has no example"
        count += len(test.examples)
        runner.run(test, clear_globs=False)
        together.update(test.globs)
    assert runner.summarize(verbose=False) == (0, count)


def test_a_prediction_has_the_size_of_the_image_and_agrees_with_itself(model, image):
    out = model.predict(image)
    assert out.classes.shape == image.shape[:2]
    assert out.classes.dtype == np.uint8
    assert out.probabilities.shape == (*image.shape[:2], len(model.classes))
    np.testing.assert_allclose(out.probabilities.sum(-1), 1, atol=1e-5)
    np.testing.assert_array_equal(out.probabilities.argmax(-1), out.classes)
    np.testing.assert_array_equal(out.probabilities.max(-1), out.confidence)
    assert out.overlay().shape == out.image.shape
    assert out.depth is None
    assert out.disparity is None


def test_a_depth_network_predicts_depth_alone(depth, image):
    out = depth.predict(image)
    assert out.disparity.shape == out.depth.shape == image.shape[:2]
    assert (np.argsort(out.depth.ravel())[[0, -1]] == np.argsort(-out.disparity.ravel())[[0, -1]]).all()
    assert (out.classes, out.probabilities, out.confidence, depth.classes) == (None, None, None, ())
    with pytest.raises(ValueError, match="predicts no classes"):
        out.overlay()
    assert out.picture().shape[-1] == 3


def test_a_list_is_predicted_as_its_images_are(model, image, tmp_path):
    images = [image, image[:40], image[:, ::-1]]
    cv2.imwrite(str(tmp_path / "a.png"), image[..., ::-1])
    together = model.predict([*images, tmp_path / "a.png"])
    assert [out.classes.shape for out in together] == [i.shape[:2] for i in [*images, image]]
    for out, one in zip(together, [*images, image], strict=True):
        np.testing.assert_allclose(out.probabilities, model.predict(one).probabilities, atol=1e-4)
    np.testing.assert_array_equal(together[-1].image, read_image(tmp_path / "a.png"))
    assert model.predict([]) == []
    for many in (np.stack([image, image]), jax.numpy.stack([image, image])):
        np.testing.assert_array_equal(model.predict(many)[1].classes, together[0].classes)
    np.testing.assert_array_equal(model.predict(jax.numpy.asarray(image)).classes, model.predict(image).classes)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            np.zeros((4, 4, 3)),
            r"expected an image uint8 .* got float64 \[4, 4, 3\]; of numbers in \[0,1\]: \(255",
        ),
        (np.zeros((4, 4, 4), np.uint8), r"got uint8 \[4, 4, 4\]"),
        (np.zeros((4, 4), np.uint8), r"got uint8 \[4, 4\]"),
        (np.zeros((0, 4, 3), np.uint8), r"got uint8 \[0, 4, 3\]"),
        (None, r"got object \[\]"),
        ("nowhere.png", "nowhere.png: no such image file"),
    ],
)
def test_what_is_no_image_is_refused(model, wrong, message):
    with pytest.raises(ValueError, match=message):
        model.predict(wrong)


def test_features_are_the_encoders_maps(model, image):
    shapes = [model.features(image, level).shape for level in range(5)]
    sides = [(64 // 2**n, 64 // 2**n) for n in range(1, 6)]
    assert [shape[:2] for shape in shapes] == sides
    assert [shape[2] for shape in shapes] == list(model.network.encoder.channels)
    with pytest.raises(ValueError, match=r"level=5: the encoder has the maps 0 .fine. to 4"):
        model.features(image, 5)


def test_the_teacher_is_another_network(runs, model):
    teacher = sds.load(runs / "semi_supervised", "teacher")
    pairs = zip(jax.tree.leaves(teacher.variables), jax.tree.leaves(model.variables), strict=True)
    assert any((a != b).any() for a, b in pairs)
    with pytest.raises(ValueError, match="has no teacher"):
        sds.load(runs / "depth", "teacher")


def test_changes_are_checked(tiny):
    name = tiny("supervised").removeprefix("--config=")
    assert sds.configure(name, losses={"cross_entropy": 0.5}).losses.to_dict() == {"cross_entropy": 0.5}
    assert sds.configure(name, **{"data.size": [32, 64]}).data.size == (32, 64)
    place = pathlib.Path("a/b")
    assert sds.configure(name, **{"data.prepared_dir": place}).data.prepared_dir == str(place)
    found = sds.configure(name, **{"optim.learning_rate": np.float64(0.5), "train.steps": np.int64(7)})
    assert (found.optim.learning_rate, found.train.steps) == (0.5, 7)
    found = sds.configure(name, **{"losses.focal": {"weight": 0.1, "power": 2.0}})  # a term with options, another stays
    assert found.losses.to_dict() == {"cross_entropy": 1.0, "focal": {"weight": 0.1, "power": 2.0}}
    for changes, message in (
        ({"train.step": 3}, "unknown key 'config.train.step': did you mean 'steps'"),
        ({"train.steps": "many"}, "config.train.steps=many: expected something like"),
        ({"loses": {"cross_entropy": 1}}, "'loses' is no section of the configuration; did you mean 'losses'"),
    ):
        with pytest.raises(ValueError, match=message):
            sds.configure(name, **changes)


def test_a_run_that_refers_to_others_asks_where_they_are(tiny, prepared):
    config = sds.configure(tiny("semi_supervised").removeprefix("--config="))
    with pytest.raises(ValueError, match=r"config.model.init=@depth names another run: give the folder of runs"):
        sds.start(config, reporter=sds.SILENT)
    assert config.model.init == "@depth"


def test_a_loop_of_ones_own_trains_as_the_command_does(tiny, prepared, tmp_path):
    """And a step that was compiled for another loss follows that one."""
    changes = {"data.prepared_dir": prepared.partition("=")[2], "train.steps": 2}
    config = sds.configure(tiny("supervised").removeprefix("--config="), **changes)
    trained = sds.train(config, tmp_path / "command", reporter=sds.SILENT)
    told = sds.Collected()
    run = sds.start(config, reporter=told)
    assert any("M parameters on" in line for line in told.lines)
    first = None
    for batch in run.batches:
        first = batch if first is None else first
        run.state, _ = run.step(run.state, batch)
    run.save(tmp_path / "mine")
    mine = sds.load(tmp_path / "mine")
    assert mine.step == trained.step == 2
    with pytest.raises(ValueError, match=r"holds step 2 already, this is step 2: save into another folder"):
        run.save(tmp_path / "mine")
    for shown in (run, mine, mine.predict(np.zeros((8, 9, 3), np.uint8))):
        assert len(repr(shown)) < 120
    run.config.optim.learning_rate = 0.5
    with pytest.raises(ValueError, match=r"was begun with another configuration .config.optim.learning_rate differs"):
        run.save(tmp_path / "mine")
    for a, b in zip(jax.tree.leaves(mine.variables), jax.tree.leaves(trained.variables), strict=True):
        np.testing.assert_array_equal(a, b)
    assert run.mix(first) == {}
    assert run.evaluate().keys() >= {"miou", "iou/road"}

    def twice(params, state, streams, rng):
        value, aux = run.loss(params, state, streams, rng)
        return 2 * value, aux

    _, doubled = run.compile(twice)(run.state, first)
    np.testing.assert_allclose(doubled["loss"], 2 * doubled["cross_entropy"], rtol=1e-5)


def test_what_is_no_configuration_is_told(tmp_path):
    for call in (lambda c: sds.train(c, tmp_path), sds.start, sds.prepare, sds.examples, sds.label_space):
        with pytest.raises(TypeError, match=r"expected a configuration, got 'quickstart:depth'; sds.configure"):
            call("quickstart:depth")


def test_an_unknown_field_of_examples_lists_the_known_ones(tiny):
    config = sds.configure(tiny("supervised").removeprefix("--config="))
    with pytest.raises(ValueError, match=r"unknown field; did you mean 'label'\? known: neighbors, label, depth"):
        sds.examples(config, fields=("labl",))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"losses": {}}, "config.losses is empty: name at least one term"),
        ({"train.steps": -2}, "config.train.steps=-2: expected a whole number 0 or more"),
        ({"train.steps": None}, "config.train.steps=None: expected a whole number"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_any_work(tiny, changes, message, tmp_path):
    name = tiny("supervised").removeprefix("--config=")
    with pytest.raises(ValueError, match=message):
        sds.train(sds.configure(name, **changes), tmp_path / "run", reporter=sds.SILENT)
    assert not (tmp_path / "run").exists()
