"""The encoder as a run would start from it: its features compare images where there is no depth."""

from __future__ import annotations

from ml_collections import config_dict

from sde_seg_jax.experiment.build import Trained, build_network
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.weights.sources import opener
from sde_seg_jax.experiment.weights.transfer import transfer
from sde_seg_jax.models.init import initial_variables
from sde_seg_jax.types import Variables

ENCODER = "encoder"


def starting_encoder(config: config_dict.ConfigDict) -> Trained:
    """The configuration's network with the encoder's variables alone. Raises UsageError if they would be random."""
    network = build_network(config)
    variables = initial_variables(network, config.seed, tuple(config.data.crop))
    rules = config.model.transfer or (tuple(variables.params) if config.model.init else ())
    variables, rows = transfer(variables, rules, opener(config))
    if not sum(row["copied"] for row in rows if row["module"].split("/")[0] == ENCODER):
        raise UsageError(
            f"criterion {config.select.criterion} compares features of a trained encoder, and this one would start "
            "from random weights: name some, as in --config.model.transfer=\"('encoder from imagenet',)\""
        )
    only = ({ENCODER: tree.get(ENCODER, {})} for tree in (variables.params, variables.batch_stats))
    return Trained(network, Variables(*only), config, 0)
