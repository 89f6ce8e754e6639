"""How values are distributed that a norm gives."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _NormBase

from ablate import Chart, Hooks, StepLook, norms_of, register, watch_outputs

from ._snapshots import Snapshots, both_ends, check_looks

MOMENTS = ("mean", "deviation", "skewness", "kurtosis")
VALUES = ("normalised", "scaled")
NORM = "norm, from the input"


@register("probe", "norm_moments")
class NormMoments(Snapshots):
    """Mean, deviation, skewness and kurtosis of what each norm gives, before and after its scale γ and shift β.

    Ioffe and Szegedy 2015 (arXiv 1502.03167, section 3) fix mean and variance of each channel; of the shape of its
    distribution they say nothing. A standard normal has the moments 0, 1, 0, 0: kurtosis is that in excess of a
    normal's 3. Moments are over all images, channels and pixels of the step's batch: "normalised" values before γ and
    β, "scaled" ones after. What has neither gives the same twice. Local response normalisation, which fixes neither
    mean nor variance, is left out.

    Columns, at the last look and before the first update (`_at_start`): `normalised_mean` to `scaled_kurtosis`, means
    over the norms; of means and skewnesses, which would cancel out, their absolute values. A norm whose values are all
    the same has no skewness and no kurtosis, and is left out there.

    Args:
        looks: steps that it looks at, at equal distances from the first to the last.
    """

    columns = both_ends(*(f"{values}_{moment}" for values in VALUES for moment in MOMENTS))
    reads_forward = True
    charts = (
        Chart(
            "kurtosis", title="Excess kurtosis before γ and β, by norm", words="excess kurtosis", axis=NORM,
            where={"values": "normalised"},
            caption="Of the values that a norm gives before its scale and shift; a normal distribution has 0.",
        ),
        Chart(
            "deviation", title="Standard deviation behind γ and β, by norm", words="standard deviation", axis=NORM,
            where={"values": "scaled"},
            caption="Of the values that a norm gives; without scale and shift it would be 1 (Ioffe and Szegedy 2015, "
            "arXiv 1502.03167, section 3).",
        ),
    )  # fmt: skip

    def __init__(self, *, looks: int = 2) -> None:
        super().__init__(check_looks("norm_moments", looks))

    def nothing_in(self, model: nn.Module) -> str:
        """It has no norms."""
        return "" if standardising(model) else "the network has no norms"

    def before_step(self, look: StepLook) -> None:
        """From here on norms are seen."""
        self._names = {module: name for name, module in standardising(look.model).items()}
        self._moments: list[tuple[str, dict[str, Tensor]]] = []
        self._hooks: Hooks = watch_outputs(self._names, self._see)

    def after_forward(self, look: StepLook) -> None:
        """Two rows for each norm."""
        self._hooks.remove()
        for number, (norm, found) in enumerate(self._moments):
            for values in VALUES:
                moments = {moment: found[f"{values}_{moment}"] for moment in MOMENTS}
                look.record(norm=norm, place=number + 1, values=values, **moments)
        self.keep(look, {name: self._over_norms(name) for name in self._moments[0][1]})

    def _over_norms(self, name: str) -> Tensor:
        every = torch.stack([found[name] for _, found in self._moments])
        return (every.abs() if name.endswith(("_mean", "_skewness")) else every).nanmean()

    def _see(self, module: nn.Module, x: Tensor, output: Tensor) -> None:
        values = zip(VALUES, (normalised(module, x, output), output), strict=True)
        found = {f"{name}_{moment}": value for name, maps in values for moment, value in moments(maps).items()}
        self._moments.append((self._names[module], found))


def standardising(model: nn.Module) -> dict[str, nn.Module]:
    """The norms that set a mean and a deviation, by name."""
    return {name: norm for name, norm in norms_of(model).items() if not isinstance(norm, nn.LocalResponseNorm)}


def normalised(norm: nn.Module, x: Tensor, output: Tensor) -> Tensor:
    """What a norm makes of x before its scale and shift; its output where it is known to have neither."""
    if isinstance(norm, _NormBase):
        own = norm.training or norm.running_mean is None
        statistics = (None, None) if own else (norm.running_mean, norm.running_var)
        return F.batch_norm(x, *statistics, training=own, eps=norm.eps)
    if isinstance(norm, nn.GroupNorm):
        return F.group_norm(x, norm.num_groups, eps=norm.eps)
    if isinstance(norm, nn.LayerNorm):
        return F.layer_norm(x, list(norm.normalized_shape), eps=norm.eps)
    return output


def moments(values: Tensor) -> dict[str, Tensor]:
    """Mean, standard deviation, skewness and excess kurtosis of all values (of any shape) together."""
    values = values.double()
    mean = values.mean()
    centred = values - mean
    squares = centred.square()
    variance = squares.mean()
    skewness = (squares * centred).mean() / variance**1.5
    kurtosis = squares.square().mean() / variance**2 - 3
    return dict(zip(MOMENTS, (mean, variance.sqrt(), skewness, kurtosis), strict=True))
