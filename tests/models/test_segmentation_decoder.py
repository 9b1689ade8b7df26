"""The segmentation head's layers and output size."""

import jax
import numpy as np
import pytest

from sde_seg_jax.models.depth_decoder import DepthDecoder
from sde_seg_jax.models.segmentation import SegmentationDecoder, SegmentationHead

CHANNELS = (4, 6, 8, 10, 12)


@pytest.mark.parametrize("layers", [(9,), (8,), (3, 7, 9)])
@pytest.mark.parametrize("stride", [1, 4])
def test_logits_have_the_images_size_from_any_layers(layers, stride):
    head = SegmentationHead(5, layers, stride=stride)
    decoder = SegmentationDecoder(DepthDecoder(CHANNELS, aspp_rates=(1,), scales=()), head)
    maps = [np.zeros((2, 64 >> i, 96 >> i, 3), np.float32) for i in range(5)]
    logits, made = jax.eval_shape(lambda m: decoder.init_with_output(jax.random.key(0), m), maps)
    assert logits.shape == (2, 128, 192, 5)
    inputs = (3, 3, 3, 3, 3, *reversed(CHANNELS))
    for layer in layers:
        assert made["params"]["head"][f"project_{layer}"]["kernel"].shape == (1, 1, inputs[layer], 64)
    assert made["params"]["head"]["classifier"]["kernel"].shape == (1, 1, 64 * len(layers), 5)
