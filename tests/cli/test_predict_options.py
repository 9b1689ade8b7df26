"""What cli.predict can be asked: lists and patterns, outputs, batches, resuming, metres. The networks are functions."""

import io
import json
import pathlib
import shutil
import threading
import types

import cv2
import numpy as np
import pytest
from test_predict_files import DARK, SPACE, picture, read, save, write_video

from sde_seg_jax.data.annotation import palette
from sde_seg_jax.evaluation.protocols.protocol import Protocol
from sde_seg_jax.experiment.errors import UsageError
from sde_seg_jax.experiment.prediction import batches, enlarging, job, metric, request
from sde_seg_jax.experiment.prediction.asking import Predictor
from sde_seg_jax.experiment.prediction.files import Job, write_predictions
from sde_seg_jax.experiment.prediction.listed import sources_of
from sde_seg_jax.experiment.prediction.sources import find_sources
from sde_seg_jax.geometry.depth import DepthRange
from sde_seg_jax.label_spaces import LabelSpace

STREET = LabelSpace("street", ("road", "sky"), ((128, 64, 128), (70, 130, 180)))
CAMERA = (40.0, 40.0, 19.5, 9.5)  # of 40x20
HEIGHT = 0.03  # of that camera above the road, in the unit of the depths below


def street(images):
    """A flat road in the lower half, in a unit in which the camera is HEIGHT above it."""
    rows = np.arange(20, dtype=np.float32) - CAMERA[3]
    depth = np.where(rows > 1, HEIGHT * CAMERA[1] / np.maximum(rows, 1), 100.0)
    disparity = np.broadcast_to(((1 / depth - 0.01) / (10 - 0.01))[None, :, None], images.shape[:3])
    road = np.broadcast_to((rows > 1).astype(np.float32)[None, :, None], images.shape[:3])
    return {"probabilities": np.stack([road, 1 - road], axis=-1), "disparity": disparity.astype(np.float32)}


WORLD = Predictor(street, lambda size: size, ("probabilities", "disparity"), STREET, DepthRange())


@pytest.fixture
def photos(tmp_path):
    for name in ("a.png", "b/c.png", "b/d.jpg"):
        save(tmp_path / "photos" / name, picture(0))
    return tmp_path / "photos"


def predict(source, folder, *predictors, **options):
    return write_predictions(find_sources(source, folder), folder, Job(predictors or [DARK], **options))


def names(text, lines=(), output="out"):
    found = sources_of(str(text), pathlib.Path(output), lambda: lines).found
    return [(one.folder / one.name).as_posix() for one in found]


def test_a_pattern_finds_what_a_shell_would(photos, tmp_path):
    assert names(photos / "**" / "*.png") == ["a", "b/c"]
    assert names(photos / "b" / "*") == ["c", "d"]
    save(photos / "out" / "a_overlay.png", picture(0))
    assert names(photos / "**" / "*.png", output=photos / "out") == ["a", "b/c"]
    with pytest.raises(UsageError, match=r"matches no images or videos; put it in quotes"):
        names(photos / "*.tif")


def test_a_list_names_files_beside_it_and_standard_input_from_here(photos, tmp_path, monkeypatch):
    (photos / "files.txt").write_text("# the good ones\nb/d.jpg\n\na.png\nb/d.jpg\n")
    assert names(photos / "files.txt") == ["b/d", "a"]
    monkeypatch.chdir(photos / "b")
    assert names("-", ["c.png", "../a.png"]) == ["b/c", "a"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a.png", "gone.png", "no.jpg"], r"names 2 of 3 files .* first is 'gone.png' in line 2, which does not exist"),
        (["b"], "in line 1, which is a folder: give it as --input"),
        ([" ", "# nothing"], "standard input lists no files"),
    ],
)
def test_a_list_with_missing_files_is_refused_before_any_work(photos, monkeypatch, lines, message):
    monkeypatch.chdir(photos)
    with pytest.raises(UsageError, match=message):
        names("-", lines)


def test_the_command_reads_a_list_on_standard_input(photos, tmp_path, refused, monkeypatch):
    monkeypatch.setattr(job, "make_job", lambda wish: Job([DARK]))
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=io.BytesIO(b"a.png\ngone.png\n")))
    monkeypatch.chdir(photos)
    line = refused("predict", "--checkpoint=x", "--input=-", f"--output={tmp_path / 'out'}")
    assert "standard input names 1 of 2 files" in line
    assert not (tmp_path / "out").exists()


