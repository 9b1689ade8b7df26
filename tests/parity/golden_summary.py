"""The line `recordings covered: N/M` after a test run, counted from the tests that really passed."""

import re

import golden

REPORTED = ("passed", "failed", "error")


def names_in(nodeid: str, known) -> set[str]:
    """The recordings named in a test's parameter id, e.g. test_x[g10_mix-compact-f32]; what is made is none."""
    match = re.search(r"\[(.*)\]$", nodeid)
    if "parity" not in nodeid or not match:
        return set()
    inside = f"-{match.group(1)}-"
    if "-made-" in inside:
        return set()
    return {name for name in known if f"-{name}-" in inside}


def lines(stats: dict) -> list[str]:
    """Summary lines for pytest's statistics {outcome: [reports]}; none if no parity test ran."""
    folder = golden.full_dir() or golden.COMPACT
    if not (folder / "manifest.json").is_file():
        return ["recordings: none found"]
    known = set(golden.manifest(folder))
    seen = {outcome: set() for outcome in REPORTED}
    for outcome in REPORTED:
        for report in stats.get(outcome, []):
            seen[outcome] |= names_in(getattr(report, "nodeid", ""), known)
    if not any(seen.values()):
        return []
    covered = seen["passed"] - seen["failed"] - seen["error"]
    text = []
    if golden.full_dir() is None:
        text.append(
            "full recording set not found (SDE_SEG_REFERENCE_DIR is not set): checked the compact selection only"
        )
    text.append(f"recordings covered: {len(covered)}/{len(known)}")
    for prefix, reason in golden.NOT_COVERED.items():
        open_names = sorted(name for name in known - covered if name.startswith(prefix))
        if open_names:
            text.append(f"  not covered: {', '.join(open_names)} ({reason})")
    unexplained = sorted(n for n in known - covered if not n.startswith(tuple(golden.NOT_COVERED)))
    if unexplained:
        text.append(f"  not checked in this run: {', '.join(unexplained)}")
    return text
