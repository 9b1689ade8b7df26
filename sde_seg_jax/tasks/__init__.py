"""One file a training task: it ends with `TASK`, the record of `task.Task`; the other files are what tasks share."""
