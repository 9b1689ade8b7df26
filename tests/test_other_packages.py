"""What another installed package offers by entry points is found by name, as if it were a file of ours."""

import sys

import pytest

from sde_seg_jax import lookup
from sde_seg_jax.data import spec
from sde_seg_jax.data.annotation import tools
from sde_seg_jax.mixing.rule import find_rule
from sde_seg_jax.models import backbones
from sde_seg_jax.models.maps import Maps
from sde_seg_jax.models.options import Decoders
from sde_seg_jax.tasks import semi_supervised
from sde_seg_jax.tasks.loss_terms import find_loss
from sde_seg_jax.tasks.task import find_task
from sde_seg_jax.training.schedules import find_schedule

FILES = {
    "streets.py": """
from sde_seg_jax.data.spec import DatasetSpec
from sde_seg_jax.label_spaces import LabelSpace

SPEC = DatasetSpec("our_streets", "1.0.0", None, ("train",), list, dict)
""",
    "total_variation.py": """
import jax.numpy as jnp

def term(view, rng):
    return jnp.abs(jnp.diff(view.image, axis=1)).mean()
""",
    "task.py": """
from sde_seg_jax.tasks import supervised
from sde_seg_jax.tasks.task import Task, always

TASK = Task(supervised.make_loss, always({"labeled": ("label",)}), always(("segmentation",)))
""",
    "stripes.py": """
from sde_seg_jax.mixing.rule import Rule

RULE = Rule(lambda kept, under, key, margins: kept.classes[..., None] > 0)
""",
    "network.py": """
ENCODERS = ("tiny_net",)

def make_encoder(name, **options):
    return name, options
""",
    "decoder.py": """
def make_decoder(maps, shared, *, heads, disparity_bias, dtype, remat, depth=1):
    return maps, heads, depth
""",
    "rates.py": """
def half(*, steps):
    return lambda step: 0.5
""",
    "tool.py": """
def find(path):
    return False
""",
    "broken.py": "import a_package_that_nobody_has",
    "empty.py": "",
}
ENTRY_POINTS = """
[sde_seg_jax.datasets]
our_streets = our_lab.streets
broken = our_lab.broken
empty = our_lab.empty
camvid = our_lab.streets

[sde_seg_jax.losses]
total_variation = our_lab.total_variation

[sde_seg_jax.tasks]
ours = our_lab.task

[sde_seg_jax.mixing]
stripes = our_lab.stripes

[sde_seg_jax.encoders]
tiny_net = our_lab.network

[sde_seg_jax.decoders]
pyramid = our_lab.decoder

[sde_seg_jax.schedules]
half = our_lab.rates:half

[sde_seg_jax.annotation]
our_tool = our_lab.tool
"""


def install(folder, name, entry_points):
    """What `pip install` leaves of a package without files."""
    facts = folder / f"{name}-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(entry_points)


@pytest.fixture
def our_lab(tmp_path, monkeypatch):
    (tmp_path / "our_lab").mkdir()
    for name, text in {"__init__.py": "", **FILES}.items():
        (tmp_path / "our_lab" / name).write_text(text)
    install(tmp_path, "our_lab", ENTRY_POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    tools._all.cache_clear()
    yield tmp_path
    tools._all.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "our_lab"]:
        del sys.modules[name]


def test_a_data_set_a_loss_a_task_and_a_mixing_rule_of_another_package_are_found_by_name(our_lab):
    assert spec.find("our_streets").name == "our_streets"
    assert find_loss("total_variation").term.__module__ == "our_lab.total_variation"
    assert find_task("ours").needs((), {}) == ("segmentation",)
    assert not find_rule("stripes").reads_depth
    assert not semi_supervised.TASK.cached((), {"mix": "stripes"})


def test_so_are_an_encoder_a_schedule_and_a_labelling_tool(our_lab):
    assert backbones.make_encoder("tiny_net", width=4) == ("tiny_net", {"width": 4})
    assert find_schedule("half")(steps=3)(0) == 0.5
    assert tools.names()[-1] == "our_tool"
    assert not tools.tool("our_tool").find(our_lab)
    assert tools.find(our_lab) is None


def test_so_is_a_decoder_with_its_own_options(our_lab):
    maps = Maps((4,), (8,), False, 8)
    made = Decoders(decoder="pyramid", decoder_options={"depth": 3}).make(maps, None, False, heads=True)
    assert made == (maps, True, 3)


def test_errors_list_their_names_beside_ours(our_lab):
    with pytest.raises(ValueError, match=r"unknown data set 'our_street'; did you mean 'our_streets'\? known: .*kitti"):
        spec.find("our_street")
    with pytest.raises(ValueError, match=r"unknown schedule\.name 'x'; known: constant, step, poly, cosine, half"):
        find_schedule("x")


def test_a_name_of_ours_stays_ours(our_lab):
    assert spec.find("camvid").name == "camvid"
    assert spec.known().count("camvid") == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "broken",
            r"data set 'broken' of package 'our_lab' cannot be imported \(No module named 'a_package.*reinstall",
        ),
        ("empty", "data set 'empty' of package 'our_lab': 'our_lab.empty' has no SPEC"),
    ],
)
def test_a_package_that_is_broken_is_named(our_lab, name, message):
    with pytest.raises(ValueError, match=message):
        spec.find(name)


def test_a_name_that_two_packages_offer_is_refused(our_lab):
    install(our_lab, "their_lab", "[sde_seg_jax.losses]\ntotal_variation = their_lab.loss\n")
    with pytest.raises(ValueError, match=r"'total_variation' .* is offered by package '.*: uninstall one"):
        find_loss("total_variation")


def test_a_name_that_python_keeps_for_itself_has_an_underscore_behind_its_file_s(our_lab):
    (our_lab / "our_lab" / "shelf").mkdir()
    for name, text in {"__init__": "", "class_": "FOUND = 1", "helper": "", "_hidden": "FOUND = 1"}.items():
        (our_lab / "our_lab" / "shelf" / f"{name}.py").write_text(text)
    kind = lookup.Kind("thing", "our_lab.shelf", attribute="FOUND", group="none")
    assert kind.names() == ["class"]
    assert kind.find("class").FOUND == 1
