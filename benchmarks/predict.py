"""Images a second of cli.predict beside a plain PyTorch script on the same network and files.

    python benchmarks/predict.py                       # 48 JPEGs of 720x1280 through the small network
    python benchmarks/predict.py --setting published --size 512 1024 --pictures 1024 2048 --count 6

Both read JPEG files, bring them to the network's size, compute classes, enlarge the class scores to the image and write
PNG files of ids. The script is the usual one: a Dataset, a DataLoader with two workers, inference_mode, interpolate,
argmax, and a loop that saves; `--batch` is its batch, ours chooses its own. "network alone" is our network on a batch
that is there. Each contender has its own process and rests while another is timed; they take turns, so that other load
meets all alike. Printed are medians of wall time with quartiles, and processor seconds an image.
"""

from __future__ import annotations

import argparse
import multiprocessing
import pathlib
import resource
import shutil
import statistics
import tempfile
import time

import cv2
import numpy as np

CONTENDERS = ("ours", "network alone", "torch")
SEED = 0
WEIGHTS = "weights.npz"  # which the first contender writes


def variables_of(network, size):
    """The same random weights in every process."""
    from sde_seg_jax.models.init import initial_variables

    return initial_variables(network, SEED, tuple(size))


def ours(options, folder: pathlib.Path):
    """cli.predict without its command line."""
    from cases import CLASSES, SETTINGS, network_of
    from ml_collections import ConfigDict
    from peer import weights

    from sde_seg_jax.experiment.build import Trained
    from sde_seg_jax.experiment.prediction.files import Job, write_predictions
    from sde_seg_jax.experiment.prediction.request import Request, predictors_of
    from sde_seg_jax.experiment.prediction.sources import find_sources
    from sde_seg_jax.label_spaces import LabelSpace

    network = network_of("supervised", SETTINGS[options.setting])
    config = ConfigDict({"data": {"size": tuple(options.size)}, "task": {}})
    trained = Trained(network, variables_of(network, options.size), config, 0)
    arrays = weights.named(trained.variables.params) | weights.named(trained.variables.batch_stats)
    np.savez(folder / WEIGHTS, **arrays)
    space = LabelSpace("made up", tuple(map(str, range(CLASSES))), tuple((9 * i, 0, 0) for i in range(CLASSES)))
    job = Job(predictors_of(trained, space, Request()), outputs=("classes",))

    def call():
        write_predictions(find_sources(folder, folder / "ours"), folder / "ours", job)

    return call, options.count


