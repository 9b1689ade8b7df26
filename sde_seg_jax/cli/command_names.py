"""The commands, in the order in which they are listed."""

COMMANDS = (
    "pipeline",
    "doctor",
    "prepare",
    "cache_depth",
    "train",
    "select",
    "overlap",
    "evaluate",
    "predict",
    "convert",
    "export",
    "push",
    "report",
    "table",
    "config",
    "completion",
)
