"""How good must depth be for DepthMix? python benchmarks/depth_study.py --workdir=runs/depth_study [--seeds=1,2,3]

Makes depth caches of street scenes beside their prepared data: true depth, true depth with noise, and what depth runs
of --depth_steps learnt; tells how often each pastes a pixel in front of what is nearer; then runs the table
configs/streets_depth.py, whose rows mix by them. What is done is skipped; the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from sde_seg_jax.cli import table
from sde_seg_jax.cli.command_line import run
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.data.stored.depth_cache import DepthCache
from sde_seg_jax.experiment.config import load_config
from sde_seg_jax.experiment.depth_cache import cache_depth
from sde_seg_jax.experiment.depth_files import cache_files
from sde_seg_jax.experiment.prepare import prepare_data
from sde_seg_jax.experiment.stages import run_stage
from sde_seg_jax.mixing.masks import depth_mix_mask, normalize_disparity
from sde_seg_jax.reporter import CONSOLE

CONFIG = "streets_depth"
NEAR = 2.0  # metres: disparity 1
NOISE = {"noise_1": 0.1, "noise_2": 0.3}  # standard deviation, of a disparity in [0,1] of each image
BLOB = 8  # pixels between the grid points of the noise


def true_maps(config, folder: pathlib.Path) -> None:
    """Writes disparities by true depth, and with smooth noise, as another program would: folder/NAME/SAMPLE.npy."""
    source = open_source(config.data.dataset, config.data.prepared_dir, config.data.train_split)
    for name in ("true", *NOISE):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for index in range(len(source)):
        sample = source.read(index, ("depth",))
        depth = np.asarray(sample["depth"])
        inverse = np.where(depth > 0, np.clip(NEAR / np.maximum(depth, 1e-6), 0, 1), 0).astype(np.float32)
        np.save(folder / "true" / f"{sample['name']}.npy", inverse)
        stretched = (inverse - inverse.min()) / (inverse.max() - inverse.min())
        for name, deviation in NOISE.items():
            np.save(folder / name / f"{sample['name']}.npy", stretched + deviation * smooth_noise(index, depth.shape))


def smooth_noise(seed: int, size: tuple[int, int]) -> np.ndarray:
    """Noise float32 [H,W] of mean 0 and deviation 1 that varies over some BLOB pixels."""
    coarse = np.random.default_rng(seed).normal(size=(size[0] // BLOB + 2, size[1] // BLOB + 2))
    found = np.asarray(jax.image.resize(jnp.asarray(coarse, jnp.float32), size, "cubic"))
    return (found - found.mean()) / found.std()


def wrong_order(cache: DepthCache, truth: DepthCache, pairs: int = 480, seed: int = 0) -> dict[str, float]:
    """Of random pairs: share of pasted pixels, and share of pixels where the farther of the two is shown.

    Pixels whose true disparities differ by less than the published margin count as right.
    """
    rng, count = np.random.default_rng(seed), len(truth.facts["names"])
    wrong, pasted = [], []
    for _ in range(pairs):
        i, j = rng.choice(count, 2, replace=False)
        pair = (int(i), int(j))
        mine, real = (normalize_disparity(jnp.stack([c.read(k)[..., None] for k in pair])) for c in (cache, truth))
        mask = np.asarray(depth_mix_mask(mine[:1], mine[1:]))[0, ..., 0]
        ahead = np.asarray(real[0] - real[1])[..., 0]  # above 0: i is nearer
        wrong.append(np.where(mask, ahead < -0.03, ahead > 0.03).mean())
        pasted.append(mask.mean())
    return {"wrong order": float(np.mean(wrong)), "pasted": float(np.mean(pasted))}


def main() -> None:
    """Makes what is missing, in order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workdir", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", default="")
    parser.add_argument("--rows", default="")
    options = parser.parse_args()
    config = load_config(CONFIG, "true").unlock()
    prepared = prepare_data(config, reporter=CONSOLE)
    files = options.workdir / "maps"
    if not (files / "done").is_file():
        true_maps(config, files)
        (files / "done").touch()
    for name in ("true", *NOISE):
        config.data.depth_cache = name
        kind = "inverse" if name == "true" else "disparity"
        cache_files(config, str(files / name), kind, any_order=True, reporter=CONSOLE)
    for name in ("learnt_short", "learnt"):
        stage = load_config(CONFIG, f"depth_{name}")
        run_stage(stage, options.workdir / f"depth_{name}", name, CONSOLE)
        config.data.depth_cache = name
        cache_depth(config, str(options.workdir / f"depth_{name}"), reporter=CONSOLE)
    caches = {name: DepthCache(prepared, name, "train") for name in ("true", *NOISE, "learnt_short", "learnt")}
    found = {name: wrong_order(cache, caches["true"]) for name, cache in caches.items()}
    (options.workdir / "wrong_order.json").write_text(json.dumps(found, indent=1) + "\n")
    for name, values in found.items():
        print(f"{name:14s} wrong order {values['wrong order']:.1%} of the pixels, pasted {values['pasted']:.1%}")
    flags = [f"--config={CONFIG}", f"--workdir={options.workdir}", f"--seeds={options.seeds}", f"--rows={options.rows}"]
    raise SystemExit(run(table.main, ["cli.table", *flags], about=table.__doc__, extra=table.flags))


if __name__ == "__main__":
    main()
