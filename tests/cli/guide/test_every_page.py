"""No page of the guide is forgotten: a test follows it, or it is named here with a reason."""

import ast
import pathlib
import re

import pytest
from pages_of_the_guide import GUIDE, ROOT, blocks, commands

FOLDER = pathlib.Path(__file__).resolve().parent
FOLLOWS = ("follow", "walk")  # fixtures that run all commands of a page
ELSEWHERE = {  # page: the test that runs its commands otherwise
    "several_machines.md": "tests/cli/test_several_processes.py",  # each in a process of its own, at the same time
}
# what a reader types beside our commands, and what stands for it in these tests
OTHERS = {
    r"make quickstart": "the fixture quickstart runs the Makefile's command",
    r"pip install .+": "tests need these packages; nothing is installed by a test",
    r"python serve\.py &": "test_export_and_serving serves in a thread",
    r"curl --data-binary @street\.jpg .+": "test_export_and_serving asks with urllib",
}
TYPED = re.compile(r"^(?:(?:make|pip|python|curl|git|export|bash|sde_seg_jax) |\./).*", re.MULTILINE)
PAGES = sorted(page.name for page in GUIDE.glob("*.md"))


def first_arguments(names):
    """The texts that the tests of this folder give first to calls of `names`."""
    found = set()
    for file in FOLDER.glob("test_*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        texts = {
            node.targets[0].id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names and node.args:
                first = node.args[0]
                found.add(texts.get(first.id) if isinstance(first, ast.Name) else getattr(first, "value", None))
    return found


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_a_page_are_run_by_a_test(page):
    followed = page in first_arguments(FOLLOWS)
    assert followed != (page in ELSEWHERE) if commands(page) else not followed


@pytest.mark.parametrize("page", PAGES)
def test_python_of_a_page_is_run_by_a_test(page):
    assert page in first_arguments(["code"]) or "python" not in dict(blocks(page))


@pytest.mark.parametrize("page", PAGES)
def test_what_else_a_reader_types_is_known(page):
    texts = [text.replace("\\\n", " ") for language, text in blocks(page) if language in ("", "bash", "sh", "console")]
    typed = [line for text in texts for line in TYPED.findall(text)]
    known = (*OTHERS, r"python -m sde_seg_jax\.cli\.\w+ .+")
    assert [line for line in typed if not any(re.fullmatch(form, line) for form in known)] == []


def test_what_is_named_here_is_still_so():
    assert set(ELSEWHERE) <= set(PAGES)
    for test in ELSEWHERE.values():
        assert (ROOT / test).is_file()
    typed = [line for page in PAGES for _, text in blocks(page) for line in TYPED.findall(text)]
    assert [known for known in OTHERS if not any(re.fullmatch(known, line) for line in typed)] == []
