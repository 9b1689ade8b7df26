"""Files as the authors release them: every recorded table of names converts, and the weights compute as recorded."""

import json
import pathlib
import re
import shutil

import jax
import numpy as np
import pytest
from filled import assert_summary, shapes
from golden import Recording, fill, full_dir, nchw, nhwc
from test_state_dict_names import DEC6, DEC9, DEC11, JOINT

from sde_seg_jax.cli import convert
from sde_seg_jax.cli.command_line import run
from sde_seg_jax.experiment import build
from sde_seg_jax.models.import_weights import COUNTER
from sde_seg_jax.models.network import make_network
from sde_seg_jax.models.pose import PoseDecoder
from sde_seg_jax.models.weight_files import DROPPED
from sde_seg_jax.models.weight_modules import module_from_torch, module_of
from sde_seg_jax.models.weight_names import canonical

CONFIGS = pathlib.Path(__file__).resolve().parents[2] / "configs"
MULTITASK = DEC6 | {"num_classes": 19, "distillation_level": 2}
SDE = {"segmentation": False}
# table -> our network
TABLES = {name: options for name, (options, _) in JOINT.items()} | {
    "joint_master_exp212_pad_resnet101_dec6": MULTITASK,
    "joint_ssda_exp262": MULTITASK,
    "encoder.pth__resnet18": {"encoder": "resnet18", "dilate": (False,) * 3} | SDE,
    "encoder.pth__resnet50": {"encoder": "resnet50"} | SDE,
    "encoder.pth__resnet101": SDE,
    "depth.pth__dec5_dec6_resnet101": DEC6 | SDE,
    "depth.pth__dec9_resnet50or101": DEC9 | SDE,
    "depth.pth__dec11_resnet101": DEC11 | SDE,
    "pose_encoder.pth__resnet18_2img": SDE,
    "pose.pth": SDE,
}


def table(name: str) -> dict[str, tuple]:
    folder = full_dir()
    if folder is None or not (folder / "state_dicts").is_dir():
        pytest.skip("no state_dicts beside the recordings here")
    entries = json.loads((folder / "state_dicts" / f"{name}.json").read_text())["entries"]
    return {key: tuple(shape) for key, shape in entries.items()}


def test_every_recorded_table_is_listed():
    table("pose.pth")
    assert {path.stem for path in (full_dir() / "state_dicts").glob("*.json")} == set(TABLES)


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
def test_a_table_converts_whole(name):
    stem = name.partition(".")[0]
    state = {canonical(key, stem): np.broadcast_to(np.float32(1), shape) for key, shape in table(name).items()}
    state = {key: value for key, value in state.items() if not re.match(DROPPED, key)}
    like = shapes(make_network(**TABLES[name]), np.zeros((1, 64, 64, 3)), method="initialize")
    modules = {module_of(key) for key in state if not key.endswith(COUNTER)}
    assert None not in modules
    for module in modules:
        part, _, rest = module.partition("/")
        params, stats = (t.get(part, {}) for t in (like.params, like.batch_stats))
        if rest:
            params, stats = params[rest], stats.get(rest, {})
        wanted = like.replace(params=params, batch_stats=stats)
        found = module_from_torch(state, module, wanted)
        assert jax.tree.map(np.shape, found) == jax.tree.map(np.shape, wanted)
    if name.startswith("joint"):  # and nothing of the network is left without a source
        ours = {f"{part}/{child}" for part, tree in like.params.items() for child in tree}
        assert {m if "/" in m else f"{m}/{child}" for m in modules for child in like.params[m.split("/")[0]]} >= ours


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """A folder of encoder, depth, pose_encoder and pose.pth made with the fill rule, through cli.convert."""
    torch = pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("published")
    if full_dir() is None:
        pytest.skip("needs the whole set of recordings")
    seed = recording("g05_enc_resnet101_dil16").params["fill_seed"]
    files = {
        "encoder": "encoder.pth__resnet101",
        "depth": "depth.pth__dec5_dec6_resnet101",
        "pose_encoder": "pose_encoder.pth__resnet18_2img",
        "pose": "pose.pth",
    }
    for file, name in files.items():
        state = {key: torch.from_numpy(np.asarray(fill(key, shape, seed))) for key, shape in table(name).items()}
        torch.save(state, folder / f"{file}.pth")
    config = folder / "config.py"
    config.write_text(
        f"import sys\nsys.path.insert(0, {str(CONFIGS)!r})\nimport base\n\n"
        "def get_config():\n    return base.depth(base.get_config())\n"
    )
    flags = [f"--config={config}", f"--input={folder}", f"--workdir={folder / 'run'}"]
    assert run(convert.main, ["convert", *flags], about="", extra=convert.flags) == 0
    trained = build.load_trained(str(folder / "run"))
    shutil.rmtree(folder)  # it is large
    return trained.network, {"params": trained.variables.params, "batch_stats": trained.variables.batch_stats}


def recording(name):
    return Recording(name, full_dir())


def part(variables, *path):
    """Variables of one module."""
    for name in path:
        variables = {collection: tree.get(name, {}) for collection, tree in variables.items()}
    return variables


@pytest.mark.whole
def test_the_encoder_computes_the_recorded_features(converted):
    network, variables = converted
    rec = recording("g05_enc_resnet101_dil16")
    with jax.default_matmul_precision("highest"):
        maps = jax.jit(network.encoder.apply)(part(variables, "encoder"), nhwc(rec.input("x", np.float32)))
    for i, features in enumerate(maps):
        assert_summary(rec, f"f{i}", nchw(features), np.float32)


@pytest.mark.whole
def test_the_decoder_computes_the_recorded_disparities(converted):
    network, variables = converted
    rec = recording("g06_dec_dec6_resnet101_dil16")
    maps = [nhwc(rec.sibling(rec.params["features_from"])[f"out.f{i}"]) for i in range(5)]
    with jax.default_matmul_precision("highest"):
        decoded = jax.jit(network.depth_decoder.apply)(part(variables, "depth_decoder"), maps)
    for scale, disparity in enumerate(decoded.disparity):
        rec.assert_matches(f"disp_{scale}", nchw(disparity))


@pytest.mark.whole
def test_the_pose_network_computes_the_recorded_features_and_motion(converted):
    network, variables = converted
    rec, motion = recording("g05_enc_resnet18_2img"), recording("g07_pose_decoder")
    pose = network.pose_network
    with jax.default_matmul_precision("highest"):
        maps = jax.jit(pose.encoder.apply)(part(variables, "pose", "encoder"), nhwc(rec.input("x", np.float32)))
        decoder = PoseDecoder(pose.scale, pose.hidden, pose.start, pose.dtype)
        found = jax.jit(decoder.apply)(part(variables, "pose", "decoder"), nhwc(motion.input("f4", np.float32)))
    for i, features in enumerate(maps):
        assert_summary(rec, f"f{i}", nchw(features), np.float32)
    motion.assert_matches("axisangle", found[0][:, :, None])
    motion.assert_matches("translation", found[1][:, :, None])
