"""The loop that one would usually write: Lightning, a `DataLoader` with per-image transforms, fp32, default threads."""

from __future__ import annotations

import warnings
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from ablate import registry
from ablate.interfaces.data import Split
from ablate.network.build import build_model
from ablate.training.streaming import FORK

MEAN, STD = 127.5, 73.9  # of noise that is uniform over the 256 values
PADDING = 4


class Images(Dataset[tuple[Tensor, Tensor]]):
    """Images one by one: to float, normalised, padded, cropped at random, half of them flipped."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = (self.split.images[index].float() - MEAN) / STD
        top, left = torch.randint(2 * PADDING + 1, (2,)).tolist()
        height, width = image.shape[1:]
        image = F.pad(image, [PADDING] * 4)[:, top : top + height, left : left + width]
        return (image.flip(-1) if torch.rand(()) < 0.5 else image), self.split.labels[index]


class Plain(pl.LightningModule):
    """The network of a config, trained as Lightning's documentation does."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.data = registry.build("data", config["data"])
        self.model: nn.Module = build_model(config, self.data)
        self.optim = config["optim"]

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """The loss of a batch; Lightning does the rest."""
        images, labels = batch
        loss = F.cross_entropy(self.model(images), labels)
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """SGD with PyTorch's defaults for how it is carried out."""
        options = {key: self.optim[key] for key in ("lr", "momentum", "weight_decay")}
        return torch.optim.SGD(self.model.parameters(), **options)

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """Shuffled, with two workers that stay."""
        split = self.data.load().train
        return DataLoader(
            Images(split),
            self.data.batch_size,
            shuffle=True,
            num_workers=2,
            persistent_workers=True,
            pin_memory=torch.cuda.is_available(),
            multiprocessing_context=FORK,  # as in a script; the bench's processes have another default
        )


def train_plainly(config: dict[str, Any], device: str, *callbacks: pl.Callback) -> None:
    """Train as usual for the config's epochs."""
    kind, _, index = device.partition(":")
    trainer = pl.Trainer(
        accelerator="gpu" if kind == "cuda" else kind,
        devices=[int(index or 0)] if kind == "cuda" else 1,
        max_epochs=config["trainer"]["epochs"],
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        warnings.filterwarnings("ignore", module="torch.utils.data")
        trainer.fit(Plain(config))
