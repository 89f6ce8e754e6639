"""Which sizes of objects a network finds."""

from typing import Any

import torch
from torch import Tensor

from ablate import Chart, Measured, Measurement, Trained, register

GROUPS = ("small", "medium", "large")


@register("measurement", "by_size")
class BySize(Measurement):
    """Test error by the size of the object that an image shows.

    Source 001, section 4.1, says that branches of several kernel sizes suit objects of several sizes. The test images
    are sorted by what the data set says of each, into thirds; images of one size come into one group, so that groups
    may differ in their number of images.

    Columns: the error in `small`, `medium` and `large`, of which one that no image comes into is empty, and `worst`,
    the largest of these. The table has for each size its group, its number of images and its error.

    Args:
        trait: what the data set says of an image that is its size; cluttered_digits says `digit_side`, in pixels.
    """

    columns = (*GROUPS, "worst")
    charts = (
        Chart(
            "error", over="size", title="Test error by size of the object", words="test error",
            axis="size of the object",
            caption="Each size with the error over the images that have it.",
        ),
    )  # fmt: skip

    def __init__(self, *, trait: str = "digit_side") -> None:
        self.trait = trait

    def nothing_in(self, trained: Trained) -> str:
        """The data set does not say it."""
        known = trained.traits("test")
        told = f"; it says: {', '.join(known)}" if known else ""
        return "" if self.trait in known else f"the data set says no {self.trait} of its test images{told}"

    @torch.no_grad()
    def measure(self, trained: Trained) -> Measured:
        sizes = trained.traits("test")[self.trait].double().cpu()
        wrong = torch.cat(list(_wrong(trained))).cpu()
        groups = thirds(sizes)
        errors = {name: wrong[groups == number].double().mean() for number, name in enumerate(GROUPS)}
        rows: list[dict[str, Any]] = [
            {"size": float(size), "group": GROUPS[int(groups[sizes == size][0])], "images": int((sizes == size).sum()),
             "error": wrong[sizes == size].double().mean()}
            for size in sizes.unique()
        ]  # fmt: skip
        return Measured({**errors, "worst": torch.stack(list(errors.values())).nan_to_num(-1.0).max()}, rows)


def thirds(sizes: Tensor) -> Tensor:
    """The third that each of these sizes (N,) comes into: 0, 1 or 2, (N,).

    A size is judged by how many are smaller, those of its own size by half: equal ones come into one third.
    """
    ordered = sizes.sort().values
    below = torch.searchsorted(ordered, sizes, right=False)
    up_to = torch.searchsorted(ordered, sizes, right=True)
    middle = (below + up_to) / (2 * len(sizes))
    return (middle * len(GROUPS)).long().clamp(0, len(GROUPS) - 1)


def _wrong(trained: Trained) -> list[Tensor]:
    """Whether each image of the test split is put into a wrong class."""
    found = []
    for images, labels in trained.batches("test"):
        with trained.precision():
            logits = trained.model(images)
        found.append(logits.argmax(dim=1) != labels)
    return found
