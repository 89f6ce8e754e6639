"""Every preset, built narrow: it trains, exports and compiles at every size of images, or says why it does not."""

from __future__ import annotations

import copy
import re
import shutil
from functools import cache
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

import ablate
from ablate import InputError
from ablate.cell.run import build_training
from ablate.cli.catalogue import catalogue
from ablate.config.compose import settings_of
from ablate.config.files import config_names
from ablate.network.build import build_model, count_parameters
from ablate.network.loss import training_loss

CLASSES = 7
WIDTH = 0.05
ARCHS = sorted(config_names("arch"))
OWN_SIZE = {arch: settings_of("arch", arch)["image.size"] for arch in ARCHS}
SHALLOW = {"preact_resnet1001": 29, "resnet1001_cifar": 29, "resnet1202_cifar": 20}
THOUSAND_LAYERS = set(SHALLOW)
# One of each family and form; the others differ from them in depth.
FORMS = [
    "alexnet",
    "alexnet_2012",
    "googlenet",
    "googlenet_bn",
    "inception_resnet_v1",
    "inception_v2",
    "inception_v3",
    "lenet5",
    "lenet5_1998",
    "mini_v1_002",
    "mini_v2_002",
    "resnet18",
    "resnet18_001",
    "resnet18_d2l",
    "resnet20_cifar",
    "resnet50_keras",
    "resnet50_v2",
    "resnet50_v2_000",
    "resnet50_v2_keras",
    "resnext50_32x4d",
    "vgg11",
    "vgg11_bn",
    "vgg11_lrn",
]
COMPILED = {"alexnet_2012", "googlenet", "inception_v2", "lenet5_1998", "resnet18", "resnet20_cifar", "vgg11_lrn"}


def slow_unless(arch: str, quick: bool) -> Any:
    return pytest.param(arch, marks=() if quick else pytest.mark.slow)


