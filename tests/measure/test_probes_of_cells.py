"""The built-in probes on the families of networks, together, and where there is nothing for them."""

from __future__ import annotations

import math
from typing import Any, cast

import pytest
import torch
from torch.nn import functional as F

import ablate
from ablate import Backbone, Course, Probe, StepLook, registry
from ablate.config.compose import prepare
from ablate.measure.probing import Probing
from tests.cells import tiny_cell
from tests.measure.test_looking_on import table, trained
from tests.plugins.looks import look_at

prepare()
SMALL = ("width=0.125", "image.size=8", "image.channels=1", "image.classes=10")
NETWORKS = {
    "post": ("depth=14",),
    "pre": ("depth=14", "order=pre"),
    "bn_after_add": ("depth=14", "order=bn_after_add"),
    "plain": ("depth=14", "shortcut=none"),
    "no norm": ("depth=14", "norm=none", "act=tanh"),
    "bottleneck": ("depth=20", "block=bottleneck", "shortcut=projection"),
    "vgg": ("arch=vgg11", "width=0.125", "image.size=8"),
    "googlenet": ("backbone=googlenet", "stem=googlenet", "aux=googlenet", "norm=batch"),
    "inception_resnet": ("backbone=inception_resnet", "backbone.blocks=[1,1,1]", "stem=none", "aux=linear"),
    "alexnet": ("arch=alexnet_2012", "width=0.125", "image.size=32", "image.channels=1"),
}
UNITS = {"branch_size", "input_cosine", "relative_change"}
WITHOUT = {  # what finds nothing there
    "no norm": {"aux_gradients", "dead_relus", "norm_moments"},
    "vgg": UNITS | {"aux_gradients", "norm_moments"},
    "googlenet": UNITS,
    "inception_resnet": set(),
    "alexnet": UNITS | {"aux_gradients", "norm_moments"},  # its norm is local response normalisation
}
PER_STEP = sorted({entry.name for entry in registry.entries("probe")} - {"gap", "steps_to"})


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.slow
def test_every_probe_gives_its_columns_or_says_that_there_is_nothing(network: str) -> None:
    config = ablate.compose(list({text.partition("=")[0]: text for text in (*SMALL, *NETWORKS[network])}.values()))
    model = ablate.build_model(config)
    size = int(config["image"]["size"])
    images = torch.randn(4, 1, size, size, generator=torch.Generator().manual_seed(0))
    nothing = set()
    for name in PER_STEP:
        probe = cast(Probe, ablate.build("probe", {"name": name}))
        if probe.nothing_in(model):
            nothing.add(name)
            continue
        look_at(probe, model, images, torch.arange(4), step=0, rate=0.01)
        rows = look_at(probe, model, images, torch.arange(4), step=9, rate=0.01)
        assert rows
        assert [column for column in probe.columns if not math.isfinite(probe.values().get(column, math.nan))] == []
    assert nothing == WITHOUT.get(network, {"aux_gradients"})


def looked_at(name: str, *overrides: str) -> dict[str, float]:
    """The values of a probe after a step of a small network."""
    probe = cast(Probe, ablate.build("probe", {"name": name}))
    model = ablate.build_model(ablate.compose([*SMALL, *overrides]))
    look_at(probe, model, torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)), rate=0.01)
    return dict(probe.values())


def test_the_sum_of_branches_explains_pre_and_not_post() -> None:
    assert looked_at("input_cosine", "depth=14", "order=pre")["unexplained"] == pytest.approx(0.0, abs=1e-5)
    assert looked_at("input_cosine", "depth=14", "order=post")["unexplained"] > 0.05


def test_in_a_plain_network_branch_and_output_change_alike() -> None:
    assert looked_at("relative_change", "depth=8", "shortcut=none")["ratio"] == pytest.approx(1.0)
    assert looked_at("relative_change", "depth=8", "shortcut=identity")["ratio"] > 1.05


def test_gradients_of_main_and_auxiliary_losses_are_those_taken_apart() -> None:
    model = ablate.build_model(ablate.compose([*SMALL, "depth=14", "aux=linear", "aux.at=[stage1,stage2]"])).train()
    images, labels = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(4)
    output, others = model(images)
    weight = model.get_parameter("stem.conv.weight")
    (main,) = torch.autograd.grad(F.cross_entropy(output, labels), weight, retain_graph=True)
    loss = cast(Backbone, model).aux_weight * sum(F.cross_entropy(one, labels) for one in others)
    (aux,) = torch.autograd.grad(loss, weight)
    probe = cast(Probe, ablate.build("probe", {"name": "aux_gradients"}))
    look_at(probe, model, images, labels)
    expected = {"ratio": aux.norm() / main.norm(), "cosine": (aux * main).sum() / aux.norm() / main.norm()}
    found = {name: probe.values()[name] for name in expected}
    assert found == pytest.approx({name: float(value) for name, value in expected.items()}, rel=1e-4)


def test_probes_that_look_at_one_step_see_what_each_sees_alone(tmp_path: Any) -> None:
    names = ["branch_size", "input_cosine", "norm_moments", "relative_change", "response"]
    # The last one passes through the network by itself while the hooks of the others are there.
    middle = ["probes.relative_change.looks=1", "probes.branch_size.looks=6", "probes.input_cosine.looks=6"]
    together, _ = trained(tmp_path, "together", f"probes=[{','.join(names)}]", *middle, "data.batch_size=500")
    for name, options in (("branch_size", middle[1]), ("input_cosine", middle[2]), ("relative_change", middle[0])):
        alone, _ = trained(tmp_path, name, f"probes=[{name}]", options, "data.batch_size=500")
        assert table(together / f"probes/{name}.csv") == table(alone / f"probes/{name}.csv")


def test_a_probe_without_anything_to_look_at_leaves_its_columns_empty(
    tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    folder, result = trained(tmp_path, "one", "probes=[aux_gradients,gap]", "trainer.epochs=1")
    assert "probe aux_gradients: the network has no auxiliary classifiers, so its columns stay empty" in caplog.text
    assert result["metrics"]["aux_gradients/ratio"] is None
    assert result["metrics"]["gap/error"] is not None
    assert [path.name for path in (folder / "probes").iterdir()] == ["gap.csv"]


def test_no_step_is_looked_at_for_it(tmp_path: Any) -> None:
    config = tiny_cell("probes=[aux_gradients]").config
    model = ablate.build_model(config)
    from ablate.measure.trained import CellNetwork

    probing = Probing(config["probes"], Course(2, 5), tmp_path, CellNetwork(model, config))
    assert set(probing.due(0, 10)) == set()


def test_hooks_of_a_step_do_not_see_a_probe_s_own_passes() -> None:
    model = torch.nn.Linear(2, 2)
    images, labels = torch.ones(1, 2), torch.zeros(1, dtype=torch.long)
    look = StepLook(1, 0, Course(1, 1), model, torch.optim.SGD(model.parameters(), lr=0.1), (images, labels), rate=0.1)
    seen: list[str] = []
    handle = model.register_forward_hook(lambda *args: seen.append("step"))
    with look.undisturbed() as own:
        own.register_forward_hook(lambda *args: seen.append("own"))
        own(images)
    assert seen == ["own"]
    model(images)
    assert seen == ["own", "step"], "and those of the own passes are gone"
    handle.remove()
    model(images)
    assert len(seen) == 2