def test_every_output_is_written_and_says_the_same(photos, tmp_path):
    kinds = ("classes", "overlay", "depth", "entropy", "probabilities")
    save(photos / "a.png", np.zeros((20, 40, 3), np.uint8))
    done = predict(photos / "a.png", tmp_path / "out", WORLD, outputs=kinds)
    assert done.kinds == kinds
    probabilities = np.load(tmp_path / "out" / "a_probabilities.npy")
    classes = read(tmp_path / "out" / "a_classes.png")
    assert (probabilities.dtype, probabilities.shape) == (np.float16, (20, 40, 2))
    np.testing.assert_array_equal(probabilities.argmax(-1), classes)
    np.testing.assert_array_equal(classes[[0, -1]], [[1] * 40, [0] * 40])
    assert read(tmp_path / "out" / "a_entropy.png").max() == 0  # it is certain everywhere
    depth = read(tmp_path / "out" / "a_depth.png")
    assert depth[-1, 0] / 256 == pytest.approx(HEIGHT * 40 / 9.5, rel=0.02)
    assert (tmp_path / "out" / "legend.png").is_file()
    assert palette.read_classes(str(tmp_path / "out" / "classes.json")).space.classes == STREET.classes


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (("fog",), "unknown output 'fog'; known: classes"),
        (("clases",), "did you mean 'classes'"),
        (("depth",), "--outputs=depth: the checkpoint predicts no depth; give one that does as --depth_checkpoint"),
    ],
)
def test_outputs_that_there_are_not_are_refused(photos, tmp_path, outputs, message):
    with pytest.raises(UsageError, match=message):
        predict(photos, tmp_path / "out", outputs=outputs)
    assert not (tmp_path / "out").exists()


def test_probabilities_are_enlarged_not_ids():
    found = np.zeros((1, 2, 2), np.float32)
    found[0, :, 0], found[0, :, 1] = (0.9, 0.2), (0.1, 0.8)
    ids, best = enlarging.largest(found, (1, 8))
    # p0 falls from 0.9 at 1.5 to 0.2 at 5.5: it is a half at 3.8; ids alone would change at 3.5 and be as sure on both
    np.testing.assert_array_equal(ids, [[0, 0, 0, 0, 1, 1, 1, 1]])
    np.testing.assert_allclose(best[0, [0, 3, 4, 7]], (0.9, 0.6375, 0.5375, 0.8), atol=1e-6)
    level = enlarging.entropy(np.full((2, 2, 4), 0.25, np.float32), (5, 3))
    np.testing.assert_allclose(level, 1, atol=1e-6)


def test_images_of_one_size_share_a_batch_and_videos_stay_in_order(tmp_path):
    source, sizes = tmp_path / "in", []
    for number in range(5):
        save(source / f"{number}.png", np.full((8, 8, 3), 40 * number, np.uint8))
        save(source / f"{number}_wide.png", np.full((8, 16, 3), 40 * number, np.uint8))
    write_video(source / "tour.mp4", [np.full((16, 16, 3), 255 * (number % 2), np.uint8) for number in range(7)])

    def call(images):
        sizes.append(images.shape)
        return DARK.call(images)

    counted = Predictor(call, DARK.size_of, DARK.gives, SPACE)
    done = predict(source, tmp_path / "out", counted, batch=3)
    assert done.count == 17
    assert sorted(sizes) == sorted([(3, 8, 8, 3)] * 2 + [(3, 8, 16, 3)] * 2 + [(3, 16, 16, 3)] * 3)
    dark = [int(read(tmp_path / "out" / f"{number}_wide_classes.png").max()) for number in range(5)]
    assert dark == [1, 1, 1, 1, 0]
    video = cv2.VideoCapture(str(tmp_path / "out" / "tour" / "overlay.mp4"))
    shown = [video.read()[1].mean() for _ in range(7)]
    video.release()
    assert [value > 100 for value in shown] == [number % 2 == 1 for number in range(7)]


def test_the_size_of_a_batch_follows_images_and_device(monkeypatch):
    monkeypatch.setattr(batches.jax, "device_count", lambda: 2)
    monkeypatch.setattr(batches.jax, "default_backend", lambda: "gpu")
    assert batches.automatic(512 * 1024, [DARK]) == 32
    assert batches.automatic(8 * 8, [DARK]) == 2 * batches.LARGEST
    assert batches.automatic(2**30, [DARK]) == 2
    fixed = Predictor(DARK.call, DARK.size_of, DARK.gives, SPACE, batch=3)
    assert batches.automatic(8 * 8, [fixed]) == 3


