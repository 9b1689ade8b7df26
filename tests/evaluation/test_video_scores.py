import numpy as np
import pytest

from sde_seg_jax.evaluation.video import MEASURES, comparison, status, verdict, video_scores


def frames(errors, unwarped, constant):
    rest = {name: np.full(len(errors), 0.25) for name in MEASURES}
    return {**rest, "error": errors, "error_unwarped": unwarped, "error_constant": constant}


def test_a_frame_is_explained_if_both_no_motion_and_no_depth_are_worse():
    found = video_scores(frames([0.1, 0.1, 0.1, 0.1], [0.2, 0.05, 0.2, 0.2], [0.2, 0.2, 0.1, 0.15]))
    assert found["video/frames"] == 4
    assert found["video/explained"] == 0.5  # the second stands better, the third is as good with a constant
    assert found["video/error_constant"] == pytest.approx(0.1625)
    assert found["video/auto_masked"] == 0.25


@pytest.mark.parametrize(
    ("explained", "sentence"),
    [
        (23, "depth explains the video better than no depth on 92% of 25 held-out frames"),
        (15, "depth begins to explain the video, on 60% of 25 held-out frames better than no depth: train longer"),
        (5, "not yet: depth explains only 20% of 25 held-out frames better than no depth: train longer"),
    ],
)
def test_the_verdict_is_one_sentence(explained, sentence):
    errors = [0.1] * explained + [0.3] * (25 - explained)
    found = video_scores(frames(errors, [0.2] * 25, [0.2] * 25))
    assert verdict(found) == sentence
    assert status(found["video/explained"]) == {23: "good", 15: "unclear", 5: "bad"}[explained]


def test_few_frames_are_said_to_be_few():
    assert verdict(video_scores(frames([0.1], [0.2], [0.2]))).endswith(
        "on 100% of 1 held-out frame (so few show little: hold out more)"
    )


def test_the_numbers_stand_on_one_line():
    text = comparison(video_scores(frames([0.1], [0.2], [0.15])))
    assert text.startswith("photometric error 0.1000; best constant depth 0.1500, unwarped 0.2000; auto-masked 25%")


def test_no_frame_is_no_verdict():
    with pytest.raises(ValueError, match="no frame was measured"):
        video_scores(frames([], [], []))
