"""One file a mixing rule: it ends with `RULE`, the record of `rule.Rule`; the other files are what rules share."""