def test_resuming_predicts_what_is_not_done_and_what_has_changed(photos, tmp_path):
    (photos / "e.png").write_bytes(b"no image")
    first = predict(photos, tmp_path / "out")
    assert (first.count, first.skipped, len(first.bad)) == (3, 0, 1)
    save(photos / "e.png", picture(1))
    (tmp_path / "out" / "a_classes.png").write_bytes(b"left alone")
    second = predict(photos, tmp_path / "out", resume=True)
    assert (second.count, second.skipped) == (1, 3)
    assert (tmp_path / "out" / "a_classes.png").read_bytes() == b"left alone"
    save(photos / "a.png", picture(2)[:-4])
    assert predict(photos, tmp_path / "out", resume=True).count == 1
    assert predict(photos, tmp_path / "out").count == 4  # without, all again


@pytest.mark.parametrize("damage", ["deleted", "emptied", "folder"])
def test_resuming_predicts_again_what_was_deleted(photos, tmp_path, damage):
    write_video(photos / "tour.mp4", [picture(number) for number in range(3)])
    out = tmp_path / "out"
    assert predict(photos, out).count == 6
    lost = [out / "b" / "d_overlay.png", out / "tour" / "tour_000001_classes.png", out / "a_classes.png"]
    for path in lost:
        if damage == "emptied":
            path.write_bytes(b"")
        else:
            path.unlink()
    if damage == "folder":
        shutil.rmtree(out / "b")
    done = predict(photos, out, resume=True)
    assert (done.count, done.skipped) == ((6, 0) if damage == "folder" else (5, 1))
    assert all(path.stat().st_size for path in lost)
    (out / "tour" / "overlay.mp4").unlink()
    assert predict(photos, out, resume=True).count == 3
    assert predict(photos, out, resume=True).count == 0


def test_a_call_that_was_stopped_goes_on(tmp_path, monkeypatch):
    source = tmp_path / "in"
    for number in range(6):
        save(source / f"{number}.png", picture(number))
    write_video(source / "9.mp4", [picture(number) for number in range(4)])
    left = [4]

    def call(images):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return DARK.call(images)

    with pytest.raises(KeyboardInterrupt):
        predict(source, tmp_path / "out", Predictor(call, DARK.size_of, DARK.gives, SPACE), batch=1)
    assert not list((tmp_path / "out").rglob("*.tmp"))
    notes = (tmp_path / "out" / "predictions.jsonl").read_bytes()
    (tmp_path / "out" / "predictions.jsonl").write_bytes(notes[:-3])  # a line was being written
    assert threading.active_count() < 8
    done = predict(source, tmp_path / "out", resume=True)
    assert (done.skipped, done.count) == (2, 8)  # three had come back, and the note of one was cut off
    assert len(list((tmp_path / "out").rglob("*_classes.png"))) == 10
    assert (tmp_path / "out" / "9" / "overlay.mp4").is_file()


def test_another_network_does_not_go_on_in_a_folder(photos, tmp_path):
    predict(photos, tmp_path / "out", settings={"protocol": "whole 8x8"})
    message = r"predicted otherwise \(protocol: whole 8x8 then, whole 8x8, flip now\); give another --output"
    with pytest.raises(UsageError, match=message):
        predict(photos, tmp_path / "out", resume=True, settings={"protocol": "whole 8x8, flip"})
    (tmp_path / "out" / "predictions.jsonl").write_text('{"settings": 3}\n')
    with pytest.raises(UsageError, match=r"line 1 of .*predictions.jsonl is damaged .*leave --resume out"):
        predict(photos, tmp_path / "out", resume=True)


def by_height(sources, predictors):
    return metric.by_camera_height(1.5, lambda size, image: CAMERA, sources, predictors)


def test_the_cameras_height_above_the_road_gives_metres(tmp_path):
    for number in range(3):
        save(tmp_path / "in" / f"{number}.png", np.full((20, 40, 3), number, np.uint8))
    done = predict(tmp_path / "in", tmp_path / "out", WORLD, scale=by_height)
    assert f"{1.5 / HEIGHT:.4g} times the network's" in done.depth
    assert "camera is 1.5 m above the road (--metric=camera_height; 3 of 3 images" in done.depth
    depth = read(tmp_path / "out" / "0_depth.png") / 256
    assert depth[-1, 0] == pytest.approx(1.5 * 40 / 9.5, rel=1e-3)
    head = json.loads((tmp_path / "out" / "predictions.jsonl").read_text().splitlines()[0])
    assert head["depth"]["factor"] == pytest.approx(1.5 / HEIGHT, rel=1e-3)
    assert head["depth"]["told"] == done.depth
    again = predict(tmp_path / "in", tmp_path / "out", WORLD, resume=True)  # the factor is kept, not measured again
    assert again.depth == done.depth


