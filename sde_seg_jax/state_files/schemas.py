"""What each file of JSON state holds, as JSON Schema (draft 4): what its readers rely on, and no more.

Keys that a schema does not name may be there: files of older and newer versions are read, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
NAME: Schema = {"type": "string", "minLength": 1}
COUNT: Schema = {"type": "integer", "minimum": 0}
POSITIVE: Schema = {"type": "integer", "minimum": 1}
LIMIT = 1e39  # of measured values: more than float32 holds
SCORE: Schema = {"type": ["number", "null"], "minimum": -LIMIT, "maximum": LIMIT}  # null stands for what is not finite
OPTIONS: Schema = {"type": "object"}


def listed(item: Schema, least: int = 0) -> Schema:
    """A list of at least so many."""
    return {"type": "array", "items": item, "minItems": least}


def pair(item: Schema) -> Schema:
    """A list of two."""
    return {"type": "array", "items": item, "minItems": 2, "maxItems": 2}


def record(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object with these keys, and maybe others."""
    return {"type": "object", "required": [*required], "properties": {**required, **(optional or {})}}


def each(value: Schema) -> Schema:
    """An object of any keys whose values are all alike."""
    return {"type": "object", "additionalProperties": value}


SIZE = pair({"type": "integer", "minimum": 1, "maximum": 2**20})
CHANNEL: Schema = {"type": "integer", "minimum": 0, "maximum": 255}
COLOR = {"type": "array", "items": CHANNEL, "minItems": 3, "maxItems": 3}
CLASS: Schema = {"type": "array", "items": [NAME, CHANNEL, CHANNEL, CHANNEL], "minItems": 4, "maxItems": 4}
STREAM = record({"dataset": NAME}, {"prepared_dir": TEXT, "raw_dir": TEXT, "classes": listed(CLASS)})

# config.json of a run or selection, and what a checkpoint carries of it
CONFIG: Schema = {
    "type": "object",
    "required": ["seed", "data", "model", "task"],
    "properties": {
        "name": TEXT,
        "seed": {"type": "integer"},
        "data": record({"dataset": NAME, "labels": COUNT}, STREAM["properties"]),
        "dataset": OPTIONS,
        "source_data": STREAM,
        "source_dataset": OPTIONS,
        **dict.fromkeys(("model", "losses", "optim", "schedule", "train", "eval", "select", "matching"), OPTIONS),
        "task": record({"name": NAME}),
        "pipeline": record({}, {"stages": listed(NAME)}),
    },
    # a section, or a value that belongs to none
    "additionalProperties": {"type": ["object", "string", "number", "boolean", "null"]},
}
# metrics.jsonl of a run, line by line
METRICS_LINE: Schema = {
    "type": "object",
    "required": ["step"],
    "properties": {"step": COUNT, "seconds": {"type": "number", "minimum": 0, "maximum": 1e10}},
    "additionalProperties": {**SCORE, "type": ["number", "null", "string"]},
}
# metrics.json of a run: scores by name; "iou" may be the list of all classes, "protocol" says how they came about,
# "verdict" is a sentence on depth
SCORES: Schema = {
    "type": "object",
    "required": ["step"],
    "properties": {
        "step": COUNT,
        "iou": listed(SCORE),
        "teacher/iou": listed(SCORE),
        "protocol": TEXT,
        "verdict": TEXT,
    },
    "additionalProperties": SCORE,
}
# evaluated.json among a run's pictures
DRAWN = record({"pictures": listed({"type": "string", "pattern": r"^[a-z_]+\.png$"})})
# status.json of a run of a table: {"commits": of the code that trained it, "failed": why it stopped, or empty}
STATUS = record({}, {"commits": listed(TEXT), "failed": TEXT})
# predictions.jsonl of an output of cli.predict, line by line: how all are predicted, then which files are
PREDICTED = record(
    {},
    {
        "settings": OPTIONS,
        "depth": record({"factor": {"type": "number", "minimum": 1e-9, "maximum": 1e9}, "told": TEXT}),
        "file": {"type": "array", "minItems": 4, "maxItems": 4, "items": [TEXT, TEXT, COUNT, COUNT]},
        "frames": COUNT,
        "flicker": each({"type": "number"}),
    },
)
# facts.json of a selection: what it was begun with
FACTS = each(TEXT)

