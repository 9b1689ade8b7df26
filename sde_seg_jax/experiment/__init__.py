"""A configuration becomes data, networks, steps and scores: what commands, notebooks and `api` share.

Enter: a configuration (`config`), a folder. Leave: runs, scores, pages, predictions. It raises and never exits, prints
or reads flags: what is to be told goes to a `reporter.Reporter` that is handed in. Called by `cli` and `api`; the only
part that imports data together with models. Rooms: `configuration` (how configurations are found and changed),
`weights` (where networks start from), `prediction`, `selection`, `annotation`, `table`, `doctor`.
"""
