"""Every training step stays within the counts of benchmarks/budgets.json, and how the counts are taken."""

import functools

import budgets
import hlo
import jax
import jax.numpy as jnp
import pytest
from cases import TASKS
from compiler_options import AS_USERS

trace = functools.cache(budgets.trace)


@pytest.mark.whole
@pytest.mark.parametrize("task", TASKS)
def test_a_step_is_within_its_budget(task):
    recorded = budgets.load()
    if recorded["versions"] != budgets.versions():
        pytest.skip(f"budgets hold for {recorded['versions']}, this is {budgets.versions()}: another compiler")
    found = budgets.complaints(budgets.counts(trace(task)), recorded["steps"][task])
    assert not found, (
        f"{task} is out of its budget:\n  " + "\n  ".join(found) + f"\n{budgets.FILE} is renewed by `{budgets.RENEW}`; "
        "a rise needs a reason in docs/record/performance.md"
    )


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_a_step_returns_a_state_of_the_types_it_takes_so_that_it_compiles_once(task):
    step = trace(task)
    kinds = lambda tree: jax.tree.map(lambda x: (x.shape, x.dtype, x.weak_type), tree)  # noqa: E731
    (taken, _), _ = step.in_avals
    returned, _ = step.out_info
    assert kinds(returned) == kinds(taken)


@pytest.fixture
def budget():
    return {"program": {"gather": 6, "scatter": 0}, "compiled": {"flops": 1000, "copy": 100}}


def changed(budget, part, **values):
    return {**budget, part: {**budget[part], **values}}


def test_what_is_within_its_slack_is_not_complained_about(budget):
    assert budgets.complaints(budget, budget) == []
    assert budgets.complaints(changed(budget, "compiled", flops=1020, copy=105), budget) == []
    assert budgets.complaints(changed(budget, "compiled", flops=900), budget) == []


KEEP = "renew the budgets, so that what was gained is kept"


@pytest.mark.parametrize(
    ("part", "name", "now", "line"),
    [
        ("compiled", "flops", 1021, "compiled flops: 1000 -> 1021 (+2.1%, allowed 2%): lower it, or say why and renew"),
        ("program", "gather", 7, "program gather: 6 -> 7 (+16.7%, allowed 0%): lower it, or say why and renew"),
        ("program", "scatter", 1, "program scatter: 0 -> 1 (+1, allowed 0%): lower it, or say why and renew"),
        ("compiled", "flops", 899, f"compiled flops: 1000 -> 899 (-10.1%): {KEEP}"),
        ("program", "gather", 5, f"program gather: 6 -> 5 (-16.7%): {KEEP}"),
        ("program", "sort", 1, "program sort: None -> 1 (counted on one side only): renew the budgets"),
    ],
)
def test_a_complaint_says_what_changed_and_by_how_much(budget, part, name, now, line):
    assert budgets.complaints(changed(budget, part, **{name: now}), budget) == [line]


def test_a_budget_of_something_that_is_no_longer_counted_is_complained_about(budget):
    found = {**budget, "program": {"gather": 6}}
    assert budgets.complaints(found, budget) == [
        "program scatter: 0 -> None (counted on one side only): renew the budgets"
    ]


def step_of(function, *args):
    return jax.jit(function).trace(*args)


def test_more_work_is_seen_in_the_counts():
    image, kernel = jnp.ones((1, 16, 16, 4)), jnp.ones((3, 3, 4, 4))
    once = lambda image, kernel: jax.lax.conv_general_dilated(  # noqa: E731
        image, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    few = budgets.counts(step_of(once, image, kernel))
    many = budgets.counts(step_of(lambda image, kernel: once(once(image, kernel), kernel), image, kernel))
    lines = budgets.complaints(many, few)
    for name in ("program convolution flops", "program convolution", "compiled flops", "compiled convolution"):
        assert any(line.startswith(f"{name}: ") and "+100.0%" in line for line in lines), name


def test_instructions_inside_of_fusions_and_loops_count_and_results_may_be_tuples():
    text = """HloModule jit_step, entry_computation_layout={(f32[4]{0})->f32[4]{0}}

%fused (p: f32[2,3]) -> f32[3,2] {
  %p = f32[2,3]{1,0} parameter(0)
  ROOT %transpose.1 = f32[3,2]{1,0:T(8,128)} transpose(%p), dimensions={1,0}, metadata={op_name="a = gather(b)"}
}

ENTRY %main (a: f32[2,3]) -> (f32[3,2], s32[]) {
  %a = f32[2,3]{1,0} parameter(0)
  %copy = f32[2,3]{0,1} copy(%a)
  %fusion = f32[3,2]{1,0} fusion(%copy), kind=kLoop, calls=%fused
  %call = (f32[3,2]{1,0}, u8[8]{0:T(128)}, /*index=2*/s32[]) custom-call(%fusion), custom_call_target="library"
  ROOT %loop = (f32[3,2]{1,0}, s32[]) while(%call), condition=%fused, body=%fused
}
"""
    found = hlo.instructions(text)
    assert found == {"parameter": 2, "transpose": 1, "copy": 1, "fusion": 1, "custom-call": 1, "while": 1}
    assert hlo.custom_calls(text) == {"library": 1}


def test_a_compiled_program_tells_its_counts():
    def search(table, index):
        return jnp.sin(table @ table)[index] + jnp.zeros((5, 8)).at[index].add(1.0)

    program = jax.jit(search).lower(jnp.ones((8, 8)), jnp.arange(5))
    found = hlo.summary(program.compile(AS_USERS))  # without them scatters become loops
    assert (found["dot"], found["gather"], found["scatter"], found["convolution"]) == (1, 1, 1, 0)
    assert 2 * 8**3 <= found["flops"] < 2 * 8**3 + 1000
    assert found["bytes accessed"] > 4 * 8 * 8


def test_the_file_says_how_to_renew_it():
    recorded = budgets.load()
    assert budgets.RENEW in recorded["about"]
    assert "reason in docs/record/performance.md" in recorded["about"]
    assert list(recorded["steps"]) == list(TASKS)
