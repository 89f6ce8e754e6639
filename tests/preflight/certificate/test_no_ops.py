"""Arms that change nothing are refused before anything is trained; arms that change anything are not."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ablate import InputError, registry
from ablate.__main__ import main
from ablate.preflight.certificate import marks

from .studies import INCEPTION, TINY, VGG, certificate, refuse


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)
    with registry.isolated():
        yield tmp_path
    signal.signal(signal.SIGTERM, handler)


NOTHING = {
    "a value that is the default by another name": (
        "", "shortcut.norm=true", (*TINY, "shortcut=projection"), "shortcut.norm: null -> true",
    ),
    "googlenet has no shortcuts": (
        "shortcut=identity", "shortcut=projection", INCEPTION, "shortcut: identity -> projection",
    ),
    "googlenet has no residual blocks": ("block=basic", "block=bottleneck", INCEPTION, "block: basic -> bottleneck"),
    "vgg has no stem": ("stem=none", "stem=imagenet", VGG, "stem: none -> imagenet"),
    "vgg has no order": ("order=post", "order=pre", VGG, "order: post -> pre"),
    "a scale of one": (
        "shortcut=identity", "shortcut=scaled,shortcut.scale=1,shortcut.residual_scale=1", TINY,
        "shortcut: identity -> scaled",
    ),
    "a shift by nothing": ("augment=none", "augment=shift,augment.pixels=0", TINY, "augment: none -> shift"),
    "a milestone behind the last step": (
        "schedule=constant", "schedule=step,schedule.milestones=[0.99]", (*TINY, "trainer.epochs=2"),
        "schedule: constant -> step",
    ),
    "the factor of a warm-up that is not there": (
        "", "schedule.warmup_factor=0.5", (*TINY, "schedule.warmup_epochs=0"), "schedule.warmup_factor: 0.1 -> 0.5",
    ),
    "without shortcuts both orders are conv-norm-act all the way": (
        "order=post", "order=pre", (*TINY, "shortcut=none"), "order: post -> pre",
    ),
    "how often it is measured": ("", "trainer.eval_every=2", TINY, "trainer.eval_every: 1 -> 2"),
}  # fmt: skip


@pytest.mark.parametrize(("baseline", "arm", "around", "change"), NOTHING.values(), ids=NOTHING.keys())
def test_an_arm_that_changes_nothing_is_refused(baseline: str, arm: str, around: Sequence[str], change: str) -> None:
    with pytest.raises(InputError) as error:
        refuse(baseline, arm, around)
    text = str(error.value)
    assert text.startswith("arm 'arm' changes nothing against its baseline 'baseline': it differs in ")
    assert change in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "arm",
    [
        "order=pre",
        "shortcut=projection",
        "shortcut=shortcut_gate",
        "shortcut=shortcut_gate,shortcut.bias_init=0",
        "shortcut=dropout",
        "shortcut.pad=end",
        "norm=none",
        "norm=group,norm.groups=1",
        "act=elu",
        "block.bias=all",
        "aux=linear,aux.at=[stage1]",
        "init.mode=fan_in",
        "init.zero_last=true",
        "norm.scale=false",
        "backbone.drop_path=0.2",
        "optim.lr=0.02",
        "optim.momentum=0.8",
        "optim.nesterov=true",
        "optim.weight_decay=1e-6",
        "optim.decay_norm=false",
        "optim=adamw",
        "schedule=step",
        "schedule.warmup_epochs=0",
        "data.batch_size=32",
        "augment=shift",
        "trainer.epochs=3",
    ],
)
@pytest.mark.slow
def test_an_arm_that_changes_anything_is_not(arm: str) -> None:
    refuse("", arm)


@pytest.mark.parametrize(
    ("chosen", "option"), [("schedule=step", "schedule.milestones=[0.6,0.8]"), ("augment=shift", "augment.pixels=2")]
)
def test_nor_is_one_that_changes_an_option_of_what_both_choose(chosen: str, option: str) -> None:
    refuse(chosen, f"{chosen},{option}")


@pytest.mark.parametrize(("baseline", "arm"), [("width=0.25,depth=8", "width=0.5,depth=8"), ("depth=8", "depth=14")])
def test_an_arm_of_another_size_is_not(baseline: str, arm: str) -> None:
    refuse(baseline, arm, ["study.seeds=1"])


@pytest.mark.parametrize(
    ("around", "baseline", "arm", "where"),
    [
        ((*TINY, "aux=linear", "aux.at=[stage1]"), "", "aux.weight=0.1", {"loss", "gradients"}),
        ((*TINY, "shortcut=dropout"), "", "shortcut.rate=0.1", {"training outputs", "running statistics"}),
    ],
)
def test_what_only_training_shows_is_found(around: Sequence[str], baseline: str, arm: str, where: set[str]) -> None:
    found = certificate(baseline, arm, around).evidence
    assert found.outputs == "differ"
    assert where <= {name for name, value in found.differences.items() if value}


SAME_BLOCK = """
from torch import nn
from ablate import Block, register

