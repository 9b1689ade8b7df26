"""The layers of the package: imports point down only. Read from the syntax tree, so lazy imports count too."""

import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).resolve().parents[1] / "sde_seg_jax"
MODULES = sorted(PACKAGE.rglob("*.py"))

FLOOR = (
    *("geometry", "imaging", "losses", "models", "mixing", "tasks", "training"),
    *("data", "selection", "evaluation", "display", "label_spaces"),
)
EVERYWHERE = (  # anyone may import them
    *("types", "reporter", "lookup", "options", "bounds", "part"),
    *("disk", "state_files", "text_files", "image_files", "processes"),
)
# part -> the parts of the package it may import (itself and EVERYWHERE always)
ALLOWED = {
    "types": set(),
    "label_spaces": set(),
    "reporter": set(),
    "lookup": set(),
    "options": set(),
    "bounds": set(),
    "part": set(),
    "compiled": set(),
    "disk": set(),
    "state_files": set(),
    "text_files": set(),
    "image_files": set(),
    "processes": set(),
    "geometry": set(),
    "imaging": set(),
    "training": set(),
    "selection": set(),
    "display": {"label_spaces"},
    "losses": {"geometry", "imaging"},
    "models": {"imaging"},
    "mixing": {"imaging"},
    "evaluation": {"imaging", "label_spaces"},
    "data": {"geometry.camera", "label_spaces"},
    "tasks": {"models", "losses", "mixing", "geometry", "imaging", "training"},
    "experiment": set(FLOOR),
    "api": {"experiment", "display", "geometry", "losses", "label_spaces", "data.fields", "compiled"},
    "cli": {*FLOOR, "experiment", "api", "compiled"},
}
# room of `data` -> the rooms it may import (`spec`, `fields` and `window` always)
ROOMS = {
    "raw_files": set(),
    "street_scenes": set(),
    "stored": set(),
    "annotation": {"raw_files"},
    "own": {"raw_files", "annotation"},
    "datasets": {"raw_files", "own", "annotation", "street_scenes"},
    "reading": {"stored"},
    "preparing": {"raw_files", "stored"},
    "matching": {"reading"},
    "inspecting": {"raw_files", "own", "datasets", "preparing", "stored", "reading"},
}
# library -> the parts (or files) that may import it
OWNERS = {
    "tensorflow": {"data", "experiment.export"},
    "jax.experimental.jax2tf": {"experiment.export"},
    "jax2onnx": {"experiment.export"},
    "onnx": {"experiment.export"},
    "onnxruntime": {"experiment.export"},
    "ai_edge_litert": {"experiment.export"},
    "tensorflow_datasets": {"data"},
    "matplotlib": {"display"},
    "torch": {"models.weight_readers"},
    "safetensors": {"models.weight_files", "models.weight_readers"},
    "huggingface_hub": {"experiment.weights"},
    "ml_collections": {"experiment", "cli", "api"},
    "absl": {"cli"},
}


def imports(path: pathlib.Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def dotted(path: pathlib.Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def inside(name: str, roots) -> bool:
    return any(name == root or name.startswith(root + ".") for root in roots)


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_point_down_only(path):
    part = dotted(path).split(".")[0]
    ours = {name.removeprefix("sde_seg_jax.") for name in imports(path) if name.startswith("sde_seg_jax.")}
    if part == "__init__":  # hands out what api has
        return
    wrong = {name for name in ours if not inside(name, {part, *EVERYWHERE, *ALLOWED[part]})}
    assert not wrong, f"{dotted(path)} may not import {sorted(wrong)}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "data").rglob("*/*.py")), ids=dotted)
def test_rooms_of_data_keep_their_walls(path):
    room = dotted(path).split(".")[1]
    ours = {n.removeprefix("sde_seg_jax.data.") for n in imports(path) if n.startswith("sde_seg_jax.data.")}
    wrong = {name for name in ours if not inside(name, {room, "spec", "fields", "window", *ROOMS[room]})}
    assert not wrong, f"{dotted(path)} may not import {sorted(wrong)}"


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_libraries_stay_in_their_part(path):
    for library, owners in OWNERS.items():
        if any(inside(name, {library}) for name in imports(path)):
            assert inside(dotted(path), owners), f"{dotted(path)} imports {library}; only {sorted(owners)} may"


def test_only_experiment_joins_data_and_models():
    for path in MODULES:
        ours = imports(path)
        both = any(n.startswith("sde_seg_jax.data") for n in ours) and any(
            n.startswith("sde_seg_jax.models") for n in ours
        )
        assert not both or inside(dotted(path), {"experiment"}), f"{dotted(path)} joins data and models"


def test_commands_do_not_import_commands():
    files = {path.stem for path in (PACKAGE / "cli").glob("*.py")} - {
        "command_line",
        "command_names",
        "completion_script",
        "sections",
        "annotation_flags",
        "movement_flags",
        "process_flags",
        "protocol_flags",
        "spelling",
        "notices",
    }
    for path in (PACKAGE / "cli").glob("*.py"):
        wrong = {name for name in imports(path) if inside(name, {f"sde_seg_jax.cli.{file}" for file in files})}
        assert not wrong, f"{dotted(path)} imports {sorted(wrong)}"


@pytest.mark.parametrize("path", [p for p in MODULES if dotted(p).split(".")[0] not in ("cli", "reporter")], ids=dotted)
def test_only_the_command_line_prints_and_exits(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            assert name not in ("print", "sys.exit", "exit"), f"{dotted(path)}:{node.lineno} calls {name}"
