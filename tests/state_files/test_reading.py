"""One message for every damaged file of state: which file, where in it, what was expected, what to do."""

import json

import pytest
import targets

from sde_seg_jax.experiment import build
from sde_seg_jax.experiment.config import as_json
from sde_seg_jax.state_files import schemas
from sde_seg_jax.state_files.reading import DamagedFile, parse, read_json, read_lines
from sde_seg_jax.training.checkpoints import CheckpointError, Stored

SCHEMA = schemas.record({"step": schemas.COUNT}, {"names": schemas.listed(schemas.TEXT)})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b'{"step": 1', "Expecting ',' delimiter: line 1 column 11 .char 10."),
        (b"\x80\x81", "not UTF-8: byte 0x80 at 0"),
        (b"[1]", "must be object, is .1."),
        (b"{}", "must contain .'step'. properties"),
        (b'{"step": "1"}', 'at step: must be integer, is "1"'),
        (b'{"step": 1.0}', "at step: must be integer, is 1.0"),
        (b'{"step": true}', "at step: must be integer, is true"),
        (b'{"step": -1}', "at step: must be bigger than or equal to 0, is -1"),
        (b'{"step": 1, "names": ["a", "b", 3]}', r"at names\[2\]: must be string, is 3"),
        (b'{"step": 1, "more": NaN}', "NaN is no number of JSON"),
        (b'{"step": 1, "more": 1e400}', "1e400 is no number that a computer holds"),
        (b'{"step": 99999999999999999}', "99999999999999999 is larger than any number that is written here"),
        (b'{"step": 1, "more": "\\u0000"}', "holds a character that is none"),
        (b'{"step": 1, "more": "\\ud800"}', "holds a character that is none"),
        (b'{"step": 1, "more": ' + b"[" * 60 + b"]" * 60 + b"}", "more than 48 levels deep"),
        (b"[" * 100_000, "more than 48 levels deep"),
    ],
)
def test_the_message_has_file_place_expectation_and_remedy(content, reason, tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(DamagedFile, match=rf"^{path} is damaged \(.*{reason}.*\): delete it$"):
        read_json(path, SCHEMA, "delete it")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_other_systems_write_is_read(encoding, tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(json.dumps({"step": 1, "names": ["é"]}, ensure_ascii=False).encode(encoding))
    assert read_json(path, SCHEMA) == {"step": 1, "names": ["é"]}


def test_keys_that_no_schema_names_may_be_there():
    assert parse('{"step": 1, "of a newer version": [0.5]}', "x", SCHEMA)["step"] == 1


def test_of_lines_only_a_last_one_that_was_cut_off_is_left_out(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"step": 1}\n\n{"step": 2, "loss": NaN}\n{"step": 3, "lo')
    assert read_lines(path, schemas.METRICS_LINE) == [{"step": 1}, {"step": 2, "loss": None}]
    path.write_text('{"step": 1}\n{"st\n{"step": 3}\n')
    with pytest.raises(DamagedFile, match=rf"^line 2 of {path} is damaged \(.*\): remove it"):
        read_lines(path, schemas.METRICS_LINE, "remove it")


@pytest.mark.parametrize(
    "config",
    [
        None,
        "x",
        {},
        {"learning_rate": 0.1, "model": "unet"},
        {"seed": 1, "data": {"dataset": "coco", "labels": 1}, "model": {}, "task": {"name": "depth"}},
        {"seed": 1, "data": {"dataset": "street_scenes", "labels": 1}, "model": {}, "task": {"name": "detection"}},
        {"seed": 1, "data": {"dataset": "street_scenes", "labels": 1}, "model": {}, "task": {"name": "depth"}},
        {"a.b": 1},
    ],
)
def test_a_checkpoint_with_a_foreign_configuration_is_refused_as_such(config):
    with pytest.raises(
        CheckpointError, match=r"^checkpoint runs/x, step 7, carries no configuration of this program .*: give one that"
    ):
        build.network_of(Stored("runs/x", 7, config, {}))


def test_a_checkpoint_of_ours_is_not_foreign():
    config = as_json(targets.tiny_config("depth"))
    assert build.network_of(Stored("runs/x", 7, config, {}))[1].depth_decoder is not None
