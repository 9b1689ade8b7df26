"""DepthMix by somebody else's depth files against our learnt depth, on street scenes, small networks, a CPU.

    python benchmarks/foreign_depth.py --workdir=runs/foreign_depth [--encoder=vit|convnext] [--seeds=42,43,44]
    python benchmarks/foreign_depth.py --workdir=runs/foreign_toy --size=toy --seeds=42       (minutes: does it run)

Writes the true depth of the training images as another program would: 16-bit PNG in 1/256 m as KITTI's, 0 for the sky,
with Pillow. Then it runs the commands that anybody would: `cli.cache_depth --from_files`, and `cli.table` over the
rows unimatch (boxes), depthmix (our learnt depth) and depthmix_files of configs/streets_modern.py. What is done is
skipped; the same command goes on. Not run to its end yet.
"""

from __future__ import annotations

import argparse
import pathlib

import numpy as np
from PIL import Image

from sde_seg_jax.cli import cache_depth, table
from sde_seg_jax.cli.command_line import run
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.experiment.config import load_config
from sde_seg_jax.experiment.prepare import prepare_data
from sde_seg_jax.reporter import CONSOLE

CONFIG = "streets_modern"
ROWS = ("unimatch", "depthmix", "depthmix_files")
UNIT = 256  # of the files: a metre
NEAR = 2  # metres: disparity 1, nearer than nearly all that these scenes show


def write_maps(source, folder: pathlib.Path) -> None:
    """Depth of all samples of a source, as folder/NAME_depth.png."""
    for index in range(len(source)):
        sample = source.read(index, ("depth",))
        units = np.clip(np.round(np.asarray(sample["depth"]) * UNIT), 0, np.iinfo(np.uint16).max)
        path = folder / f"{sample['name']}_depth.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(units.astype(np.uint16)).save(path)


def main() -> int:
    """Writes the files, caches them and runs the table; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workdir", type=pathlib.Path, required=True)
    parser.add_argument("--encoder", choices=("vit", "convnext"), default="vit")
    parser.add_argument("--size", choices=("cpu", "toy"), default="cpu")
    parser.add_argument("--seeds", default="", help="comma-separated; default: those of the table")
    options = parser.parse_args()
    row = f"{options.encoder}_depthmix_files,size={options.size}"
    config, files = load_config(CONFIG, row), options.workdir / "depth_files"
    prepare_data(config, reporter=CONSOLE)
    if not (files / "done").is_file():
        write_maps(open_source(config.data.dataset, config.data.prepared_dir, config.data.train_split), files)
        (files / "done").touch()
    where = [f"--config={CONFIG}:{row}", f"--from_files={files}", "--kind=depth", f"--near={NEAR * UNIT}"]
    if status := run(cache_depth.main, ["cli.cache_depth", *where], about="", extra=cache_depth.flags):
        return status
    rows = ",".join(f"{options.encoder}_{name}" for name in ROWS)
    asked = [f"--workdir={options.workdir}", f"--rows={rows}", f"--seeds={options.seeds}"]
    command = ["cli.table", f"--config={CONFIG}:size={options.size}", *asked]
    return run(table.main, command, about="", extra=table.flags)


if __name__ == "__main__":
    raise SystemExit(main())
