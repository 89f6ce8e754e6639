"""What a family of networks and an auxiliary classifier must do."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import pytest
import torch

from ablate.errors import InputError
from ablate.interfaces.backbone import Aux, Backbone
from ablate.network.build import build_model, count_flops, count_parameters
from ablate.testing.networks import IMAGE, SIZES, all_logits, images, make_parts, network_config
from ablate.testing.parts import PartConformance


class BackboneConformance(PartConformance):
    """Tests of a family of networks.

    Set `changes` where it needs other parts than the smallest residual network has, such as a depth or a head.
    """

    kind = "backbone"
    changes: ClassVar[dict[str, Any]] = {}

    def config(self, **changes: Any) -> dict[str, Any]:
        """The config of a small network of this family."""
        return super().config(**{**self.changes, **changes})

    def build(self, **changes: Any) -> Backbone:
        """A small network of this family."""
        return cast(Backbone, build_model(self.config(**changes)))

    def test_an_auxiliary_classifier_can_stand_behind_every_stage(self) -> None:
        taps = self.build().taps
        assert taps, "it has no stages"
        model = self.build(aux={"name": "linear", "at": list(taps)})
        assert len(all_logits(model(images()))) == 1 + len(taps)
        assert len(all_logits(model.eval()(images()))) == 1

    def test_unknown_stages_are_refused(self) -> None:
        with pytest.raises(InputError, match="unknown stage"):
            self.build(aux={"name": "linear", "at": ["no such stage"]})

    def test_stages_have_the_channels_they_promise(self) -> None:
        model = self.build().eval()
        x = model.stem(images())
        for name, channels in model.taps.items():
            x = model.stages.get_submodule(name)(x)
            assert x.shape[1] == channels

    def test_what_others_read_is_not_overwritten(self) -> None:
        """Of what it is given that is the images: an evaluation shows a network several views of them."""
        with torch.device("meta"):
            given = images()
            build_model(self.config())(given)
        assert given._version == 0

    def test_width_scales_it(self) -> None:
        with torch.device("meta"):
            assert count_parameters(self.build(width=1.0)) < count_parameters(self.build(width=2.0))

    def test_checkpointing_leaves_loss_gradients_and_statistics_alone(self) -> None:
        found = []
        for checkpoint_blocks in (False, True):
            model = self.build(trainer={"checkpoint_blocks": checkpoint_blocks})
            torch.manual_seed(0)
            torch.stack([one.square().mean() for one in all_logits(model(images()))]).sum().backward()
            found.append([*(parameter.grad for parameter in model.parameters()), *model.buffers()])
        torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=1e-6)


class AuxConformance(PartConformance):
    """Tests of an auxiliary classifier."""

    kind = "aux"

    @property
    def node(self) -> dict[str, Any]:
        """The plugin's config node, behind the first and the last stage of the smallest residual network."""
        return {"at": ["stage1", "stage3"], **super().node}

    def test_it_trains_and_does_not_evaluate(self) -> None:
        model, plain = build_model(self.config()), build_model(network_config())
        torch.testing.assert_close(model.eval()(images()), plain.eval()(images()))
        assert len(all_logits(model.train()(images()))) == 3
        assert count_flops(model, (1, 1, 8, 8)) == count_flops(plain, (1, 1, 8, 8))

    @pytest.mark.parametrize("size", [*SIZES, (14, 14), (17, 20)])
    def test_it_takes_maps_of_any_size(self, size: tuple[int, int]) -> None:
        head = cast(Aux, make_parts(aux=self.node).make("aux")).head(6).eval()
        assert head(torch.randn(2, 6, *size)).shape == (2, IMAGE["classes"])

    def test_its_weight_is_an_option(self) -> None:
        model = build_model(self.config(aux={**self.node, "weight": 0.25}))
        assert cast(Backbone, model).aux_weight == 0.25