class Pair(nn.Sequential):
    '''Two layers under other names than the baseline's.'''

@register("block", "mine")
class Mine(Block):
    '''Said to be something new.'''

    depth = 2

    def layers(self, in_channels, width, stride):
        return [
            nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=False),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
        ]
"""

SAME_SHORTCUT = """
from torch import nn
from torch.nn import functional as F
from ablate import Shortcut, register

@register("shortcut", "mine")
class Mine(Shortcut):
    '''A projection, under other names and said to be new.'''

    def __init__(self, parts, shape):
        super().__init__()
        conv = nn.Conv2d(shape.in_channels, shape.out_channels, 1, shape.stride, bias=False)
        self.new = conv if shape.changes else None
        self.scale = parts.norm(shape.out_channels) if shape.changes else None

    def forward(self, x, residual):
        return (x if self.new is None else self.scale(self.new(x))) + residual
"""

UNUSED = """
from torch import nn
from ablate import Block, register

@register("block", "mine")
class Mine(Block):
    depth = 2

    def layers(self, in_channels, width, stride):
        first = nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=False)
        first.attention = nn.Linear(width, width)
        return [first, nn.Conv2d(width, width, 3, padding=1, bias=False)]
"""

ZERO_GAIN = """
from torch import nn
import torch
from ablate import Shortcut, register

@register("shortcut", "mine")
class Mine(Shortcut):
    '''x + F(x) + g F(x)^2 with a gain g that starts at zero.'''

    def __init__(self, parts, shape):
        super().__init__()
        self.path = nn.Conv2d(shape.in_channels, shape.out_channels, 1, shape.stride, bias=False)
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, x, residual):
        return self.path(x) + residual + self.gain * residual.square()
"""


def plugin(text: str) -> None:
    Path("plugins").mkdir()
    Path("plugins/mine.py").write_text(text)


@pytest.mark.parametrize(
    ("text", "baseline", "arm"),
    [(SAME_BLOCK, "block=basic", "block=mine"), (SAME_SHORTCUT, "shortcut=projection", "shortcut=mine")],
    ids=["the same layers", "the same layers under other names"],
)
def test_a_plugin_that_returns_what_the_baseline_has_is_refused(text: str, baseline: str, arm: str) -> None:
    plugin(text)
    with pytest.raises(InputError, match="arm 'arm' changes nothing against its baseline 'baseline'"):
        refuse(baseline, arm)


def test_a_part_that_its_first_values_hide_is_seen() -> None:
    plugin(ZERO_GAIN)
    refuse("shortcut=projection_all,shortcut.norm=false", "shortcut=mine")
    found = certificate("shortcut=projection_all,shortcut.norm=false", "shortcut=mine")
    assert found.evidence.outputs == "differ"


def test_parameters_that_take_no_part_are_marked_and_not_refused() -> None:
    plugin(UNUSED)
    found = certificate("block=basic", "block=mine")
    assert (found.evidence.outputs, found.params_change > 0) == ("same", True)
    assert "same" in {mark.kind for mark in marks([found])}


@pytest.mark.parametrize("verb", [["plan"], []], ids=["plan", "run"])
def test_both_commands_refuse_in_one_line_and_train_nothing(
    verb: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    arms = ["+study.arms.a=[stem=none]", "+study.arms.b=[stem=imagenet]"]
    assert main([*verb, *VGG, *arms]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(
        "ablate: arm 'b' changes nothing against its baseline 'a': it differs in stem: none -> imagenet"
    )
    assert not Path("runs").exists()


WARM_UP = """# @package _global_
study:
  name: mine
  arms: {a: [order=post], b: [schedule.warmup_factor=0.5]}
  grid: {schedule.warmup_epochs: [0.0, 1.0]}
"""


def test_an_arm_with_an_effect_at_one_grid_point_is_kept_and_marked(capsys: pytest.CaptureFixture[str]) -> None:
    Path("conf/exp").mkdir(parents=True)
    Path("conf/exp/mine.yaml").write_text(WARM_UP)
    assert main(["plan", "--json", *TINY, "+exp=mine"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [one["evidence"]["recipe"] for one in plan["certificates"]] == [[], ["schedule"]]
    assert [mark["text"] for mark in plan["marks"]] == ["changes nothing at schedule.warmup_epochs=0.0"]
