"""What the guide and the README show exists: messages, links, commands with their flags and configurations."""

import ast
import functools
import itertools
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

import sde_seg_jax as sds

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
SHOWN = [ROOT / "README.md", ROOT / "docs/machines.md", *sorted(ROOT.glob("docs/guide/*.md"))]
LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^python -m sde_seg_jax\.cli\.(\w+) (.*)$", re.MULTILINE)


def name_of(page):
    return str(page.relative_to(ROOT))


def prose(page):
    return CODE.sub("", page.read_text(encoding="utf-8"))


def anchors(page):
    """Those that GitHub makes of headings, and those that a page sets itself."""
    text = prose(page)
    headings = [re.sub(r"<[^>]+>|[`*]", "", line) for line in re.findall(r"^#+ (.*)$", text, re.MULTILINE)]
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    wrong = []
    for target in LINK.findall(prose(page)):
        path, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
            wrong.append(target)
    assert wrong == []


@functools.cache
def constants():
    texts = []
    for path in (ROOT / "sde_seg_jax").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(texts)


def symptoms():
    text = (ROOT / "docs/guide/troubleshooting.md").read_text(encoding="utf-8")
    first_cells = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    return [cell for cell in first_cells if "RESOURCE_EXHAUSTED" not in cell]


@pytest.mark.parametrize("message", symptoms())
def test_a_symptom_is_a_message_of_ours(message):
    parts = [part.strip() for part in message.split("...")]
    assert [part for part in parts if len(part) > 3 and part not in constants()] == []


@functools.cache
def flags(command):
    module = f"sde_seg_jax.cli.{command}"
    found = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, timeout=300)
    return set(re.findall(r"^  --(?:\[no\])?([\w-]+)", found.stdout, re.MULTILINE))


def commands(page):
    for block in CODE.findall(page.read_text(encoding="utf-8")):
        yield from COMMAND.findall(block.replace("\\\n", " "))


def wishes():
    """(command, its flags) of the README's table of wishes, which leaves `python -m sde_seg_jax.cli.` out."""
    known = {path.stem for path in (ROOT / "sde_seg_jax/cli").glob("*.py")}
    for line in re.findall(r"^\| .* \|$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE):
        for code in re.findall(r"`([^`]+)`", line.split(" | ")[1]):
            name, _, given = code.partition(" ")
            if name in known:
                yield name, given


SHOWN_COMMANDS = [(name_of(page), *found) for page in SHOWN for found in commands(page)]
SHOWN_COMMANDS += [("wishes", *found) for found in wishes()]
OF_A_READER = ("NAME", "my_dinov2.py")  # configurations that no file of ours is


@pytest.mark.parametrize(("page", "command", "line"), SHOWN_COMMANDS, ids=lambda value: value.split("/")[-1][:40])
def test_a_command_has_its_flags_and_configuration(page, command, line):
    words = itertools.takewhile(lambda word: word != "--", shlex.split(line, comments=True))  # what follows is Beam's
    given = dict(word[2:].partition("=")[::2] for word in words)
    changes = {name.removeprefix("config."): value for name, value in given.items() if name.startswith("config.")}
    assert {name for name in given if not name.startswith("config.")} <= flags(command)
    if command != "table" and given.get("config", "NAME") not in OF_A_READER:
        config = sds.configure(given["config"])
        for key in changes:
            section, _, field = key.partition(".")
            assert field in config[section], key


def test_the_guide_shows_commands():
    assert len(SHOWN_COMMANDS) > 30
    assert len([page for page, *_ in SHOWN_COMMANDS if page == "wishes"]) > 12


TOY = {
    "data.size": (64, 64),
    "data.crop": (64, 64),
    "data.batch_size": 2,
    "dataset.counts.train": 4,
    "dataset.counts.val": 2,
    "train.steps": 2,
}


@pytest.mark.slow
def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    lines = code.splitlines()
    assert len([line for line in lines if line]) == 6
    configured, shown = sds.configure, []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sds, "configure", lambda name: configured(name, **TOY), raising=False)
    monkeypatch.setattr(sds.Prediction, "show", lambda prediction: shown.append(prediction))
    exec(code, {})
    assert shown[0].disparity.shape == (64, 64)
    assert 0 < float(capsys.readouterr().out.split()[-1]) < 100
