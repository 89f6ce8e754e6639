"""What auxiliary classifiers add to the gradient of the layers below them."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ablate import Backbone, Layer, StepLook, register, weight_layers

from ._snapshots import Snapshots, both_ends, check_looks

Gradients = dict[str, Tensor]


@register("probe", "aux_gradients")
class AuxGradients(Snapshots):
    """Gradient of the auxiliary losses beside that of the main loss, for each weight layer of the main path.

    Szegedy et al. 2014 (arXiv 1409.4842, section 5) add them to "increase the gradient signal that gets propagated
    back". Passes of the probe's own take the gradients of the main loss, and of all auxiliary losses with their weight,
    apart. The table has for each layer both norms, and their `cosine` where an auxiliary loss reaches it.

    Columns, at the last look and before the first update (`_at_start`): `ratio`, auxiliary over main norm at the first
    weight layer, and `cosine` there; `mean_cosine` over all layers that both reach.

    Args:
        looks: steps that it looks at, at equal distances from the first to the last; each costs about two steps.
    """

    columns = both_ends("ratio", "cosine", "mean_cosine")

    def __init__(self, *, looks: int = 2) -> None:
        super().__init__(check_looks("aux_gradients", looks))
        self._layers: list[Layer] = []

    def nothing_in(self, model: nn.Module) -> str:
        """It has no auxiliary classifiers."""
        return "" if getattr(model, "aux_heads", {}) else "the network has no auxiliary classifiers"

    def before_step(self, look: StepLook) -> None:
        """A row for each layer."""
        if not self._layers:
            self._layers = [one for one in weight_layers(look.model, look.images) if one.path == "main"]
        with look.undisturbed() as model:
            main, aux = self._gradients(model, look)
        ratios, cosines = [], []
        for layer in self._layers:
            if layer.name not in main:
                continue
            norm, added = torch.linalg.vector_norm(main[layer.name]), aux.get(layer.name)
            if added is None:
                look.record(layer=layer.name, place=layer.place, main=norm, aux=0.0)
                continue
            size = torch.linalg.vector_norm(added)
            cosine = F.cosine_similarity(main[layer.name].flatten(), added.flatten(), dim=0)
            look.record(layer=layer.name, place=layer.place, main=norm, aux=size, cosine=cosine)
            ratios.append(size / norm)
            cosines.append(cosine)
        if ratios:
            mean = torch.stack(cosines).mean()
            self.keep(look, {"ratio": ratios[0], "cosine": cosines[0], "mean_cosine": mean})

    def _gradients(self, model: nn.Module, look: StepLook) -> tuple[Gradients, Gradients]:
        """Of the main loss and of the auxiliary losses, by layer, as far as each reaches."""
        output, logits = model(look.images)
        main = F.cross_entropy(output, look.labels)
        aux = torch.stack([F.cross_entropy(one, look.labels) for one in logits]).sum()
        weighted = cast(Backbone, model).aux_weight * aux
        kernels = {layer.name: _kernel(layer.module) for layer in self._layers}
        wanted = {name: kernel for name, kernel in kernels.items() if kernel.requires_grad}
        found = [
            torch.autograd.grad(loss, list(wanted.values()), retain_graph=keep, allow_unused=True)
            for loss, keep in ((main, True), (weighted, False))
        ]
        both = [{name: one for name, one in zip(wanted, ones, strict=True) if one is not None} for ones in found]
        return both[0], both[1]


def _kernel(module: nn.Module) -> nn.Parameter:
    return next(one for one in module.parameters(recurse=False) if one.dim() > 1)
