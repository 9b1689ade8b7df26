"""The picture of a mix shows disparities where there are some, and no empty columns where there are none."""

from types import SimpleNamespace

import numpy as np
import pytest

from sde_seg_jax.experiment import monitor
from sde_seg_jax.label_spaces import CITYSCAPES


@pytest.mark.parametrize(("known", "columns"), [(True, 7), (False, 5)])
def test_disparities_stand_in_the_picture_if_they_are_known(monkeypatch, known, columns):
    seen = {}
    monkeypatch.setattr(monitor, "grid", lambda rows, captions: seen.update(rows=rows, captions=captions))
    image, plane = np.zeros((2, 8, 8, 3), np.float32), np.full((2, 8, 8), 0.5, np.float32)
    disparity = plane if known else None
    mix = SimpleNamespace(kept=image, under=image, image=image, mask=plane > 0, label=np.zeros((2, 8, 8), np.int32))
    mix.kept_disparity = mix.under_disparity = disparity
    monitor.mixing_picture(mix, CITYSCAPES)
    assert {len(row) for row in seen["rows"]} == {columns} == {len(seen["captions"])}
    assert all(picture.shape == (8, 8, 3) for row in seen["rows"] for picture in row)
    assert ("of the other" in seen["captions"]) == known
