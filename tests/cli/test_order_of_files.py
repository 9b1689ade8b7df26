"""What says "done" is written after what it speaks of: an evaluation that ends at any file leaves no half of itself."""

import json
import os
import shutil

import pytest

from sde_seg_jax.experiment import evaluated, stages
from sde_seg_jax.experiment.evaluate import evaluate
from sde_seg_jax.reporter import Collected


class Killed(BaseException):
    """Not an Exception, so that nothing takes it for an error."""


def test_an_evaluation_that_is_killed_at_any_file_is_done_again(runs, tmp_path, monkeypatch):
    folder = shutil.copytree(runs / "semi_supervised", tmp_path / "run")
    config = json.loads((folder / "config.json").read_text())
    drawn = {path.name for path in (folder / "pictures").glob("[!t]*.png")}
    shutil.rmtree(folder / "pictures")
    (folder / "metrics.json").unlink()
    written, real = [], os.fsync

    for last in range(10):
        written.clear()

        def kill(descriptor, last=last):
            written.append(os.readlink(f"/proc/self/fd/{descriptor}"))
            if len(written) > last:
                raise Killed
            real(descriptor)

        monkeypatch.setattr(os, "fsync", kill)
        try:
            evaluate(str(folder))
        except Killed:
            assert evaluated.scores_in(folder, config["train"]["steps"]) is None
        else:
            break
    assert last == len(written) > len(drawn)
    assert written[-1].endswith("metrics.json.tmp")
    assert {path.name for path in (folder / "pictures").glob("*.png")} == drawn
    assert not evaluated.lacks_pictures(folder)


def test_a_picture_that_is_missing_is_drawn_again_by_the_command_that_finds_it(runs, tmp_path):
    from sde_seg_jax.experiment.begun import begun
    from sde_seg_jax.experiment.config import config_dict

    folder = shutil.copytree(runs / "semi_supervised", tmp_path / "semi_supervised")
    shutil.copytree(runs / "depth", tmp_path / "depth")
    picture = folder / "pictures" / "segmentation.png"
    evaluate(str(folder))  # by this process: threads of another one may sum in another order
    content, scores = picture.read_bytes(), (folder / "metrics.json").read_text()
    config = config_dict.ConfigDict(begun(folder))
    for kept in (None, 100):
        picture.unlink()
        if kept:
            picture.write_bytes(content[:kept])
        told = Collected()
        stages.run_stage(config, folder, "semi", told)
        assert "semi: evaluating" in told.lines
        assert picture.read_bytes() == content
        assert (folder / "metrics.json").read_text() == scores
    told = Collected()
    stages.run_stage(config, folder, "semi", told)
    assert "semi: evaluating" not in told.lines


def test_pictures_that_cannot_be_drawn_again_are_told_and_the_scores_stay(runs, tmp_path, monkeypatch):
    from sde_seg_jax.experiment.begun import begun
    from sde_seg_jax.experiment.config import config_dict

    folder = shutil.copytree(runs / "depth", tmp_path / "depth")
    (folder / "pictures" / "depth.png").unlink()

    def gone(*arguments, **options):
        raise ValueError("the data are gone")

    monkeypatch.setattr(stages, "evaluate", gone)
    told = Collected()
    found = stages.run_stage(config_dict.ConfigDict(begun(folder)), folder, "depth", told)
    assert found == json.loads((folder / "metrics.json").read_text())
    assert told.lines[-1] == "depth: its pictures cannot be drawn again: the data are gone"
    (folder / "metrics.json").unlink()
    with pytest.raises(ValueError, match="the data are gone"):
        stages.run_stage(config_dict.ConfigDict(begun(folder)), folder, "depth", told)
