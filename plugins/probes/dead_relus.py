"""Which rectifiers have stopped to answer."""

import torch
from torch import Tensor, nn

from ablate import Chart, Hooks, StepLook, register, watch_outputs

from ._snapshots import Snapshots, both_ends, check_looks


@register("probe", "dead_relus")
class DeadRelus(Snapshots):
    """Share of rectified channels that are zero for all images and pixels of a step's batch, by layer.

    Such a channel passes on no gradient (Maas et al. 2013, "Rectifier Nonlinearities Improve Neural Network Acoustic
    Models", section 2). A channel that answers to few images may be counted in a small batch.

    Columns, at the last look and before the first update (`_at_start`): `share` of all channels, and that of the
    `worst` layer.

    Args:
        looks: steps that it looks at, at equal distances from the first to the last.
    """

    columns = both_ends("share", "worst")
    reads_forward = True
    charts = (
        Chart(
            "share", title="Dead channels by layer of rectifiers", words="share of dead channels",
            axis="layer of rectifiers, from the input",
            caption="Share of the channels that are zero for all images of a batch: no gradient passes through them.",
        ),
    )  # fmt: skip

    def __init__(self, *, looks: int = 4) -> None:
        super().__init__(check_looks("dead_relus", looks))

    def nothing_in(self, model: nn.Module) -> str:
        """It has no ReLU."""
        return "" if relus(model) else "the network has no ReLU"

    def before_step(self, look: StepLook) -> None:
        """From here on rectifiers are seen."""
        self._names = {module: name for name, module in relus(look.model).items()}
        self._dead: list[tuple[str, Tensor]] = []
        self._hooks: Hooks = watch_outputs(self._names, self._see)

    def after_forward(self, look: StepLook) -> None:
        """A row for each layer of rectifiers."""
        self._hooks.remove()
        for place, (name, dead) in enumerate(self._dead, start=1):
            look.record(layer=name, place=place, channels=len(dead), share=dead.mean())
        layers = [dead for _, dead in self._dead]
        self.keep(look, {"share": torch.cat(layers).mean(), "worst": torch.stack([one.mean() for one in layers]).max()})

    def _see(self, module: nn.Module, x: Tensor, output: Tensor) -> None:
        others = [axis for axis in range(output.dim()) if axis != 1]  # (B, C, H, W) or (B, C)
        self._dead.append((self._names[module], (output.amax(others) == 0).float()))


def relus(model: nn.Module) -> dict[str, nn.Module]:
    """The rectifiers of a network by name."""
    return {name: module for name, module in model.named_modules() if isinstance(module, nn.ReLU)}
