import dataclasses
import json

import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.data.own import camera_files
from sde_seg_jax.experiment import learnt_camera
from sde_seg_jax.experiment.check import check
from sde_seg_jax.experiment.config import load_config
from sde_seg_jax.models.network import make_network
from sde_seg_jax.types import Batch, Intrinsics, Variables

NETWORK = make_network(encoder="resnet18", segmentation=False, learn_intrinsics="focal")
DOUBLED = Variables({"intrinsics": {"change": jnp.array([np.log(2.0)], jnp.float32)}}, {})


@dataclasses.dataclass
class Data:
    """Two batches of validation samples, as reading.dataset.Data gives them."""

    nominal: tuple
    size: tuple = (64, 128)

    def validation(self, fields, batch_size):
        for fx in (50.0, 54.0):
            values = (fx, fx * self.nominal[1] / self.nominal[0], *self.nominal[2:])
            yield Batch(image=None, intrinsics=Intrinsics(*(np.full(2, v, np.float32) for v in values)))


SQUARE = Data((50.0, 50.0, 63.5, 31.5))


def test_the_mean_learnt_camera_and_its_spread_are_told():
    found = learnt_camera.measure(NETWORK, DOUBLED, SQUARE, 2)
    assert found["camera/fx"] == pytest.approx(104)
    assert found["camera/fx_spread"] == pytest.approx(4)
    assert found["camera/fx_nominal"] == pytest.approx(52)
    assert found["camera/field_of_view"] == pytest.approx(2 * np.degrees(np.arctan(64 / 104)))
    (line,) = learnt_camera.tell(found)
    assert "in pixels of 128x64: fx 104.0 +- 4.0 (nominal 52.0), fy 104.0" in line
    assert "63.2 degrees across" in line


def test_a_network_that_learns_no_camera_has_nothing_to_tell(tmp_path):
    network = make_network(encoder="resnet18", segmentation=False)
    assert learnt_camera.measure(network, DOUBLED, SQUARE, 2) == {}
    assert learnt_camera.tell({"abs_rel": 0.3}) == []
    learnt_camera.write(tmp_path, {"abs_rel": 0.3})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("data", "height"), [(SQUARE, 64), (Data((50.0, 44.4444, 63.5, 31.5)), 72)])
def test_the_data_set_folder_reads_the_camera_file_for_images_of_the_raw_shape(tmp_path, data, height):
    learnt_camera.write(tmp_path, learnt_camera.measure(NETWORK, DOUBLED, data, 2))
    assert json.loads((tmp_path / "camera.json").read_text()).keys() == {"fx", "fy", "cx", "cy", "width", "height"}
    camera = camera_files.read(tmp_path / "camera.json")
    assert camera.size == (height, 128)
    found = camera.at((10 * height, 1280), "frame.png")
    np.testing.assert_allclose(found[:2], 1040, rtol=1e-4)  # the file has three decimals
    np.testing.assert_allclose(found[2:], [639.5, 5 * height - 0.5], rtol=1e-4)


def test_a_centre_is_not_learnt_from_mirrored_images(tiny):
    config = load_config(tiny("").removeprefix("--config=").rstrip(":"), "depth")
    config.model.learn_intrinsics = "all"
    with pytest.raises(ValueError, match=r"data.flip=0.5 mirrors images: set data.flip=0"):
        check(config)
    config.data.flip = 0.0
    check(config)


def test_a_network_reads_no_camera_from_published_weights(tiny, runs, command, tmp_path):
    file = tmp_path / "weights.safetensors"
    assert command("convert", f"--checkpoint={runs / 'depth'}", f"--output={file}")[0] == 0
    flags = (tiny("depth"), "--config.model.learn_intrinsics=focal", f"--input={file}", f"--workdir={tmp_path / 'in'}")
    status, out, err = command("convert", *flags)
    assert status == 0, err
    assert "intrinsics" not in out