def test_metres_need_a_road_and_depth(photos, tmp_path):
    with pytest.raises(UsageError, match="needs depth and a class called road"):
        predict(photos, tmp_path / "out", DARK, WORLD, scale=by_height)
    sky = Predictor(
        lambda images: {**street(images), "probabilities": 1 - street(images)["probabilities"]},
        WORLD.size_of,
        WORLD.gives,
        STREET,
        DepthRange(),
    )
    save(tmp_path / "in" / "a.png", np.zeros((20, 40, 3), np.uint8))
    with pytest.raises(UsageError, match="none of 1 images shows enough flat road; give --metric=factor"):
        predict(tmp_path / "in", tmp_path / "out", sky, scale=by_height)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gps:3", "unknown way; known: camera_height, factor"),
        ("camera_height", "expected a number above 0 after the colon, as in --metric=camera_height:1.5"),
        ("factor:-1", "expected a number above 0"),
        ("factor:nan", "expected a number above 0"),
    ],
)
def test_a_metric_that_is_none_is_refused(text, message):
    with pytest.raises(UsageError, match=message):
        metric.parse(text)


def test_the_camera_is_that_of_a_file_a_view_or_the_run(tmp_path):
    file = tmp_path / "camera.json"
    with pytest.raises(UsageError, match="needs the camera: give --camera="):
        metric.camera_of("", 0.0, tmp_path)
    file.write_text('{"fx": 30, "fy": 30, "cx": 15.5, "cy": 11.5, "width": 32, "height": 24}')
    assert metric.camera_of("", 0.0, tmp_path)((48, 64), "x")[0] == 60
    assert metric.camera_of("", 90.0, tmp_path)((48, 64), "x")[0] == pytest.approx(32)
    file.write_text("{}")
    with pytest.raises(UsageError, match=r"cannot read camera '.*camera.json'"):
        metric.camera_of(str(file), 0.0, tmp_path)


def test_the_protocol_of_images_of_any_size_is_named_as_it_is():
    twice = request.Request(Protocol((32, 32), flip=True), "full")
    assert twice.name((64, 96)) == "sliding 32x32 by 21x21 over full size, flip"
    assert request.Request(resolution="full").name((64, 96)) == "whole full size"
    assert request.Request().name((64, 96)) == "whole 64x96"


def wish(checkpoint, **options):
    return job.Wish(str(checkpoint), temperature="auto", **options)


def test_the_temperature_is_that_of_these_weights_at_this_step(tmp_path):
    (tmp_path / "checkpoints" / "7").mkdir(parents=True)
    (tmp_path / "metrics.json").write_text(json.dumps({"step": 7, "temperature": 1.5, "teacher/temperature": 1.2}))
    assert job._evaluated(wish(tmp_path), 7) == 1.5
    assert job._evaluated(wish(tmp_path, weights="teacher"), 7) == 1.2
    with pytest.raises(UsageError, match=r"metrics.json is of step 7, the weights of 9; run cli.evaluate .* again"):
        job._evaluated(wish(tmp_path), 9)


def test_what_is_no_run_has_neither_temperature_nor_camera_of_its_own(tmp_path):
    (tmp_path / "model.stablehlo").write_bytes(b"")
    with pytest.raises(UsageError, match=r"--temperature=auto: .*model.stablehlo is no run, .*; give the number"):
        job._evaluated(wish(tmp_path / "model.stablehlo"), 7)
    assert job._run(str(tmp_path / "model.stablehlo")) is None
    assert callable(metric.camera_of("", 60.0, None))  # of a field of view
    with pytest.raises(UsageError, match="needs the camera: give --camera"):
        metric.camera_of("", 0.0, None)


def test_one_copy_of_the_weights_serves_batches_of_all_sizes():
    weights = {"w": np.ones(3, np.float32)}
    seen = []
    call = request.on_all_devices(lambda own, images: seen.append(own["w"]) or images, weights)
    for count in (1, 3, 5):
        call(np.zeros((count, 2, 2, 3), np.uint8))
    devices = {one.sharding.num_devices for one in seen}
    assert len({id(one) for one in seen}) == len(devices)
