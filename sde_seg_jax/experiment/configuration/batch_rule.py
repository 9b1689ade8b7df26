"""What learning rates become under another global batch, by the usual rules: told, never applied by itself.

SGD: in proportion to the batch, with a warm-up (Goyal et al. 2017, arXiv:1706.02677, section 2.1). Adam and AdamW: with
its square root (Malladi et al. 2022, arXiv:2205.10287). Neither was tried here on these tasks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from ml_collections import config_dict

from sde_seg_jax.experiment.config import UsageError

LINEAR, ROOT = "in proportion to the batch (Goyal et al. 2017)", "with the batch's square root (Malladi et al. 2022)"
RULES = {"sgd": (LINEAR, lambda ratio: ratio), "adam": (ROOT, math.sqrt), "adamw": (ROOT, math.sqrt)}


def rates(config: config_dict.ConfigDict, from_batch: int) -> Iterator[str]:
    """Yields lines: the rule of the optimiser, and the flags that follow it from `from_batch` to data.batch_size.

    Raises UsageError for an optimiser without a rule.
    """
    name, batch = config.optim.name, config.data.batch_size
    if name not in RULES:
        raise UsageError(f"config.optim.name={name}: no rule is known; there are rules for {', '.join(RULES)}")
    rule, factor_of = RULES[name]
    factor = factor_of(batch / from_batch)
    yield f"data.batch_size={batch} instead of {from_batch}; {name}: rates grow {rule}: times {factor:g}"
    yield f"  --config.optim.learning_rate={config.optim.learning_rate * factor:g}"
    for module, rate in config.optim.module_rates.items():
        yield f"  --config.optim.module_rates.{module}={rate * factor:g}"
    steps = math.ceil(config.train.steps * from_batch / batch)
    yield f"  --config.train.steps={steps}   as many images as {config.train.steps} steps of {from_batch}"
    if batch > from_batch:
        yield "Start slowly: let rates rise over the first hundreds of steps (schedule cosine has a warm-up)."
    yield "These are starting points from other tasks, not tried here; nothing is changed until you give the flags."
