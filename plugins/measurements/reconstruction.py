"""How much of its input a network's features still hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from ablate import Backbone, Chart, InputError, Measured, Measurement, Trained, register, watch_outputs

RIDGES = tuple(10.0**power for power in range(-6, 3))  # beside the mean square of a feature map's length


@register("measurement", "reconstruction")
class Reconstruction(Measurement):
    """Linear reconstruction of the input image from the output of each stage, by ridge regression.

    He et al. 2016 (arXiv 1603.05027, eq. 4): x_L = x_l + the sum of the branches between, so that deep features still
    hold what came in; sources 000, 001 and 004 say that skips carry the input forward. The regression is learnt on
    training images and told on test images; the strength of its penalty is the one of nine powers of ten with the least
    leave-one-out error on the training images. The error is Σ|x - x̂|² / Σ|x - x̄|², with x̄ the mean training image: 0
    where all is there, 1 where no more than that mean is, above 1 where the regression does worse.

    Columns: the error behind the `first` stage, the `last`, and the `mean` over all stages. The table has for each
    stage the error, R² = 1 - error, the features, and the penalty.

    It costs a forward pass over the images, and for each stage the eigenvectors of a matrix with a row for each of the
    training images.

    Args:
        images: training images, and test images, at most.
    """

    columns = ("first", "last", "mean")
    charts = (
        Chart(
            "r2", title="Linear reconstruction of the input by stage", words="R² on test images",
            axis="stage, from the input",
            caption="How much of the input image a ridge regression finds again in a stage's output; 1 is all of it "
            "(after He et al. 2016, arXiv 1603.05027, eq. 4).",
        ),
    )  # fmt: skip

    def __init__(self, *, images: int = 1000) -> None:
        if images < 2:
            raise InputError(f"measurements.reconstruction.images={images}: must be at least 2")
        self.images = images

    def nothing_in(self, trained: Trained) -> str:
        """It has no stages."""
        return "" if _stages(trained.model) else "the network has no stages"

    @torch.no_grad()
    def measure(self, trained: Trained) -> Measured:
        stages = _stages(trained.model)
        seen = {part: self._seen(trained, part, stages) for part in ("train", "test")}
        rows: list[dict[str, Any]] = []
        errors = []
        for place, name in enumerate(stages):
            found = reconstruct(*(seen[part][one] for part in ("train", "test") for one in (place + 1, 0)))
            rows.append({
                "stage": name, "place": place + 1, "error": found.error, "r2": 1 - found.error,
                "features": seen["train"][place + 1].shape[1], "ridge": found.ridge,
            })  # fmt: skip
            errors.append(found.error)
        return Measured({"first": errors[0], "last": errors[-1], "mean": sum(errors) / len(errors)}, rows)

    def _seen(self, trained: Trained, part: str, stages: dict[str, nn.Module]) -> list[Tensor]:
        """The images of a split, (N, pixels), and behind each stage their features, (N, features)."""
        kept: list[list[Tensor]] = [[] for _ in range(len(stages) + 1)]
        numbers = {module: place for place, module in enumerate(stages.values(), start=1)}

        def see(module: nn.Module, x: Tensor, output: Tensor) -> None:
            kept[numbers[module]].append(output.flatten(1).float())

        with watch_outputs(numbers, see):
            for images in self._images(trained, part):
                kept[0].append(images.flatten(1).float())
                with trained.precision():
                    trained.model(images)
        return [torch.cat(one)[: self.images] for one in kept]

    def _images(self, trained: Trained, part: str) -> Iterator[Tensor]:
        """Batches of enough images; of the training split as an epoch shuffles it, since files may lie by class."""
        batches = trained.training_batches(0) if part == "train" else trained.batches(part)
        sizes = 0
        for images, _ in islice(batches, self.images):
            yield images
            sizes += len(images)
            if sizes >= self.images:
                return


@dataclass(frozen=True)
class Reconstructed:
    """What a regression gives on test images.

    Attributes:
        error: Σ|x - x̂|² / Σ|x - x̄|².
        ridge: strength of the penalty, beside the mean square length of a centred feature vector.
    """

    error: float
    ridge: float


def reconstruct(features: Tensor, images: Tensor, test_features: Tensor, test_images: Tensor) -> Reconstructed:
    """Ridge regression of images on features, told on test images.

    In its dual form, x̂ = k(φ, Φ) (ΦΦᵀ + λ)⁻¹ X: features may be many more than images.

    Args:
        features: (N, features).
        images: (N, pixels).
        test_features: (M, features).
        test_images: (M, pixels).
    """
    phi, x, phi_test, x_test = (one.double() for one in (features, images, test_features, test_images))
    mean, middle = x.mean(0), phi.mean(0)
    x, phi, phi_test = x - mean, phi - middle, phi_test - middle
    values, vectors = torch.linalg.eigh(phi @ phi.T)
    values = values.clamp(min=0)  # none is below 0 but by rounding
    turned = vectors.T @ x
    scale = float(values.mean()) or 1.0  # features that are all the same say nothing, and any penalty will do
    errors = [_left_out(values, vectors, turned, ridge * scale) for ridge in RIDGES]
    ridge = RIDGES[min(range(len(RIDGES)), key=errors.__getitem__)]
    weights = vectors @ (turned / (values + ridge * scale)[:, None])
    missed = (x_test - mean - phi_test @ (phi.T @ weights)).square().sum()
    return Reconstructed(float(missed / (x_test - mean).square().sum()), ridge)


def _left_out(values: Tensor, vectors: Tensor, turned: Tensor, penalty: float) -> float:
    """Sum of squares of the leave-one-out residuals: each image's residual over 1 - its own weight in its estimate.

    The means are learnt too, so that they are part of that weight, 1 / N.
    """
    missed = vectors @ (turned * (penalty / (values + penalty))[:, None])
    weight = vectors.square() @ (values / (values + penalty)) + 1 / len(vectors)
    return float((missed / (1 - weight)[:, None]).square().sum())


def _stages(model: nn.Module) -> dict[str, nn.Module]:
    """By name, from first to last."""
    if not isinstance(model, Backbone):
        return {}
    return {name: getattr(model.stages, name) for name in model.taps}
