"""cli.evaluate of data that have nothing to be scored by says so in one line."""

import types

import pytest

from sde_seg_jax.experiment import evaluate as evaluation
from sde_seg_jax.experiment.config import load_config
from sde_seg_jax.reporter import Reporter

NAN = float("nan")


class Told(Reporter):
    def __init__(self):
        self.lines = []

    def tell(self, line):
        self.lines.append(line)


@pytest.fixture
def told(monkeypatch, tmp_path):
    """told(scores) -> the lines of an evaluation that found these."""

    def call(scores):
        config = load_config("base")
        stored = types.SimpleNamespace(config=config.to_dict(), parts={"teacher": None}, path="x", step=3)
        trained = types.SimpleNamespace(step=3, network=None, variables=None)
        monkeypatch.setattr(evaluation, "locate", lambda checkpoint: tmp_path)
        monkeypatch.setattr(evaluation, "read", lambda *_: stored)
        monkeypatch.setattr(evaluation, "prepare_data", lambda *_, **__: "")
        monkeypatch.setattr(evaluation, "call", lambda *_: None)
        monkeypatch.setattr(evaluation.build, "trained", lambda *_: trained)
        monkeypatch.setattr(evaluation.monitor, "score", lambda *_: dict(scores))
        monkeypatch.setattr(evaluation.learnt_camera, "measure", lambda *_: {})
        monkeypatch.setattr(evaluation.learnt_camera, "write", lambda *_: None)
        monkeypatch.setattr(evaluation.depth_verdict, "judge", lambda *_: {})
        monkeypatch.setattr(evaluation, "example_pictures", lambda *_: {})
        reporter = Told()
        evaluation.evaluate("x", reporter=reporter)
        return reporter.lines

    return call


@pytest.mark.parametrize(
    ("scores", "what"),
    [({}, "has neither labels nor true depth"), ({"miou": NAN, "iou/a": NAN}, "has no labelled pixel of a class")],
)
def test_it_is_said_in_one_line(told, scores, what):
    (line,) = told(scores)
    assert line.startswith("warning: nothing to score: split 'val' of '")
    assert what in line
    assert "cli.doctor --prepared_dir=" in line


@pytest.mark.parametrize("scores", [{"miou": 0.0}, {"abs_rel": 0.1}, {"miou": 0.5, "abs_rel": 0.1}])
def test_scores_are_told_without(told, scores):
    assert told(scores) == []
