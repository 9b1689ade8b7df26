"""FLOP and memory of a step of configs/modern.py: nothing runs, no data and no GPU are needed.

    python benchmarks/modern.py --rows=unimatch --encoders=small,base
    pip install "jax[cuda12]"        # beside this project's jax, for --compile: the memory that XLA plans for an H200
    python benchmarks/modern.py --rows=unimatch --compile --memory=80,24,16

FLOP as `benchmarks/flops.py` counts them, without what `model.remat` computes again. Hours: of all steps of a run at a
share (--share) of an H200's 790 TFLOP/s. State: parameters of student and teacher, and AdamW's, in float32.
With --compile, as `benchmarks/gpu_hlo.py`: temporary memory of the step; with it the state is what has to fit.
"""

from __future__ import annotations

import argparse
import functools
import os
import pathlib

import jax
import jax.numpy as jnp
from flops import model_flops
from gpu_hlo import MATRIX, h200, kernels, sums
from tables import save, show

from sde_seg_jax.data.reading.scaling import STORED
from sde_seg_jax.experiment.build import abstract_variables, build_network, task_section
from sde_seg_jax.experiment.cached_depth import streams_read
from sde_seg_jax.experiment.config import call, load_config, plain
from sde_seg_jax.experiment.schedule import make_factor
from sde_seg_jax.tasks.task import find_task
from sde_seg_jax.training import ema, sharding
from sde_seg_jax.training.optimizers import make_optimizer
from sde_seg_jax.training.step import init_state, make_step
from sde_seg_jax.types import Batch, Intrinsics, Streams

CLASSES = 19


def streams_of(config) -> Streams:
    """Shapes of a batch."""
    count, size = config.data.batch_size, tuple(config.data.crop)
    shape = lambda *more, dtype=jnp.uint8: jax.ShapeDtypeStruct((count, *more), dtype)  # noqa: E731
    camera = Intrinsics(*[shape(dtype=jnp.float32)] * 4)
    fields = {
        "label": {"label": shape(*size), "labeled": shape(dtype=bool)},
        "neighbors": {"neighbors": shape(2, *size, 3)},
        "disparity": {"disparity": shape(*size, dtype=jnp.float32)},
    }
    found = {}
    for name, read in streams_read(config).items():
        more = {key: value for field in read for key, value in fields[field].items()}
        if tuple(config.data.scale) != STORED:
            more["valid"] = shape(*size, dtype=bool)
        found[name] = Batch(image=shape(*size, 3), intrinsics=camera, **more)
    return Streams(**found)


def step_of(config):
    """(step, shapes of its state, shapes of its batch) of a configuration, with nothing in memory."""
    network = build_network(config, CLASSES)
    variables = abstract_variables(network, config.data.crop)
    task = find_task(config.task.name)
    loss = call("task", task.make_loss, task_section(config), network, losses=plain(config.losses))
    optimizer = call("optim", make_optimizer, config.optim, variables.params, schedule=make_factor(config))
    teaches, update = task.teacher(config.losses, config.task), None
    if teaches:
        update = functools.partial(ema.update_rule(config.task.teacher), decay=config.task.teacher_decay)
    begin = functools.partial(init_state, optimizer=optimizer.transform, seed=0, teacher=teaches)
    step = make_step(loss, optimizer.transform, update, config.train.micro_batches, config.optim.frozen)
    return step, jax.eval_shape(begin, variables), streams_of(config)


def bytes_of(tree) -> int:
    """Of all arrays."""
    return sum(
        leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree) if leaf.dtype != jax.random.key(0).dtype
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="supervised,unimatch", help="comma-separated, of configs/modern.py")
    parser.add_argument("--encoders", default="small,base")
    parser.add_argument("--memory", default="80", help="comma-separated: 80, 24, 16")
    parser.add_argument("--share", type=float, default=0.3, help="of the chip's peak that a step reaches")
    parser.add_argument("--compile", action="store_true", help="the memory that XLA plans for an H200")
    parser.add_argument("--hlo", help="folder for the compiled HLO")
    parser.add_argument("--output", help="JSON file")
    given = parser.parse_args()
    jax.config.update("jax_platforms", "cpu")
    if given.compile:
        # nothing to tune on; without tuning no tiles are found for products of 6500 tokens
        flags = (os.environ.get("XLA_FLAGS", ""), "--xla_gpu_autotune_level=0", "--xla_gpu_enable_triton_gemm=false")
        os.environ["XLA_FLAGS"] = " ".join(flags)
    mesh, found = h200() if given.compile else None, []
    for row in given.rows.split(","):
        for encoder in given.encoders.split(","):
            for memory in given.memory.split(","):
                config = load_config("modern", f"{row},encoder={encoder},memory={memory},attention=xla")
                file = given.hlo and pathlib.Path(given.hlo, f"{row}_{encoder}_{memory}.hlo")
                line = measured(config, mesh, given.share, file)
                found.append({"row": row, "encoder": encoder, "memory": memory, **line})
                print(found[-1], flush=True)
    header = list(dict.fromkeys(key for line in found for key in line))
    show("configs/modern.py", header, [[line[key] for key in header] for line in found])
    save(given.output, {"steps": found})


def measured(config, mesh, share: float, file: pathlib.Path | None = None) -> dict:
    """What is counted of one configuration; compiled code is written to `file`."""
    step, state, streams = step_of(config)
    with config.unlocked():
        config.model.remat = False
    plain_step, *_ = step_of(config)
    teraflop = model_flops(plain_step, state, streams).total / 1e12
    hours = teraflop * config.train.steps / (share * MATRIX["bfloat16"] / 1e12) / 3600
    line = {"TFLOP a step": teraflop, "hours": hours, "state [GiB]": bytes_of(state) / 2**30}
    if mesh is not None:
        compiled = sharding.compile_step(step, mesh).lower(state, streams).compile()
        line["temporary [GiB]"] = compiled.memory_analysis().temp_size_in_bytes / 2**30
        text = compiled.as_text()
        if file:
            file.write_text(text)
        line |= zip(("kernels", "GB", "TFLOP of kernels", "bound [ms]"), sums(kernels(text), "bfloat16"), strict=True)
    return line


if __name__ == "__main__":
    main()
