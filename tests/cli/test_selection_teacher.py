import json

from sde_seg_jax.experiment.selection.teacher import quality


def write(folder, scores):
    folder.mkdir(exist_ok=True)
    (folder / "metrics.json").write_text(json.dumps(scores))


def test_the_teacher_is_as_good_as_its_evaluation_said(tmp_path):
    teacher = tmp_path / "depth"
    assert quality(str(teacher)).startswith("teacher depth: how good its depth is has not been looked at; cli.evaluate")
    write(teacher, {"step": 3, "verdict": "not yet: train longer", "video/explained": 0.2})
    assert quality(str(teacher / "checkpoints")) == "teacher depth: not yet: train longer"
    write(teacher, {"step": 3, "abs_rel": 0.2, "constant/abs_rel": 0.4})
    assert quality(str(teacher)) == "teacher depth: depth error (AbsRel) 0.200, 0.50 of the best constant depth's"
    (teacher / "metrics.json").write_text("{")
    assert "has not been looked at" in quality(str(teacher))
