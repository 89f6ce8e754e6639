"""How large gradients are, layer by layer."""

from collections.abc import Mapping

import torch

from ablate import Chart, Course, InputError, Layer, Probe, StepLook, register, weight_layers

from ._snapshots import LAYER

RATIO = "input_to_output"
LOG_RATIO = f"log_{RATIO}"


@register("probe", "gradient_norm")
class GradientNorm(Probe):
    """Euclidean norm of the gradient of each parameter, and of all together, at some steps of training.

    He et al. 2015 (arXiv 1502.01852, section 2.2) ask of an initialisation that gradients neither grow nor vanish with
    depth: the rows of step 0 show it. Columns of results, at the first and (those with `_end`, and `last`) at the last
    look:

    - `first`, `last`: of all parameters together.
    - `input_to_output`: norm at the first weight layer of the main path over that at its last one, the classifier's.
      Far below 1, gradients vanish towards the input.
    - `log_input_to_output`: its logarithm to base 10, for means over seeds: ratios differ by orders of magnitude.

    The table has for each layer its `place` in the forward pass, from 1 at the input, and its `path`: main, shortcut
    or aux; `kernel` is 0 for parameters that are vectors.

    Args:
        every: steps from one look to the next, from the first step on; 0: the first step alone.
        biases: also of parameters that are vectors: biases, and scales and shifts of norms.
    """

    columns = ("first", "last", RATIO, LOG_RATIO, f"{RATIO}_end", f"{LOG_RATIO}_end")
    charts = (
        Chart(
            "norm", title="Gradient norm by depth of layer", words="gradient norm", axis=LAYER, log=True,
            where={"path": "main", "kernel": 1},
            caption="Norm of the gradient of each weight layer's kernel on the main path, before training (first "
            "look) and later on. A line that falls towards the input is a gradient that vanishes (He et al. 2015, "
            "arXiv 1502.01852, section 2.2). What is zero has no place on a log axis.",
        ),
    )  # fmt: skip

    def __init__(self, *, every: int = 50, biases: bool = False) -> None:
        if every < 0:
            raise InputError(f"probes.gradient_norm.every={every}: must be at least 0")
        self.every, self.biases = every, biases
        self._kept: dict[str, float | torch.Tensor] = {}
        self._layers: dict[str, Layer] = {}

    def steps(self, course: Course) -> range:
        """The first step, and every so many from there on."""
        return range(0, course.steps, self.every) if self.every else range(1)

    def after_backward(self, look: StepLook) -> None:
        """A row for each parameter that has a gradient."""
        if not self._layers:
            self._layers = {layer.name: layer for layer in weight_layers(look.model, look.images)}
        norms = {
            name: torch.linalg.vector_norm(parameter.grad)
            for name, parameter in look.model.named_parameters()
            if parameter.grad is not None
        }
        kernels = {name for name, parameter in look.model.named_parameters() if parameter.dim() > 1}
        for name, norm in norms.items():
            if name in kernels or self.biases:
                look.record(layer=name, norm=norm, kernel=int(name in kernels), **self._where(name))
        total = torch.stack(list(norms.values())).double().square().sum().sqrt()
        ends = self._ratio({name: norms[name] for name in norms if name in kernels})
        self._keep(look, total, ends)

    def values(self) -> dict[str, float]:
        """Of all parameters together, and of the first weight layer over the last, at the first and the last look."""
        return {name: float(value) for name, value in self._kept.items()}

    def state(self) -> dict[str, float]:
        return self.values()

    def load(self, state: Mapping[str, float]) -> None:
        self._kept = dict(state)

    def _keep(self, look: StepLook, total: torch.Tensor, ratio: dict[str, torch.Tensor]) -> None:
        if look.step == 0:
            self._kept |= {"first": total, **ratio}
        self._kept |= {"last": total, **{f"{name}_end": value for name, value in ratio.items()}}

    def _ratio(self, norms: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Of the main path's ends, as far as both have gradients."""
        at = {self._layers[name.rpartition(".")[0]]: norm for name, norm in norms.items() if self._is_main(name)}
        if not at:
            return {}
        places = sorted(at, key=lambda layer: layer.place)
        ratio = at[places[0]].double() / at[places[-1]]
        return {RATIO: ratio, LOG_RATIO: ratio.log10()}

    def _is_main(self, parameter: str) -> bool:
        layer = self._layers.get(parameter.rpartition(".")[0])
        return layer is not None and layer.path == "main"

    def _where(self, parameter: str) -> dict[str, int | str]:
        """Place and path of the layer that holds a parameter; nothing for what is no part of a weight layer."""
        layer = self._layers.get(parameter.rpartition(".")[0])
        return {} if layer is None else {"place": layer.place, "path": layer.path}
