"""Whether a run's losses can do without what a crop shows beyond an image that data.scale has made smaller."""

from __future__ import annotations

from collections.abc import Collection

from sde_seg_jax.data.reading.dataset import Data
from sde_seg_jax.data.reading.scaling import least_without_padding, may_pad
from sde_seg_jax.experiment.errors import UsageError
from sde_seg_jax.tasks.loss_terms import reads_label


def check_scaled_crops(data: Data, losses: Collection[str]) -> None:
    """Raises UsageError if an image may become smaller than its crop and a term of the loss cannot leave out the rest.

    Terms that read labels ignore it, as consistency does. To all others, such as the photometric error, it is a black
    wall: no neighbor explains the pixels at its edge, and smoothness and means count it.
    """
    unmasked = [name for name in losses if not reads_label(name)]
    for domain in (data, data.source_domain):
        if unmasked and domain is not None and may_pad(domain.size, domain.crop, domain.scale):
            least = least_without_padding(domain.size, domain.crop)
            raise UsageError(
                f"data.scale={domain.scale} makes images {domain.size} of '{domain.dataset}' smaller than the crop "
                f"{domain.crop}, and losses.{unmasked[0]} cannot leave out what is missing: raise the least scale to "
                f"{least}, or lower data.crop"
            )
