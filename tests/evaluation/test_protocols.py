"""Sliding windows, scales and flips against a NumPy oracle written from mmsegmentation's documentation."""

import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.evaluation.protocols.protocol import WHOLE, Protocol, file_part
from sde_seg_jax.evaluation.protocols.sizes import SizeRule, scaled_size, seen_size
from sde_seg_jax.evaluation.protocols.sliding import slide, starts
from sde_seg_jax.evaluation.protocols.views import segment

RULE = SizeRule(4, 4)
CLASSES = 3


def lookup(rng):
    """Logits that are random, depend on the place in the window, and on nothing else but the pixel's own value."""
    table = rng.normal(size=(256, CLASSES)).astype(np.float32)
    places = rng.normal(size=(64, 64, CLASSES)).astype(np.float32)

    def in_numpy(image):
        height, width = image.shape[1:3]
        return table[np.rint(image[..., 0]).astype(int)] + places[:height, :width]

    def in_jax(image):
        height, width = image.shape[1:3]
        return (
            jnp.asarray(table)[jnp.rint(image[..., 0]).astype(jnp.int32)] + jnp.asarray(places)[None, :height, :width]
        )

    return in_numpy, in_jax


def slide_inference(logits, image, window, stride):
    """mmsegmentation, EncoderDecoder.slide_inference: sum and count of crops, the last shifted back to the border."""
    batch, height, width, _ = image.shape
    down, across = stride
    rows, columns = (
        max(n - w + s - 1, 0) // s + 1 for n, w, s in ((height, window[0], down), (width, window[1], across))
    )
    total, count = np.zeros((batch, height, width, CLASSES)), np.zeros((1, height, width, 1))
    for i in range(rows):
        for j in range(columns):
            bottom, right = min(i * down + window[0], height), min(j * across + window[1], width)
            top, left = max(bottom - window[0], 0), max(right - window[1], 0)
            total[:, top:bottom, left:right] += logits(image[:, top:bottom, left:right])
            count[:, top:bottom, left:right] += 1
    assert (count > 0).all()
    return total / count


def softmax(values):
    powers = np.exp(values - values.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@pytest.fixture
def image():
    return np.random.default_rng(1).integers(0, 256, (2, 20, 28, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("window", "stride"),
    [((8, 8), (8, 8)), ((8, 12), (4, 8)), ((12, 8), (5, 3)), ((20, 28), (20, 28)), ((4, 28), (3, 1))],
)
def test_windows_are_averaged_as_mmsegmentation_does(image, window, stride):
    in_numpy, in_jax = lookup(np.random.default_rng(0))
    expected = slide_inference(in_numpy, image, window, stride)
    np.testing.assert_allclose(slide(in_jax, jnp.asarray(image), window, stride), expected, atol=2e-6)


def test_the_last_window_ends_with_the_image():
    assert starts(20, 8, 8) == [0, 8, 12]
    assert starts(16, 8, 8) == [0, 8]
    assert starts(8, 8, 3) == [0]


@pytest.mark.parametrize("window", [None, (8, 8)])
def test_a_flip_averages_probabilities_of_the_image_and_its_mirror_image(image, window):
    in_numpy, in_jax = lookup(np.random.default_rng(0))
    stride = None if window is None else (8, 8)

    def probabilities(view):
        return softmax(in_numpy(view) if window is None else slide_inference(in_numpy, view, window, stride))

    expected = (probabilities(image) + probabilities(image[:, :, ::-1])[:, :, ::-1]) / 2
    found = segment(in_jax, jnp.asarray(image), Protocol(window, stride, flip=True), RULE)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-6)
    np.testing.assert_array_equal(found.classes, expected.argmax(-1))


def test_scales_average_the_probabilities_of_resized_logits(image):
    """The oracle resizes with matrices of its own: half-pixel centres, clamped at the border."""

    def matrix(n, m):
        place = np.clip((np.arange(m) + 0.5) * n / m - 0.5, 0, n - 1)
        return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(n)))

    def resize(x, height, width):
        return np.einsum("yh,xw,bhwc->byxc", matrix(x.shape[1], height), matrix(x.shape[2], width), x)

    def logits(view):  # smooth in the value: a nearest lookup would jump where float32 rounds
        return jnp.concatenate([view / 50.0, -view / 90.0], axis=-1)[..., :CLASSES]

    expected = 0.0
    for height, width in ((20, 28), (40, 56)):
        found = resize(np.asarray(logits(jnp.asarray(resize(image, height, width), jnp.float32))), 20, 28)
        expected = expected + softmax(found) / 2
    found = segment(logits, jnp.asarray(image), Protocol(scales=(1.0, 2.0)), RULE).probabilities
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_the_published_protocol_is_one_softmax_of_the_logits(image):
    in_numpy, in_jax = lookup(np.random.default_rng(0))
    found = segment(in_jax, jnp.asarray(image), WHOLE, RULE)
    np.testing.assert_allclose(found.probabilities, softmax(in_numpy(image)), atol=1e-6)
    np.testing.assert_array_equal(found.classes, in_numpy(image).argmax(-1))


