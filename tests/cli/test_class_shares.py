"""The classes' shares of the labeled pixels, by which rare classes count more in pseudo labels."""

import jax
import numpy as np

from sde_seg_jax.data.reading.class_shares import class_shares
from sde_seg_jax.data.reading.subset import indices_of
from sde_seg_jax.experiment.configuration.configure import configure
from sde_seg_jax.experiment.run import start


def test_a_run_counts_the_labels_that_it_may_use_and_its_loss_asks_for_no_more(tmp_path):
    changes = {"task.mix": "class", "task.prior": 0.3, "task.kept": "labeled", "model.init": "", "model.transfer": ()}
    changes |= {"task.depth_checkpoint": "", "data.labels": 2, "data.prepared_dir": str(tmp_path / "prepared")}
    run = start(configure("tests/tiny/config.py:semi_supervised", changes))
    shares, source = class_shares(run.data), run.data.source("train", ("label",))
    chosen = indices_of(source, run.data.labeled_names())
    assert len(chosen) == 2
    labels = np.concatenate([np.ravel(source.read(index)["label"]) for index in chosen])
    expected = [np.mean(labels[labels != 255] == i) for i in range(run.data.space.num_classes)]
    np.testing.assert_allclose(shares, expected, rtol=1e-12)
    state, batch = run.state, next(run.batches)
    value, aux = jax.eval_shape(run.loss, state.student.params, state, batch, jax.random.key(0))
    assert value.shape == ()
    assert "agreement" in aux.logs
