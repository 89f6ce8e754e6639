"""How large gradients are, layer by layer."""

from collections.abc import Mapping

import torch

from ablate import Course, InputError, Probe, StepLook, register


@register("probe", "gradient_norm")
class GradientNorm(Probe):
    """Euclidean norm of the gradient of each parameter, and of all together, at some steps of training.

    He et al. 2015 (arXiv 1502.01852, section 2.2) ask of an initialisation that gradients neither grow nor vanish with
    depth: the rows of step 0 show it.

    Args:
        every: steps from one look to the next, from the first step on; 0: the first step alone.
        biases: also of parameters that are vectors: biases, and scales and shifts of norms.
    """

    columns = ("first", "last")

    def __init__(self, *, every: int = 50, biases: bool = False) -> None:
        if every < 0:
            raise InputError(f"probes.gradient_norm.every={every}: must be at least 0")
        self.every, self.biases = every, biases
        self._norms: dict[str, float] = {}
        self._last: torch.Tensor | None = None

    def steps(self, course: Course) -> range:
        """The first step, and every so many from there on."""
        return range(0, course.steps, self.every) if self.every else range(1)

    def after_backward(self, look: StepLook) -> None:
        """A row for each parameter that has a gradient."""
        squares = []
        for name, parameter in look.model.named_parameters():
            if parameter.grad is None:
                continue
            norm = torch.linalg.vector_norm(parameter.grad)
            squares.append(norm.double() ** 2)
            if parameter.dim() > 1 or self.biases:
                look.record(layer=name, norm=norm)
        self._last = torch.stack(squares).sum().sqrt()
        if look.step == 0:
            self._norms["first"] = float(self._last)

    def values(self) -> dict[str, float]:
        """Of all parameters together, at the first and at the last look."""
        return {**self._norms, **self._latest()}

    def state(self) -> dict[str, float]:
        return self.values()

    def load(self, state: Mapping[str, float]) -> None:
        self._norms = dict(state)

    def _latest(self) -> dict[str, float]:
        return {} if self._last is None else {"last": float(self._last)}
