"""What `gpu_hlo.py` reads off compiled code, on a few lines of it."""

import gpu_hlo
import pytest

ENTRY = """HloModule jit_step

ENTRY %main (x: bf16[2,32,32,8], k: bf16[4,3,3,8]) -> bf16[2,32,32,4] {
  %x = bf16[2,32,32,8]{3,2,1,0} parameter(0)
  %k = bf16[4,3,3,8]{3,2,1,0} parameter(1)
  %conv.1 = (bf16[2,32,32,4]{3,2,1,0}, u8[0]{0}) custom-call(%x, %k), window={size=3x3 pad=2_2x2_2 rhs_dilate=2x2}, dim_labels=b01f_o01i->b01f, custom_call_target="__cudnn$convForward", metadata={op_name="jit(step)/conv"}
  %y = bf16[2,32,32,4]{3,2,1,0} get-tuple-element(%conv.1), index=0
  %dk.1 = (bf16[4,3,3,8]{3,2,1,0}, u8[0]{0}) custom-call(%x, %y), window={size=3x3 pad=1_1x1_1}, dim_labels=b01f_o01i->b01f, custom_call_target="__cudnn$convBackwardFilter"
  %dx.1 = (bf16[2,32,32,8]{3,2,1,0}, u8[0]{0}) custom-call(%y, %k), window={size=3x3 pad=1_1x1_1}, dim_labels=b01f_o01i->b01f, custom_call_target="__cudnn$convBackwardInput"
  ROOT %loop_add_fusion.7 = bf16[2,32,32,4]{3,2,1,0} fusion(%y, %y), kind=kLoop, calls=%fused
}
"""  # noqa: E501

MAP = 2 * 32 * 32 * 2  # bytes a channel


@pytest.fixture(scope="module")
def kernels():
    return gpu_hlo.kernels(ENTRY)


def test_every_launch_counts_and_nothing_else(kernels):
    kinds = ["__cudnn$convForward", "__cudnn$convBackwardFilter", "__cudnn$convBackwardInput", "fusion loop_add"]
    assert [kernel.kind for kernel in kernels] == kinds


def test_forward_and_gradients_cost_the_same(kernels):
    assert {kernel.flops for kernel in kernels[:3]} == {2 * 2 * 32 * 32 * 3 * 3 * 8 * 4}


def test_operands_are_read_once_and_results_written(kernels):
    kernel_bytes = 4 * 3 * 3 * 8 * 2
    assert [kernel.bytes for kernel in kernels] == [12 * MAP + kernel_bytes] * 3 + [2 * 4 * MAP]


def test_the_bound_is_the_larger_of_two_times(kernels):
    add = kernels[3]
    assert add.bound("bfloat16") == add.bytes / 4.8e12
