"""Files of state that were damaged at random: read all the same, or refused in one line that names them."""

import fuzz


def test_no_damage_of_state_ends_in_a_traceback_or_without_the_files_name(tmp_path):
    outcomes = fuzz.run(tmp_path, cases=400, seed=0, slow=0.1)
    assert len({outcome.file for outcome in outcomes}) == 21
    assert not [(outcome.file, outcome.kind, outcome.content, outcome.wrong) for outcome in outcomes if outcome.wrong]
    assert sum(bool(outcome.refused) for outcome in outcomes) > 150  # damage was done, and seen
