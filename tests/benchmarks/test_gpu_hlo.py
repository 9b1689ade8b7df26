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

LOOP = """HloModule jit_step

%body (t: (s32[], bf16[16,8], bf16[8,32])) -> (s32[], bf16[16,8], bf16[8,32]) {
  %t = (s32[], bf16[16,8]{1,0}, bf16[8,32]{1,0}) parameter(0)
  %x = bf16[16,8]{1,0} get-tuple-element(%t), index=1
  %k = bf16[8,32]{1,0} get-tuple-element(%t), index=2
  %product.1 = (bf16[16,32]{1,0}, s8[33554432]{0}) custom-call(%x, %k), custom_call_target="__cublas$lt$matmul", backend_config={"gemm_backend_config":{"dot_dimension_numbers":{"lhs_contracting_dimensions":["1"],"rhs_contracting_dimensions":["0"]}}}
  ROOT %again = (s32[], bf16[16,8]{1,0}, bf16[8,32]{1,0}) tuple(%t, %x, %k)
}

ENTRY %main (x: bf16[16,8], k: bf16[8,32]) -> (s32[], bf16[16,8], bf16[8,32]) {
  %first = (s32[], bf16[16,8]{1,0}, bf16[8,32]{1,0}) parameter(0)
  ROOT %while.1 = (s32[], bf16[16,8]{1,0}, bf16[8,32]{1,0}) while(%first), condition=%stop, body=%body, backend_config={"known_trip_count":{"n":"4"},"known_init_step":{"init":"0","step":"1"}}
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


def test_what_a_loop_launches_counts_each_time_and_a_product_by_its_sizes():
    found = gpu_hlo.kernels(LOOP)
    assert [kernel.name for kernel in found] == 4 * ["product.1"]
    assert {kernel.flops for kernel in found} == {2 * 16 * 32 * 8}
    assert {kernel.bytes for kernel in found} == {2 * (16 * 32 + 16 * 8 + 8 * 32)}  # without the workspace
