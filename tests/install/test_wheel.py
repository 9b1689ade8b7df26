"""What is published: sdist and wheel hold what they must, and the wheel works where there is no checkout."""

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile

import pytest

from sde_seg_jax import __version__
from sde_seg_jax.experiment.configuration.files import names

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).resolve().parents[2]
NO_SOURCES = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "runs", "prepared")
BUILD = "from setuptools import build_meta; import sys; getattr(build_meta, sys.argv[1])(sys.argv[2])"  # as pip does
SCRIPTS = "Scripts" if os.name == "nt" else "bin"


def run(*command, folder):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    found = subprocess.run([*map(str, command)], cwd=folder, env=environment, capture_output=True, text=True)
    return found.returncode, found.stdout, found.stderr


def succeeds(*command, folder):
    status, out, err = run(*command, folder=folder)
    assert status == 0, out + err
    return out


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(sdist, wheel), the wheel built from the sdist; the checkout stays as it is."""
    folder = tmp_path_factory.mktemp("built")
    shutil.copytree(ROOT, folder / "checkout", ignore=NO_SOURCES)
    succeeds(sys.executable, "-c", BUILD, "build_sdist", folder, folder=folder / "checkout")
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (sources,) = (folder / "unpacked").iterdir()
    succeeds(sys.executable, "-c", BUILD, "build_wheel", folder, folder=sources)
    (wheel,) = folder.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """The folder of programs of an environment that has the wheel, and of this environment all but the checkout."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / SCRIPTS / "python"
    site = pathlib.Path(
        succeeds(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder).strip()
    )
    # a path in a .pth file is searched last, and .pth files there (such as that of an editable install) are not read
    (site / "packages_of_the_tests.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps")
    succeeds(*pip, "--disable-pip-version-check", built[1], folder=folder)
    return folder / SCRIPTS


def test_sdist_and_wheel_hold_the_package_its_configurations_and_its_licence(built):
    sdist, wheel = built
    with tarfile.open(sdist) as archive:
        sources = {name.partition("/")[2] for name in archive.getnames()}
    content = {*zipfile.ZipFile(wheel).namelist()}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "sde_seg_jax").rglob("*.py")}
    configs = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "configs").rglob("*.*") if path.suffix in (".py", ".txt")
    }
    assert modules | configs | {"LICENSE", "README.md", "sde_seg_jax/py.typed"} <= sources
    assert modules | {f"sde_seg_jax/{name}" for name in configs} | {"sde_seg_jax/py.typed"} <= content
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in content)
    for names_in in (sources, content):
        assert not [name for name in names_in if name.startswith(("tests", "notebooks", "benchmarks"))]
    assert {name.partition("/")[0] for name in content} == {"sde_seg_jax", f"sde_seg_jax-{__version__}.dist-info"}


def test_the_installed_command_answers(installed, tmp_path):
    assert succeeds(installed / "sde-seg", "--version", folder=tmp_path) == f"sde-seg {__version__}\n"
    assert "Trains one configuration" in succeeds(installed / "sde-seg", "train", "--help", folder=tmp_path)
    status, _, err = run(installed / "sde-seg", "train", "--config=quickstrat", folder=tmp_path)
    assert status == 2
    assert "did you mean quickstart?" in err
    status, _, err = run(installed / "sde-seg", "train", "--config=quickstart:depth", "--steps=10", folder=tmp_path)
    assert err.strip().endswith("--config.train.steps=10")
    assert not [*tmp_path.iterdir()]


def test_installed_configurations_are_found_by_name_and_by_path(installed, tmp_path):
    (tmp_path / "own.py").write_text("import base\n\ndef get_config():\n    return base.get_config()\n")
    code = (
        "import pathlib, sde_seg_jax;"
        "from sde_seg_jax.experiment.configuration import files as config_files;"
        "from sde_seg_jax.experiment.config import load_config;"
        "inside = pathlib.Path(sde_seg_jax.__file__).parent / 'configs';"
        "assert config_files.shipped() == inside.resolve(), config_files.shipped();"
        "[load_config(name) for name in config_files.names()];"
        "assert load_config('own.py').to_json() == load_config('base').to_json();"
        "print(*config_files.names())"
    )
    assert succeeds(installed / "python", "-c", code, folder=tmp_path).split() == names()


def test_an_installed_table_finds_its_stages_and_lists(installed, tmp_path):
    """The plan of a table reads all its rows, the files of its stages, and the published lists of images."""
    flags = ("--config=paper/multitask", "--rows=baseline,mtl,selection_mtl", "--labels=372", "--seeds=42", "--dry_run")
    out = succeeds(installed / "sde-seg", "table", *flags, f"--workdir={tmp_path / 'runs'}", folder=tmp_path)
    assert "stage sde_feature_distance: missing" in out
    assert "3 missing: baseline_372_s42" in out
