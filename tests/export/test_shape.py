"""A file that squeezes images says so, names the size that would not, and what it predicts is recorded so."""

import re

from PIL import Image

from sde_seg_jax.experiment.export.record import read_record


def test_the_size_that_keeps_the_shape_of_images_is_named(checkpoint, command, tmp_path):
    flags = (f"--checkpoint={checkpoint('supervised')}", "--outputs=probabilities", "--batch=1", "--input_size=90x160")
    status, out, err = command(*flags, f"--output={tmp_path / 'a.stablehlo'}")
    assert status == 0, err
    assert "it sees every image at 64x64, whatever its shape, as predict --aspect=trained does" in out
    assert "for images of 90x160, export with --size=64x96" in out
    status, out, err = command(*flags, "--size=64x96", f"--output={tmp_path / 'b.stablehlo'}")
    assert status == 0, err
    assert "it sees every image at 64x96" in out
    assert "export with" not in out


def test_what_a_file_predicts_is_recorded_as_squeezed(checkpoint, command, tmp_path):
    file, run = tmp_path / "a.stablehlo", checkpoint("supervised")
    status, _, err = command(f"--checkpoint={run}", "--outputs=probabilities", "--batch=1", f"--output={file}")
    assert status == 0, err
    assert read_record(file)["size"] == [64, 64]
    Image.new("RGB", (160, 90), (90, 120, 60)).save(tmp_path / "x.png")
    told = {}
    for name, source in (("file", file), ("run", run)):
        flags = (f"--checkpoint={source}", f"--input={tmp_path / 'x.png'}", f"--output={tmp_path / name}")
        status, _, err = command(*flags, name="predict")
        assert status == 0, err
        (told[name],) = set(re.findall(r'"aspect": "(\w+)"', (tmp_path / name / "predictions.jsonl").read_text()))
    assert told == {"file": "trained", "run": "keep"}
