"""Completion is tried in a real bash: it is given a line, and answers with words."""

import shutil
import subprocess

import pytest

from sde_seg_jax.cli.command_names import COMMANDS
from sde_seg_jax.cli.completion_script import SHELLS, script

BASH = shutil.which("bash")


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """complete(line) -> the words that bash offers at its end."""
    if BASH is None:
        pytest.skip("bash is not installed")
    file = tmp_path_factory.mktemp("completion") / "sde_seg.bash"
    file.write_text(script("bash"))

    def call(line, breaks=" \t\n=:"):
        ask = f'source "{file}"; COMP_WORDBREAKS="$2"; COMP_LINE="$1"; COMP_POINT=${{#COMP_LINE}}; _sde_seg; '
        ask += 'printf "%s\\n" "${COMPREPLY[@]}"'
        run = [BASH, "--norc", "-c", ask, "bash", line, breaks]
        return subprocess.run(run, capture_output=True, text=True, check=True, timeout=60).stdout.split()

    return call


def test_commands_are_completed(complete):
    assert complete("sde-seg pi") == ["pipeline"]
    assert set(complete("sde-seg ")) == {*COMMANDS, "--help", "--version"}


def test_flags_are_those_of_the_command(complete):
    assert complete("sde-seg table --dr") == ["--dry_run"]
    assert complete("sde-seg train --dr") == []
    assert "--split=" in complete("sde-seg evaluate --")
    assert complete("sde-seg completion z") == ["zsh"]


def test_configurations_rows_and_keys_follow_the_equals_sign(complete):
    assert complete("sde-seg train --config=quickst")[0] == "quickstart"
    assert complete("sde-seg train --config=folder:quick_dep") == ["quick_depth", "quick_depthmix"]
    assert complete("sde-seg train --config=folder --config.train.st") == ["--config.train.steps="]


def test_a_shell_that_does_not_break_words_there_gets_the_whole(complete):
    assert complete("sde-seg train --config=folder:quick_depthm", breaks=" ") == ["--config=folder:quick_depthmix"]


def test_other_values_are_files(complete, tmp_path):
    (tmp_path / "my_videos").mkdir()
    assert complete(f"sde-seg train --workdir={tmp_path}/my_") == [f"{tmp_path}/my_videos"]


def test_the_command_prints_it_and_names_the_shells(command, refused):
    for shell in SHELLS:
        status, out, _ = command("completion", f"--shell={shell}")
        assert status == 0
        assert out == script(shell)
    assert "compinit" in script("zsh")
    assert "needs a shell, bash or zsh: sde-seg completion bash" in refused("completion", "--shell=fish")
