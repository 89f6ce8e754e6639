"""How large the responses of layers are."""

from typing import Literal

import torch
from torch import Tensor, nn

from ablate import Chart, Hooks, Layer, StepLook, register, watch_outputs, weight_layers

from ._snapshots import LAYER, Snapshots, both_ends, check_looks


@register("probe", "response")
class Response(Snapshots):
    """Standard deviation of each convolution's response, behind its norm and before activation and addition.

    He et al. 2015 (arXiv 1512.03385, section 4.2 and Fig. 7): residual functions are closer to zero than those of plain
    networks, and closer the deeper the network. Over all images, channels and pixels of the step's batch, as the
    network in training mode gives them. Where no norm follows, as behind the last convolution of a pre-activated
    branch, it is the convolution's own output.

    Columns, at the last look and before the first update (`_at_start`), over the layers of the main path: `mean`,
    `first` and `last` (the layer nearest to the input and to the output), `largest`.

    Args:
        looks: steps that it looks at, at equal distances from the first to the last.
        layers: "spatial", convolutions of more than one pixel, as in the figure (of a bottleneck the 3x3 alone), or
            "all" convolutions.
    """

    columns = both_ends("mean", "first", "last", "largest")
    reads_forward = True
    charts = (
        Chart(
            "std", title="Response by layer", words="std of responses", axis=LAYER, looks="last", ranked=True,
            caption="Standard deviation of each layer's response at the end of training, behind its norm and before "
            "activation and addition, in the order of the layers and sorted by size (He et al. 2015, arXiv "
            "1512.03385, Figure 7).",
        ),
    )  # fmt: skip

    def __init__(self, *, looks: int = 4, layers: Literal["spatial", "all"] = "spatial") -> None:
        super().__init__(check_looks("response", looks))
        self.layers = layers
        self._layers: list[Layer] = []

    def nothing_in(self, model: nn.Module) -> str:
        """It has no such convolution."""
        kernels = [module.kernel_size for module in model.modules() if isinstance(module, nn.Conv2d)]
        return "" if any(map(self._counts, kernels)) else "the network has no such convolutions"

    def before_step(self, look: StepLook) -> None:
        """From here on responses are seen."""
        if not self._layers:
            layers = weight_layers(look.model, look.images)
            self._layers = [one for one in layers if one.path == "main" and self._counts(one.kernel)]
        self._stds: dict[nn.Module, Tensor] = {}
        self._hooks: Hooks = watch_outputs([one.norm or one.module for one in self._layers], self._see)

    def after_forward(self, look: StepLook) -> None:
        """A row for each layer."""
        self._hooks.remove()
        stds = []
        for layer in self._layers:
            std = self._stds.get(layer.norm or layer.module)
            if std is None:  # a unit that this step leaves out
                continue
            look.record(layer=layer.name, place=layer.place, std=std)
            stds.append(std)
        if stds:
            every = torch.stack(stds)
            self.keep(look, {"mean": every.mean(), "first": every[0], "last": every[-1], "largest": every.max()})

    def _see(self, module: nn.Module, x: Tensor, output: Tensor) -> None:
        self._stds[module] = output.float().std(correction=0)

    def _counts(self, kernel: tuple[int, ...]) -> bool:
        return bool(kernel) and (self.layers == "all" or max(kernel) > 1)
