"""What ten crops are worth."""

from typing import Any, cast

from ablate import Evaluation, Measured, Measurement, Trained, build, register

VIEWS = {"one": "center_crop", "ten": "ten_crop"}  # by column: the evaluation


@register("measurement", "ten_crop")
class TenCrops(Measurement):
    """Test error with ten crops of each image against the centre crop alone (Krizhevsky et al. 2012, section 4.1).

    The softmax is averaged over four corners, the centre and their mirror images. Columns: the error with `one` crop
    and with `ten`, and `gain`, one - ten. The table has error and loss of both.

    Args:
        pixels: from the centre crop to the corner crops along each side, as `evaluation.pixels` of ten_crop.
    """

    columns = ("one", "ten", "gain")

    def __init__(self, *, pixels: int = 4) -> None:
        self._evaluations: dict[str, Evaluation] = {
            "one": cast(Evaluation, build("evaluation", {"name": VIEWS["one"]})),
            "ten": cast(Evaluation, build("evaluation", {"name": VIEWS["ten"], "pixels": pixels})),
        }

    def measure(self, trained: Trained) -> Measured:
        found = {views: trained.evaluate("test", shown) for views, shown in self._evaluations.items()}
        errors = {views: error for views, (_, error) in found.items()}
        rows: list[dict[str, Any]] = [
            {"evaluation": VIEWS[views], "error": error, "loss": loss} for views, (loss, error) in found.items()
        ]
        return Measured({**errors, "gain": errors["one"] - errors["ten"]}, rows)
