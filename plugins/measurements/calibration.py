"""Whether a network is right as often as it says."""

import torch

from ablate import Chart, InputError, Measured, Measurement, Trained, register


@register("measurement", "calibration")
class Calibration(Measurement):
    """Expected calibration error on the test split, and confidence against accuracy by bin (Guo et al. 2017).

    arXiv 1706.04599, section 2: images are sorted into bins by the largest softmax output; the error is the mean over
    all images of the distance between a bin's accuracy and its mean confidence.

    Args:
        bins: of equal width over (0, 1].
    """

    columns = ("ece", "confidence")
    charts = (
        Chart(
            "accuracy", over="bin", title="Accuracy by confidence", axis="bin of the confidence", form="bars",
            caption="Test images in bins of equal width by the largest softmax output, from 0 to 1; a calibrated "
            "network is as often right as it says (Guo et al. 2017, arXiv 1706.04599, Figure 1).",
        ),
    )  # fmt: skip

    def __init__(self, *, bins: int = 15) -> None:
        if bins < 1:
            raise InputError(f"measurements.calibration.bins={bins}: must be at least 1")
        self.bins = bins

    @torch.no_grad()
    def measure(self, trained: Trained) -> Measured:
        sums = torch.zeros(3, self.bins, dtype=torch.float64, device=trained.device)  # images, confidence, right
        for images, labels in trained.batches("test"):
            with trained.precision():
                logits = trained.model(images)
            confidence, chosen = logits.float().softmax(dim=1).max(dim=1)
            place = (confidence * self.bins).ceil().long().clamp(1, self.bins) - 1
            for row, values in enumerate((torch.ones_like(confidence), confidence, chosen == labels)):
                sums[row].index_add_(0, place, values.double())
        count, confidence, right = sums
        share = count / count.sum()
        filled = count > 0
        gap = (right / count - confidence / count).abs()[filled]
        values = {"ece": (share[filled] * gap).sum(), "confidence": confidence.sum() / count.sum()}
        rows = [
            {"bin": place + 1, "images": int(count[place]),
             "confidence": confidence[place] / count[place], "accuracy": right[place] / count[place]}
            for place in filled.nonzero().flatten().tolist()
        ]  # fmt: skip
        return Measured(values, rows)
