"""Pictures in files: images per second that workers decode, cut out and scale, and that one process does alone."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from ablate import registry
from ablate.bench.figure import Figure, Measured, interleaved, seconds
from ablate.bench.setting import Setting
from ablate.bench.sizing import one_thread
from ablate.study.plan import plan_study
from ablate.system.quotas import cores
from ablate.training.loading import build_feed
from ablate.training.module import STEPS_PER_CHUNK

PICTURES = 1024
HEIGHT, WIDTH = 375, 500  # pixels, the most usual size in ImageNet
QUALITY = 95  # at which these take about as many bytes as ImageNet's, a hundred thousand
GRAIN = 8  # pixels that share a random colour, more or less
BATCH = 64


def streaming(setting: Setting) -> Measured:
    """Of training batches of 224x224 pixels, without a network."""
    workers = cores()
    with one_thread(), tempfile.TemporaryDirectory() as folder:  # the cores are for the workers
        write_pictures(Path(folder), PICTURES)
        one, many = (Epoch(Path(folder), setting.device, workers=number) for number in (0, workers))
        with closing(many.feed):
            many(), one()
            for pairs in interleaved(lambda: PICTURES / many(), lambda: PICTURES / one(), setting.pairs):
                yield [
                    Figure(f"JPEGs, workers: {workers}", "images/s", pairs.ours, pairs.of),
                    Figure("JPEGs, the training process reads", "images/s", pairs.theirs, pairs.of),
                    Figure("the first over the second, JPEGs", "x", pairs.ratios, pairs.of),
                ]


class Epoch:
    """Seconds of an epoch of batches, with Inception's crops (Szegedy et al. 2015, section 6)."""

    def __init__(self, folder: Path, device: str, *, workers: int) -> None:
        options = [f"data.root={folder}", "data.classes=2", f"data.batch_size={BATCH}", f"trainer.workers={workers}"]
        config: dict[str, Any] = plan_study(["data=imagefolder", "augment=resized_crop", *options]).cells[0].config
        data, augment, evaluation = (registry.build(kind, config[kind]) for kind in ("data", "augment", "evaluation"))
        self.feed = build_feed(data, augment, evaluation, config["trainer"], 0, torch.device(device))
        self.device = device

    def __call__(self) -> float:
        """Take all batches of an epoch."""
        return seconds(self._take)

    def _take(self) -> None:
        steps = self.feed.start_epoch(0).split(BATCH)
        for start in range(0, len(steps), STEPS_PER_CHUNK):
            for _ in self.feed.training_batches(steps[start : start + STEPS_PER_CHUNK]):
                pass
        if self.device.startswith("cuda"):
            torch.cuda.synchronize(self.device)


def write_pictures(folder: Path, pictures: int) -> None:
    """A folder of classes with random clouds, half of them to train on, and a few to test."""
    from PIL import Image

    random = torch.Generator().manual_seed(0)
    for number in range(pictures + 2):
        grain = torch.randint(256, (HEIGHT // GRAIN, WIDTH // GRAIN, 3), dtype=torch.uint8, generator=random)
        picture = Image.fromarray(grain.numpy()).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        part = "train" if number < pictures else "val"
        place = folder / part / f"class{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        picture.save(place / f"{number}.jpg", quality=QUALITY)