RECIPE = record(
    {"size": SIZE, "image_format": NAME, "options": OPTIONS, "splits": listed(NAME)},
    {"resize": TEXT},
)
SPLIT = record({"names": listed(TEXT), "labeled": listed(FLAG), "fields": listed(NAME)})
SHARDS = record({"lengths": listed(COUNT), "bytes": COUNT})
SPACE: Schema = {
    "type": "array",
    "items": [TEXT, listed(TEXT), listed(COLOR), {"type": "integer", "minimum": -1, "maximum": 255}],
    "minItems": 4,
    "maxItems": 4,
}
# metadata.json of prepared data of this schema
RAW = each(record({"count": COUNT, "digest": NAME}))
PREPARED = record(
    {
        "recipe": RECIPE,
        "space": SPACE,
        "splits": each(SPLIT),
        "class_pixels": each(listed(COUNT)),
        "class_images": each(listed(COUNT)),
        "ignored_pixels": each(COUNT),
        "skip_bad": FLAG,
        "left_out": each(listed(TEXT)),
        "warnings": listed(TEXT),
        "shards": each(SHARDS),
    },
    {"raw": RAW},
)
# data.json of a run
RUN_DATA = record({"raw": RAW})
# of any schema: only what tells them apart
VERSIONED = record({"recipe": record({"schema": {"type": "integer"}})})
# features.json and dataset_info.json are read by TFDS and by programs of others, and looked at by cli.doctor
FEATURES = record({"pythonClassName": NAME, "featuresDict": record({"features": OPTIONS})})
NUMBER_AS_TEXT: Schema = {"type": "string", "pattern": "^[0-9]{1,18}$"}  # how protobuf writes 64 bits in JSON
DATASET_INFO = record(
    {"fileFormat": NAME, "name": NAME, "splits": listed(record({"name": NAME, "shardLengths": listed(NUMBER_AS_TEXT)}))}
)
# notes of unfinished prepared data: the plan, and what became of the items of each shard
PLAN: Schema = OPTIONS
PART = record(
    {
        "names": listed(TEXT),
        "labeled": listed(FLAG),
        "fields": {"type": ["array", "null"], "items": NAME},
        "pixels": listed(COUNT, least=1),
        "images": listed(COUNT),
        "left_out": listed(TEXT),
        "warnings": listed(TEXT),
        "bytes": COUNT,
    }
)
# cache.json and begun.json of a depth cache of this schema; of another, only what tells them apart
CACHE = record(
    {
        "weights": NAME,
        "checkpoint": TEXT,
        "step": COUNT,
        "shard_size": {"type": "integer", "minimum": 1, "maximum": 2**24},
        "size": SIZE,
        "recipe": OPTIONS,
        "names": listed(TEXT),
    }
)
# what looking at all frames of a video found
VIDEO_LISTING = record(
    {
        "times": listed({"type": ["integer", "null"]}, least=1),
        "is_key": listed(FLAG),
        "kept": listed(COUNT),
        "size": SIZE,
    }
)
# times.json beside compiled programs: digest -> [platform, operations, seconds to compile]
COMPILE_TIMES = each(
    {
        "type": "array",
        "items": [NAME, COUNT, {"type": "number", "minimum": 0, "maximum": 1e10}],
        "minItems": 3,
        "maxItems": 3,
    }
)
# what a geometry index, an .npz of decoded samples and a contact of caches say of themselves
GEOMETRY = record({"count": COUNT, "size": SIZE, "cells": SIZE, "scale": NAME, "names": TEXT, "weights": TEXT})
SAMPLES = record({"source": TEXT, "space": SPACE})
# the record beside an exported file: what reading it needs
EXPORT = record(
    {
        "format": NAME,
        "size": SIZE,
        "outputs": each(TEXT),
        "classes": listed(NAME),
        "colors": listed(COLOR),
        "label_space": TEXT,
        "depth_range": pair({"type": "number", "minimum": 0, "maximum": LIMIT}),
        "weights": NAME,
        "task": NAME,
        "encoder": NAME,
        "step": COUNT,
    },
    {
        "batch": {"type": ["integer", "null"], "minimum": 1, "maximum": 2**16},
        "input_size": {"type": ["array", "null"], "items": POSITIVE, "minItems": 2, "maxItems": 2},
    },
)
