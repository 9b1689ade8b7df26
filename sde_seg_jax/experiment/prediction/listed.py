"""What --input can be: a file, a folder, a pattern, a list of files, or such a list on standard input."""

from __future__ import annotations

import glob
import os
import pathlib
from collections.abc import Callable, Sequence

from sde_seg_jax.data.raw_files import listing
from sde_seg_jax.experiment.errors import UsageError
from sde_seg_jax.experiment.prediction.sources import Sources, find_sources, named
from sde_seg_jax.text_files import read_lines

STDIN = "-"
LISTS = (".txt", ".lst")  # names of files that list files
COMMENT = "#"


def sources_of(text: str, output: pathlib.Path, stdin: Callable[[], Sequence[str]]) -> Sources:
    """The files that are meant; what is written mirrors their tree, from the folder that has all of them.

    Args:
      text: the path of an image, a video, a folder or a list, a pattern with * ? [ or ** (all folders below), or "-".
      output: the folder of all results, which is passed over.
      stdin: gives the lines of standard input, for "-".

    Raises:
      UsageError: there is nothing of the kind, or a list names files that are not there.
    """
    path = pathlib.Path(text).expanduser()
    if text == STDIN:
        return _listed(stdin(), "standard input", pathlib.Path())
    if path.is_file() and listing.suffix(path.name) in LISTS:
        try:
            lines = read_lines(path)
        except ValueError as error:
            raise UsageError(f"--input={text}: {error}") from error
        return _listed(lines, str(path), path.parent)
    if not path.exists() and glob.has_magic(text):
        return _matching(text, output)
    return find_sources(path, output)


def _listed(lines: Sequence[str], where: str, base: pathlib.Path) -> Sources:
    """Files, one a line, relative to `base`; empty lines and those that begin with # are passed over."""
    named_lines = [(number, line.strip()) for number, line in enumerate(lines, start=1)]
    wanted = {
        base / pathlib.Path(line).expanduser(): number
        for number, line in reversed(named_lines)
        if line and not line.startswith(COMMENT)
    }
    if not wanted:
        raise UsageError(f"{where} lists no files; write the path of an image or video on each line")
    missing = [(number, path) for path, number in wanted.items() if not path.is_file()]
    if missing:
        number, path = min(missing)
        what = "is a folder: give it as --input" if path.is_dir() else "does not exist"
        raise UsageError(
            f"{where} names {len(missing)} of {len(wanted)} files that cannot be read, the first is '{path}' in line "
            f"{number}, which {what}"
        )
    return _together([path for path, _ in sorted(wanted.items(), key=lambda item: item[1])], [])


def _matching(text: str, output: pathlib.Path) -> Sources:
    found = [pathlib.Path(path) for path in glob.glob(os.path.expanduser(text), recursive=True)]
    results = output.resolve()
    files = [path for path in found if path.is_file() and not path.resolve().is_relative_to(results)]
    known = (*listing.IMAGES, *listing.VIDEOS)
    media = [path for path in files if listing.suffix(path.name) in known]
    other = [path for path in files if path not in set(media)]
    if not media:
        there = f"; it matches {listing.kinds(other)}" if other else ""
        raise UsageError(f"--input={text}: matches no images or videos{there}; put it in quotes, '**' is all below")
    return _together(sorted(media, key=lambda path: [listing.natural(part) for part in path.parts]), other)


def _together(files: Sequence[pathlib.Path], other: list[pathlib.Path]) -> Sources:
    """Files from anywhere, under the folder that they have in common."""
    absolute = [pathlib.Path(os.path.abspath(path)) for path in files]
    root = pathlib.Path(os.path.commonpath([path.parent for path in absolute]))
    return Sources(named(root, [path.relative_to(root) for path in absolute], []), other, [])
