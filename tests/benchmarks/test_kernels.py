"""Kernels that are timed give PyTorch's numbers, and their other forms the package's."""

import dataclasses
import json
import sys

import jax
import jax.numpy as jnp
import kernel_forms as forms
import kernels
import numpy as np
import pytest
from kernel_contenders import differences, to_compare, to_time, too_large
from kernel_spec import OURS, SIZES

from sde_seg_jax.geometry.warp import sample_bilinear

pytestmark = pytest.mark.slow

TINY = {kernel.name: kernel for kernel in kernels.make_kernels(SIZES["tiny"])}


def normal(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


def names(size):
    return [kernel.name for kernel in kernels.make_kernels(SIZES[size])]


def test_every_size_has_the_same_kernels_with_a_name_each():
    assert names("gpu") == names("cpu") == list(TINY)
    assert len(set(TINY)) == len(TINY)


def test_gpu_sizes_are_those_of_a_published_step():
    found = {kernel.name: kernel for kernel in kernels.make_kernels(SIZES["gpu"])}
    shapes = {name: [x.shape for x in found[name].inputs[:2]] for name in ("conv_layer4/forward", "conv_aspp18/kernel")}
    assert shapes["conv_layer4/forward"] == [(8, 32, 32, 512), (3, 3, 512, 512)]
    assert shapes["conv_aspp18/kernel"] == [(8, 32, 32, 2048), (3, 3, 2048, 256)]
    assert found["conv_layer4/input"].flops == 2 * 9 * 512 * 512 * 8 * 32 * 32
    assert found["update"].what == "42.5 million parameters"  # torchvision's resnet101 without its classifier


@pytest.mark.parametrize("name", TINY)
def test_forward_and_gradients_are_those_of_pytorch(name):
    pytest.importorskip("torch")
    kernel = TINY[name]
    found = differences(kernel, to_compare(kernel, ["eager"]))
    assert not too_large(kernel, found)
    alike = set() if kernel.checked else set(kernel.ours) - set(kernel.others) - {OURS}
    assert set(found) == {"eager"} | alike
    assert all(len(values) == len(kernel.layouts) for values in found.values())


@pytest.mark.parametrize("name", ["batch_norm", "conv_layer4/kernel", "aspp"])
def test_in_bfloat16_both_give_bfloat16_and_differ_by_its_roundings(name):
    pytest.importorskip("torch")
    kernel = TINY[name]
    found = {who: c for who, c in to_time(kernel, "bfloat16", ["eager"]).items() if who in (OURS, "eager")}
    assert {str(c.call()[0].dtype) for c in found.values()} == {"bfloat16", "torch.bfloat16"}
    assert differences(kernel, found)["eager"][0] < 4 * 2.0**-8  # four layers round to 8 bits at most


@pytest.mark.parametrize("size", [(8, 12), (7, 9), (3, 2)])
@pytest.mark.parametrize("dilation", [1, 2, 4, 18])
def test_space_to_batch_is_the_dilated_convolution(size, dilation):
    x, kernel = normal(0, 2, *size, 3), normal(1, 3, 3, 3, 4)
    expected = forms.conv_plain(x, kernel, dilation=dilation)
    np.testing.assert_allclose(forms.conv_space_to_batch(x, kernel, dilation=dilation), expected, atol=1e-5)


@pytest.mark.parametrize(
    "sample", [forms.sample_flat, forms.sample_packed, lambda *a: forms.sample_packed(*a, flat=True)]
)
def test_other_forms_of_sampling_are_the_packages_at_borders_and_pixel_centres_too(sample):
    image = normal(0, 2, 4, 5, 3)
    xy = 6 * jax.random.uniform(jax.random.key(1), (2, 8, 8, 2)) - 1
    xy = xy.at[0].set(jnp.round(xy[0])).at[1, :2].multiply(100)

    def sampled(f):
        value, back = jax.vjp(lambda p: f(image, p), xy)
        return value, back(normal(2, *value.shape))[0]

    for found, expected in zip(sampled(sample), sampled(sample_bilinear), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_same_padding_computes_something_else():
    x, kernel = normal(0, 1, 8, 8, 2), normal(1, 3, 3, 2, 2)
    difference = forms.conv_same(x, kernel, stride=2) - forms.conv(x, kernel, stride=2)
    assert jnp.abs(difference).max() > 0.1


def test_a_form_that_computes_something_else_is_noticed():
    kernel = TINY["conv_layer4/forward"]
    wrong = dataclasses.replace(kernel, others=())  # "undilated" is to be compared now
    (line,) = too_large(wrong, differences(wrong, to_compare(wrong, [])))
    assert line.startswith("conv_layer4/forward, undilated")


def test_not_a_number_is_a_difference():
    assert too_large(TINY["ssim"], {"eager": [float("nan"), 0.0]})


def test_updates_go_on_from_each_other():
    kernel = TINY["update"]
    contender = to_compare(kernel, [])[OURS]
    first, second = (contender.arrays(contender.call()) for _ in range(2))
    assert not np.allclose(first[0], second[0], atol=1e-4)


def test_kernels_are_chosen_by_how_their_names_start():
    all_of_them = list(TINY.values())
    assert [k.name for k in kernels.select(all_of_them, ["warp", "ssim"])] == ["warp/forward", "warp/points", "ssim"]
    with pytest.raises(ValueError, match="no kernel's name starts with 'wrap'; there are conv_layer4/forward, "):
        kernels.select(all_of_them, ["wrap"])


def test_command_prints_a_table_and_writes_json_without_pytorch(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it fails
    output = tmp_path / "kernels.json"
    arguments = ["--size", "tiny", "--only", "depth_mix,warp/forward", "--seconds", "0", "--output", str(output)]
    assert kernels.main(arguments) == 0
    printed = capsys.readouterr()
    assert "PyTorch is not installed" in printed.err
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in printed.out.splitlines() if line[:1] == "|"]
    assert rows[0] == kernels.COLUMNS
    assert [row[2] for row in rows[2:]] == ["package", "packed corners", "flat index", "packed, flat", "package"]
    assert {row[kernels.COLUMNS.index("eager [ms]")] for row in rows[2:]} == {"-"}
    saved = json.loads(output.read_text())
    assert [row["kernel"] for row in saved["rows"]] == ["warp/forward"] * 4 + ["depth_mix"]
    assert all(row["seconds"][row["ours"]]["n"] >= 5 for row in saved["rows"])


def test_command_times_the_peer_too_and_fails_where_numbers_differ(capsys, monkeypatch):
    pytest.importorskip("torch")
    kernel = TINY["conv_stride2/forward"]
    shifted = dataclasses.replace(kernel, ours={OURS: kernel.ours["SAME"]}, others=())
    monkeypatch.setattr(kernels, "make_kernels", lambda size: [kernel, shifted])
    assert kernels.main(["--size", "tiny", "--seconds", "0"]) == 1
    printed = capsys.readouterr()
    assert printed.err.count("differs: ") == 1
    row = next(line for line in printed.out.splitlines() if line.startswith("| conv_stride2"))
    cells = dict(zip(kernels.COLUMNS, [cell.strip() for cell in row.split("|")[1:-1]], strict=True))
    assert cells["compiled [ms]"] == "-"
    ratio = float(cells["eager [ms]"].split()[0]) / float(cells["ours [ms]"].split()[0])
    assert float(cells["eager / ours"]) == pytest.approx(ratio, rel=0.02)


def test_the_compiled_peer_is_compared_in_float32_where_it_is_timed(monkeypatch):
    kernel = TINY["max_pool/input"]
    found = to_compare(kernel, [])
    twice = dataclasses.replace(found[OURS], arrays=lambda results: [2 * x for x in found[OURS].arrays(results)])
    monkeypatch.setattr(kernels, "to_time", lambda *_: found | {"compiled": twice})
    _, complaints = kernels.run(kernel, ["float32"], [], 0.0)
    assert [line.partition(":")[0] for line in complaints] == ["max_pool/input, compiled, result 0"]


def test_unknown_peers_and_dtypes_are_named(capsys):
    for option, known in (("--peers", "eager, compiled, none"), ("--dtype", "float32, tf32, bfloat16")):
        with pytest.raises(SystemExit):
            kernels.main(["--size", "tiny", option, "float31"])
        assert f"float31; known: {known}" in capsys.readouterr().err