@cache
def composed(arch: str) -> dict[str, Any]:
    plain = OmegaConf.to_container(ablate.compose([f"arch={arch}"]), resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def narrow(arch: str, size: int, classes: int = CLASSES, **changes: Any) -> nn.Module:
    """A preset at a twentieth of its width, with changes to the keys of its config."""
    config = {**composed(arch), "width": WIDTH, **changes}
    return build_model({**config, "image": {**config["image"], "size": size, "classes": classes}})


def images(model: nn.Module, count: int, size: int) -> Tensor:
    first = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
    return torch.randn(count, first.in_channels, size, size, generator=torch.Generator().manual_seed(0))


def loss_and_gradients(model: nn.Module, x: Tensor) -> tuple[Tensor, dict[str, Tensor | None]]:
    """One training step's loss and gradients, the noise of dropout seeded."""
    torch.manual_seed(0)
    loss = training_loss(model, x, torch.arange(len(x)))
    loss.backward()
    return loss.detach(), {name: parameter.grad for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.slow
def test_its_comments_say_how_many_parameters_it_has_and_where_it_comes_from(arch: str) -> None:
    (row,) = (row for row in catalogue("arch") if row["name"] == arch)
    first = config_names("arch")[arch].read_text(encoding="utf-8").splitlines()[1]
    with torch.device("meta"):
        assert f"{count_parameters(build_model(composed(arch))):,}" == row["parameters"]
        if without := re.search(r"([\d,]+) with aux=none", first):
            model = build_model({**composed(arch), "aux": {"name": "none"}})
            assert f"{count_parameters(model):,}" == without[1]
    assert re.search(r"arXiv|et al|[Ss]ource", row["source"])
    assert row["what it is"]


@pytest.mark.parametrize(("arch", "size"), [(arch, size) for arch in ARCHS for size in sorted({OWN_SIZE[arch], 32, 8})])
def test_it_runs_forwards_and_backwards(arch: str, size: int) -> None:
    model = narrow(arch, size)
    x = images(model, 2, size)
    loss, gradients = loss_and_gradients(model, x)
    assert loss.isfinite()
    assert [name for name, one in gradients.items() if one is None or not one.isfinite().all()] == []
    with torch.no_grad():
        assert model.eval()(x).shape == (2, CLASSES)


@pytest.mark.parametrize("arch", [slow_unless(arch, arch not in THOUSAND_LAYERS) for arch in ARCHS])
def test_the_seed_decides_values_and_gradients(arch: str) -> None:
    (loss, gradients), (same_loss, same_gradients) = (
        loss_and_gradients(model, images(model, 3, 8)) for model in (narrow(arch, 8), narrow(arch, 8))
    )
    assert torch.equal(loss, same_loss)
    for name, one in gradients.items():
        torch.testing.assert_close(same_gradients[name], one, rtol=0, atol=0, msg=name)


@pytest.mark.parametrize("arch", ARCHS)
def test_eval_mode_takes_one_image(arch: str) -> None:
    model = narrow(arch, 8).double()
    x = images(model, 3, 8).double()
    with torch.no_grad():
        _measure_statistics(model, x)
        model.eval()
        torch.testing.assert_close(model(x[:1]), model(x)[:1], rtol=1e-6, atol=1e-6)


def _measure_statistics(model: nn.Module, x: Tensor) -> None:
    """Give the norms the statistics of a batch: with those of a fresh norm, a thousand residual units overflow."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    model(x)


@pytest.mark.parametrize("arch", [slow_unless(arch, arch not in THOUSAND_LAYERS) for arch in ARCHS])
@pytest.mark.slow
def test_ten_steps_on_digits_stay_finite(arch: str) -> None:
    rate = 0.01 if arch in THOUSAND_LAYERS else 0.1  # He et al. 2015, section 4.2: from 110 layers on it starts lower
    # With one channel or two, a thousand post-activation layers begin with gradients of 1e7, which no rate mends.
    width = 0.25 if arch in THOUSAND_LAYERS else WIDTH
    config = {**composed(arch), "width": width, "data": {"name": "digits"}, "optim": {"name": "sgd", "lr": rate}}
    training = build_training(config, torch.device("cpu"))
    optimizer = training.configure_optimizers()
    for index in training.data.start_epoch(0).split(32)[:10]:
        optimizer.zero_grad()
        loss = training_loss(training.model, *training.data.training_batch(index))
        loss.backward()
        optimizer.step()
        assert loss.isfinite()
    assert all(one.isfinite().all() for one in training.model.state_dict().values())


@pytest.mark.parametrize("arch", [slow_unless(arch, arch in COMPILED) for arch in ARCHS])
@pytest.mark.slow
def test_it_compiles_as_one_graph(arch: str) -> None:
    # A graph of a thousand units takes half a minute to trace, and all of a stage are alike: three a stage say as much.
    model = narrow(arch, 32, **({"depth": SHALLOW[arch]} if arch in THOUSAND_LAYERS else {}))
    x = images(model, 2, 32)
    _same_when_compiled(model, x, "eager")


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="inductor needs a C++ compiler")
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # inside inductor
@pytest.mark.parametrize("arch", ["resnet20_cifar", "googlenet"])
def test_inductor_compiles_it(arch: str) -> None:
    model = narrow(arch, 8).eval()
    _same_when_compiled(model, images(model, 2, 8), "inductor")


def _same_when_compiled(model: nn.Module, x: Tensor, backend: str) -> None:
    torch._dynamo.reset()
    outputs = []
    for run in (copy.deepcopy(model), torch.compile(model, fullgraph=True, backend=backend)):
        torch.manual_seed(0)
        with torch.no_grad():
            outputs.append(run(x))
    torch.testing.assert_close(*outputs, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.*LeafSpec.:FutureWarning")
@pytest.mark.parametrize(
    "arch",
    [
        "lenet5_1998",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("resnet20_cifar", "vgg11_lrn", "inception_v3")),
    ],
)
def test_it_exports_to_onnx(arch: str) -> None:
    """For batches of any size, with the same outputs."""
    reason = "needs onnx and onnxscript, of the extra `dev`"
    pytest.importorskip("onnxscript", reason=reason)
    evaluator = pytest.importorskip("onnx.reference", reason=reason).ReferenceEvaluator
    model = narrow(arch, 32).eval()
    batch = {0: torch.export.Dim("batch")}
    program = torch.onnx.export(model, (images(model, 2, 32),), dynamo=True, dynamic_shapes=(batch,), verbose=False)
    assert program is not None
    exported = evaluator(program.model_proto)
    x = images(model, 3, 32)
    (logits,) = exported.run(None, {exported.input_names[0]: x.numpy()})
    torch.testing.assert_close(torch.from_numpy(logits), model(x).detach(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("arch", FORMS)
def test_images_that_are_too_small_are_refused_with_the_least_size(arch: str) -> None:
    refused: dict[int, str] = {}
    for size in range(1, 9):
        try:
            model = narrow(arch, size).eval()
        except InputError as error:
            refused[size] = str(error)
            continue
        with torch.no_grad():
            assert model(images(model, 2, size)).isfinite().all()
    least = len(refused) + 1
    assert sorted(refused) == list(range(1, least)), "it takes one size and refuses a larger one"
    for size, error in refused.items():
        assert f"at least {least}x{least} pixels, not {size}x{size}" in error


@pytest.mark.parametrize("arch", FORMS)
def test_one_class_is_refused(arch: str) -> None:
    with pytest.raises(InputError, match="two classes"):
        narrow(arch, 8, classes=1)


@pytest.mark.parametrize("arch", [arch for arch in FORMS if "googlenet" not in arch])
def test_unknown_taps_are_refused_with_those_that_exist(arch: str) -> None:
    with pytest.raises(InputError, match=r"unknown stage in aux\.at 'inception4x'.*known: "):
        narrow(arch, 8, aux={"name": "linear", "at": ["inception4x"]})


@pytest.mark.parametrize("arch", FORMS)
def test_auxiliary_classifiers_stand_behind_any_stage(arch: str) -> None:
    first, *_, last = narrow(arch, 8, aux={"name": "none"}).taps
    model = narrow(arch, 8, aux={"name": "linear", "at": [first, last], "weight": 0.5})
    logits, auxiliary = model(images(model, 2, 8))
    assert [one.shape for one in (logits, *auxiliary)] == [(2, CLASSES)] * 3
    assert list(model.aux_heads) == [first, last]


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (["arch=alexnet", "backbone.groups=3"], "3 groups"),
        (["arch=resnet20_cifar", "norm=group", "norm.groups=5"], "5 groups do not divide"),
        (["arch=vgg16", "depth=17"], "depth 17 .*16.*19"),
        (["arch=resnet50", "depth=51"], "depth 51 .*50"),
        (["arch=googlenet", "backbone.branches=[7x7]"], "unknown branch .*'7x7'"),
        (["arch=googlenet", "backbone.branches=[]"], "branch"),
        (["arch=googlenet", "aux.weight=-1"], "aux.weight"),
        (["arch=googlenet", "aux.dropout=1"], "aux.dropout"),
        (["arch=googlenet", "aux.at=[]"], "aux.at"),
        (["arch=googlenet", "aux.at=[inception4a,inception4a]"], "twice"),
        (["arch=inception_v3", "aux.at=[stage1]"], "unknown stage in aux.at 'stage1'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_makes_no_network_is_refused_with_the_reason(overrides: list[str], reason: str) -> None:
    with pytest.raises(InputError, match=reason), torch.device("meta"):
        build_model(ablate.compose(overrides))