def network_alone(options, folder: pathlib.Path):
    """Our network on a batch that is there, as large as `ours` chooses it; what it gives is awaited."""
    import jax
    from cases import SETTINGS, network_of

    from sde_seg_jax.experiment.prediction.batches import automatic
    from sde_seg_jax.experiment.prediction.predictor import maps_predictor

    network = network_of("supervised", SETTINGS[options.setting])
    batch = min(automatic(options.size[0] * options.size[1], ()), options.count)
    function, variables = maps_predictor(network, ("probabilities",)), variables_of(network, options.size)
    images = np.random.default_rng(SEED).integers(0, 256, (batch, *options.size, 3), np.uint8)
    rounds = max(1, options.count // batch)

    def call():
        for _ in range(rounds):
            jax.block_until_ready(function(variables, images))

    return call, rounds * batch


def torch_script(options, folder: pathlib.Path):
    """What a person writes in an hour."""
    import torch
    from cases import CLASSES, SETTINGS
    from peer.network import make_network
    from torch.utils.data import DataLoader, Dataset

    setting = SETTINGS[options.setting]
    peer = make_network(num_classes=CLASSES, depth=False, pose=False, **setting.model).eval()
    arrays = np.load(folder / WEIGHTS)  # a process that computes with jax could not be forked
    left = peer.load_state_dict({name: torch.from_numpy(arrays[name]) for name in arrays}, strict=False)
    wrong = [*left.unexpected_keys, *(n for n in left.missing_keys if not n.endswith("num_batches_tracked"))]
    assert not wrong, wrong
    files = sorted(folder.glob("*.jpg"))
    (folder / "torch").mkdir(exist_ok=True)
    cv2.setNumThreads(0)  # its threads do not survive a fork, and a worker would wait for them

    class Pictures(Dataset):
        def __len__(self):
            return len(files)

        def __getitem__(self, index):
            image = cv2.cvtColor(cv2.imread(str(files[index])), cv2.COLOR_BGR2RGB)
            small = cv2.resize(image, tuple(options.size)[::-1], interpolation=cv2.INTER_AREA)
            return torch.from_numpy(small).permute(2, 0, 1).float() / 255, image.shape[0], image.shape[1], index

    loader = DataLoader(Pictures(), batch_size=options.batch, num_workers=2, multiprocessing_context="fork")

    @torch.inference_mode()
    def call():
        for images, heights, widths, indices in loader:
            logits = peer(images).logits
            for one, height, width, index in zip(logits, heights, widths, indices, strict=True):
                size = (int(height), int(width))
                enlarged = torch.nn.functional.interpolate(one[None], size=size, mode="bilinear")
                ids = enlarged.argmax(1)[0].to(torch.uint8).numpy()
                cv2.imwrite(str(folder / "torch" / f"{files[int(index)].stem}.png"), ids)

    return call, options.count


MAKERS = {"ours": ours, "network alone": network_alone, "torch": torch_script}


def contend(pipe, options, folder: pathlib.Path, contender: str) -> None:
    """A contender's process: warms up, then runs whenever it is told to; False ends it."""
    call, images = MAKERS[contender](options, folder)
    call()
    pipe.send("ready")
    while pipe.recv():
        begin, busy = time.perf_counter(), processor_time()
        call()
        pipe.send(((time.perf_counter() - begin) / images, (processor_time() - busy) / images))


def processor_time() -> float:
    """Seconds on processors so far, of this process and of its workers that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def pictures(folder: pathlib.Path, size: tuple[int, int], count: int) -> None:
    """Smooth pictures with some noise, as JPEG files."""
    rng = np.random.default_rng(SEED)
    for number in range(count):
        coarse = rng.integers(0, 256, (size[0] // 40, size[1] // 40, 3), np.uint8)
        image = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC).astype(int)
        noisy = np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number:04d}.jpg"), noisy)


def measure(options, folder: pathlib.Path) -> dict[str, list[tuple[float, float]]]:
    """(seconds, processor seconds) an image of every contender, one a round."""
    context = multiprocessing.get_context("spawn")
    pipes, running = {}, {}
    for name in CONTENDERS:
        pipes[name], theirs = context.Pipe()
        running[name] = context.Process(target=contend, args=(theirs, options, folder, name))
        running[name].start()
        theirs.close()  # so that its end is noticed here
        assert pipes[name].recv() == "ready"
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTENDERS}
    for _ in range(options.rounds):
        for name, pipe in pipes.items():
            pipe.send(True)
            found[name].append(pipe.recv())
    for name, pipe in pipes.items():
        pipe.send(False)
        running[name].join()
    return found


def equal_share(folder: pathlib.Path) -> float:
    """Share of pixels to which both give the same class."""
    shares = []
    for path in sorted((folder / "torch").glob("*.png")):
        ids = [cv2.imread(str(p), cv2.IMREAD_UNCHANGED) for p in (path, folder / "ours" / f"{path.stem}_classes.png")]
        shares.append(float((ids[0] == ids[1]).mean()))
    return statistics.mean(shares)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setting", choices=("small", "published", "tiny"), default="small")
    parser.add_argument("--size", type=int, nargs=2, default=(128, 256), help="height width that the network sees")
    parser.add_argument("--pictures", type=int, nargs=2, default=(720, 1280), help="height width of the files")
    parser.add_argument("--count", type=int, default=48, help="files")
    parser.add_argument("--batch", type=int, default=4, help="of the PyTorch script")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        pictures(folder, tuple(options.pictures), options.count)
        found = measure(options, folder)
        equal = equal_share(folder)
        shutil.rmtree(folder / "torch")
    from timing import device_line

    sizes = ["x".join(map(str, size)) for size in (options.pictures, options.size)]
    shape = f"{options.count} files of {sizes[0]}, seen at {sizes[1]}"
    print(f"{device_line()}\n{options.setting} network, {shape}; {options.rounds} rounds")
    reference = np.median(found["torch"], axis=0)
    for name, rounds in found.items():
        low, (median, busy), high = np.percentile(rounds, [25, 50, 75], axis=0)
        rates = f"{1 / median:8.1f} images/s ({1 / high[0]:.1f}-{1 / low[0]:.1f})"
        times = f"{reference[0] / median:5.2f} x torch"
        print(
            f"{name:14} {rates:34} {times}; {1e3 * busy:8.1f} ms of processors an image, {reference[1] / busy:5.2f} x"
        )
    print(f"equal class ids: {100 * equal:.3f}%")


if __name__ == "__main__":
    main()
