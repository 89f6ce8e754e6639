"""What auxiliary classifiers add to the gradient of the layers below them."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ablate import Backbone, Chart, Hooks, Layer, StepLook, register, weight_layers

from ._snapshots import LAYER, Snapshots, both_ends, check_looks


@register("probe", "aux_gradients")
class AuxGradients(Snapshots):
    """Gradient of the auxiliary losses beside that of the main loss, for each weight layer of the main path.

    Szegedy et al. 2014 (arXiv 1409.4842, section 5) add them to "increase the gradient signal that gets propagated
    back". That of all auxiliary losses, with their weight, is taken from the step's own graph; the rest of the step's
    gradient is that of the main loss. The table has for each layer both norms, and their `cosine` where an auxiliary
    loss reaches it. Under `trainer.precision=bf16` the two backward passes round apart, and so their difference.

    Columns, at the last look and before the first update (`_at_start`): `ratio`, auxiliary over main norm at the first
    weight layer, and `cosine` there; `mean_cosine` over all layers that both reach.

    Args:
        looks: steps that it looks at, at equal distances from the first to the last.
    """

    columns = both_ends("ratio", "cosine", "mean_cosine")
    reads_forward = True
    charts = tuple(
        Chart(
            name, title=f"Gradient of the {words} by depth of layer", words="gradient norm", axis=LAYER, log=True,
            caption="Norm of that part of the gradient of each weight layer on the main path; where no auxiliary loss "
            "reaches, theirs is zero, which has no place here (Szegedy et al. 2014, arXiv 1409.4842, section 5).",
        )
        for name, words in (("main", "main loss"), ("aux", "auxiliary losses"))
    )  # fmt: skip

    def __init__(self, *, looks: int = 3) -> None:
        super().__init__(check_looks("aux_gradients", looks))
        self._layers: list[Layer] = []

    def nothing_in(self, model: nn.Module) -> str:
        """It has no auxiliary classifiers."""
        return "" if getattr(model, "aux_heads", {}) else "the network has no auxiliary classifiers"

    def before_step(self, look: StepLook) -> None:
        """From here on the auxiliary logits are seen."""
        if not self._layers:
            self._layers = [one for one in weight_layers(look.model, look.images) if one.path == "main"]
        self._logits: list[Tensor] = []
        self._hooks = Hooks([look.model.register_forward_hook(self._see)])

    def after_forward(self, look: StepLook) -> None:
        """The gradient of the auxiliary losses, for which the graph is kept."""
        self._hooks.remove()
        losses = torch.stack([F.cross_entropy(logits.float(), look.labels) for logits in self._logits])
        loss = cast(Backbone, look.model).aux_weight * losses.sum()
        self._logits = []
        kernels = {layer.name: _kernel(layer.module) for layer in self._layers}
        wanted = {name: kernel for name, kernel in kernels.items() if kernel.requires_grad}
        found = torch.autograd.grad(loss, list(wanted.values()), retain_graph=True, allow_unused=True)
        self._aux = dict(zip(wanted, found, strict=True))

    def after_backward(self, look: StepLook) -> None:
        """A row for each layer."""
        ratios, cosines = [], []
        for layer in self._layers:
            both, aux = _kernel(layer.module).grad, self._aux.get(layer.name)
            if both is None:
                continue
            if aux is None:
                look.record(layer=layer.name, place=layer.place, main=torch.linalg.vector_norm(both), aux=0.0)
                continue
            main = both - aux
            norm, size = torch.linalg.vector_norm(main), torch.linalg.vector_norm(aux)
            cosine = F.cosine_similarity(main.flatten(), aux.flatten(), dim=0)
            look.record(layer=layer.name, place=layer.place, main=norm, aux=size, cosine=cosine)
            ratios.append(size / norm)
            cosines.append(cosine)
        self._aux = {}
        if ratios:
            mean = torch.stack(cosines).mean()
            self.keep(look, {"ratio": ratios[0], "cosine": cosines[0], "mean_cosine": mean})

    def _see(self, module: nn.Module, args: tuple[Tensor, ...], output: tuple[Tensor, list[Tensor]]) -> None:
        self._logits = output[1]


def _kernel(module: nn.Module) -> nn.Parameter:
    return next(one for one in module.parameters(recurse=False) if one.dim() > 1)