def test_names_say_everything_that_moves_a_number():
    assert WHOLE.name((512, 1024)) == "whole 512x1024"
    protocol = Protocol((512, 512), (256, 341), (0.5, 1), flip=True)
    name = protocol.name((1024, 2048), (2048, 4096))
    assert name == "sliding 512x512 by 256x341 over 1024x2048, scales 0.5 1, flip, scored at 2048x4096"
    assert file_part("sliding 8x8 by 4x4 over 16x16, scales 0.5 1") == "sliding_8x8_by_4x4_over_16x16_scales_0.5_1"
    assert Protocol((9, 8)).stride == (6, 5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"stride": (4, 4)}, "without a window"),
        ({"window": (8, 8), "stride": (9, 8)}, "larger than the window 8x8, which leaves gaps"),
        ({"window": (0, 8)}, "expected 1 pixel or more"),
        ({"scales": ()}, "expected numbers from"),
        ({"scales": (1.0, float("nan"))}, "expected numbers from"),
        ({"scales": (0.0,)}, "expected numbers from"),
        ({"scales": (1.0, 1.0)}, "different ones"),
    ],
)
def test_protocols_that_cannot_be_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Protocol(**values)


@pytest.mark.parametrize(
    ("protocol", "size", "message"),
    [
        (Protocol((32, 32)), (16, 64), "window 32x32 is larger than the image as the network sees it, 16x64"),
        (
            Protocol((32, 32), scales=(0.5, 1)),
            (32, 64),
            "as the network sees it at scale 0.5, 16x32",
        ),
        (Protocol((30, 32)), (64, 64), "give --window=32x32"),
        (Protocol(scales=(0.3,)), (64, 64), "scales that fit: 0.25, 0.5,"),
        (Protocol(scales=(1.0, 1.05)), (64, 64), "scales 1 and 1.05 of 64x64 are both 64x64"),
    ],
)
def test_protocols_that_do_not_fit_an_image_are_refused(protocol, size, message):
    with pytest.raises(ValueError, match=message):
        protocol.check(size, SizeRule(16, 16))


@pytest.mark.parametrize(
    ("window", "size", "given"),
    [((64, 64), (64, 96), "56x70"), ((512, 512), (512, 1024), "504x518"), ((9, 9), (64, 64), "28x28")],
)
def test_a_window_of_no_whole_patches_is_told_one_that_fits_the_image(window, size, given):
    rule = SizeRule(14, 28)
    with pytest.raises(ValueError, match=f"multiples of 14 from 28 on; give --window={given}"):
        Protocol(window).check(size, rule)
    Protocol(tuple(int(side) for side in given.split("x"))).check(size, rule)


def test_images_keep_their_shape_and_the_number_of_pixels():
    rule = SizeRule(32, 32)
    assert seen_size((1024, 2048), (512, 1024), rule) == (512, 1024)
    assert seen_size((1010, 2048), (512, 1024), rule) == (512, 1024)  # nearly of that shape
    assert seen_size((1080, 1920), (512, 1024), rule) == (544, 960)
    assert seen_size((1920, 1080), (512, 1024), rule) == (960, 544)
    assert min(seen_size((8, 4000), (64, 64), rule)) == 32


def test_scaled_sides_are_rounded_to_what_the_network_takes():
    assert scaled_size((512, 672), 0.75, SizeRule(32, 64)) == (384, 512)
    assert scaled_size((100, 100), 1.0, SizeRule(32, 64)) == (96, 96)
    with pytest.raises(ValueError, match=r"multiples of 32 from 64 on; scales that fit: 0\.5, 0\.75, 1, 1\.25, "):
        scaled_size((128, 128), 0.25, SizeRule(32, 64))
