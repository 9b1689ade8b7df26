"""A table's configuration file: rows, label counts, seeds, quoted numbers, and the stages that rows start from."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection, Iterator, Mapping

from ml_collections import config_dict

from sde_seg_jax.experiment.config import ConfigFile, UsageError, as_json, load_config, override
from sde_seg_jax.experiment.configuration.files import find, load_module, split

# Overrides of these sections reach the stages, too: data, network and rhythm are one; what is learnt, and how, is not.
SHARED = ("data", "dataset", "model", "sources", "train", "eval")
FLAGS = {"seed": "seeds", "data.labels": "labels"}  # keys that the table itself varies


@dataclasses.dataclass(frozen=True)
class TableFile:
    """The module attributes of a table file, checked. `options` is what stands after the colon, for every run."""

    path: str
    title: str
    metric: str
    rows: tuple[str, ...]
    labels: tuple[int, ...]
    seeds: tuple[int, ...]
    paper: Mapping[tuple[str, int], str]
    source: str
    stages: Mapping[str, str]
    options: str = ""
    against: Mapping[str, str] = dataclasses.field(default_factory=dict)  # row -> the one that lacks its ingredient
    split: str = ""  # that is scored; "": the configuration's validation split

    def argument(self, row: str, labels: int, seed: int) -> str:
        """What `get_config` is given for one run."""
        return ",".join([row, f"labels={labels}", f"seed={seed}", *([self.options] if self.options else [])])


def read_table(file: ConfigFile, metric: str = "", against: str = "", split: str = "") -> TableFile:
    """A table file, shown by `metric`, on `split`, its rows compared with the row `against` (default: its own).

    Raises UsageError if it is none, or contradicts itself.
    """
    path, module = file.path, load_module(file.path)
    missing = [name for name in ("TITLE", "ROWS", "LABELS", "SEEDS") if not hasattr(module, name)]
    if missing:
        raise UsageError(f"{path} is no table: it lacks {', '.join(missing)}; use cli.pipeline or cli.train")
    if file.row and "=" not in file.row.split(",")[0]:
        raise UsageError(f"cli.table runs all rows; write --rows={file.row} instead of ':{file.row}'")
    for key, flag in FLAGS.items():
        if key in file.overrides:
            raise UsageError(f"--config.{key}: a table runs several; use --{flag}={file.overrides[key]}")
    rows, labels, seeds = tuple(module.ROWS), tuple(module.LABELS), tuple(module.SEEDS)
    for name, values in (("ROWS", rows), ("LABELS", labels), ("SEEDS", seeds)):
        kind = str if name == "ROWS" else int
        if not values or len(set(values)) < len(values) or not all(isinstance(value, kind) for value in values):
            raise UsageError(f"{path}: {name} must hold different {kind.__name__}, at least one; got {values}")
    usual = getattr(module, "METRIC", "miou")
    metric = metric or usual
    paper, source = dict(getattr(module, "PAPER", {})), getattr(module, "SOURCE", "")
    unknown = [key for key in paper if key[0] not in rows]
    if unknown:
        raise UsageError(f"{path}: PAPER quotes {unknown[0]}, but {_nearest(unknown[0][0], rows, 'ROWS')}")
    if paper and not source:
        raise UsageError(f"{path}: PAPER quotes numbers, but SOURCE does not say from where")
    partners = dict(getattr(module, "AGAINST", {}))
    for name in [*partners, *partners.values()]:
        if name not in rows:
            raise UsageError(f"{path}: AGAINST: {_nearest(name, rows, 'ROWS')}")
    if against:
        pick(against, rows, "against")
        partners = {row: against for row in rows if row != against}
    return TableFile(
        path=path,
        title=module.TITLE + (f" ({file.row})" if file.row else ""),
        metric=metric,
        rows=rows,
        labels=labels,
        seeds=seeds,
        paper={} if file.row or metric != usual else paper,  # quoted for the file's own data set and selection
        source=source,
        stages=dict(getattr(module, "STAGES", {})),
        options=file.row,
        against=partners,
        split=split or getattr(module, "SPLIT", ""),
    )


def pick(wanted: str, known: Collection[str], flag: str) -> tuple[str, ...]:
    """The names of a flag such as "a,b", in the order of `known`; all if it is empty. Raises UsageError."""
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise UsageError(f"--{flag}={wanted}: {_nearest(name, known, flag)}")
    return tuple(name for name in known if not names or name in names)


def numbers(text: str, default: tuple[int, ...], flag: str) -> tuple[int, ...]:
    """The whole numbers of a flag such as "42,43", each once; the default if it is empty. Raises UsageError."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    wrong = [word for word in words if not word.isdecimal()]
    if wrong:
        raise UsageError(f"--{flag}={text}: '{wrong[0]}' is no whole number; write --{flag}=42,43")
    return tuple(dict.fromkeys(map(int, words))) or default


def _nearest(name: str, known: Collection[str], where: str) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return f"'{name}' is not in {where}; {hint}known: {', '.join(known) or 'none'}"


def stages_of(
    config: config_dict.ConfigDict, table: TableFile, overrides: Mapping[str, str]
) -> dict[str, config_dict.ConfigDict]:
    """All stages that a configuration needs, with their configurations, in the order in which they must run.

    Raises UsageError for a stage that STAGES lacks, and for stages that need each other.
    """
    found: dict[str, config_dict.ConfigDict] = {}
    _collect(config, table, overrides, found, ())
    return found


def _collect(config, table: TableFile, overrides: Mapping[str, str], found: dict, path: tuple[str, ...]) -> None:
    for name in dict.fromkeys(references(config)):
        if name in path:
            raise UsageError(f"{table.path}: STAGES need each other: {' -> '.join([*path, name])}")
        if name in found:
            continue
        if name not in table.stages:
            raise UsageError(f"{table.path}: '@{name}': {_nearest(name, table.stages, 'STAGES')}")
        stage = _load_stage(table, name, overrides)
        _collect(stage, table, overrides, found, (*path, name))
        found[name] = stage


def references(config: config_dict.ConfigDict) -> Iterator[str]:
    """The names of the stages that a configuration refers to as "@name", or with a file there as "@name/file"."""
    for section in as_json(config).values():
        for value in section.values() if isinstance(section, dict) else ():
            if isinstance(value, str) and value.startswith("@"):
                yield value[1:].partition("/")[0]


def _load_stage(table: TableFile, name: str, overrides: Mapping[str, str]) -> config_dict.ConfigDict:
    """The configuration of a stage: a name, or a path from a folder above the table's, such as the repository.

    A stage in the table's own file gets the table's options, too.
    """
    path, row = split(table.stages[name])
    own = find(table.path).resolve()
    file = next((str(folder / path) for folder in own.parents if (folder / path).is_file()), path)
    shared = {key: text for key, text in overrides.items() if key.partition(".")[0] in SHARED}
    if table.options and find(file).resolve() == own:
        row = f"{row},{table.options}"
    return override(load_config(file, row), shared)
