"""What every part of a network must do."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ablate.interfaces.parts import Parts
from ablate.network.build import build_model, count_parameters, image_shape
from ablate.network.overwriting import refuse_overwriting
from ablate.testing._base import Conformance, refusal
from ablate.testing.networks import IMAGE, all_logits, images, make_parts, network_config, untrained


class PartConformance(Conformance):
    """What holds for every part of a network; subclass the class of your plugin's kind instead."""

    def config(self, **changes: Any) -> dict[str, Any]:
        """The config of a small network with this part in it."""
        return network_config(**{self.kind: self.node, **changes})

    def parts(self, **changes: Any) -> Parts:
        """The parts of that network."""
        return make_parts(**self.config(**changes))

    def test_a_network_with_it_trains(self) -> None:
        model = build_model(self.config())
        logits = all_logits(model(images()))
        assert [one.shape for one in logits] == [(4, IMAGE["classes"])] * len(logits)
        assert all(one.isfinite().all() for one in logits)
        torch.stack([nn.functional.cross_entropy(one, torch.tensor([0, 1, 2, 0])) for one in logits]).sum().backward()
        assert untrained(model) == []

    def test_eval_mode_takes_one_image(self) -> None:
        model = build_model(self.config()).eval()
        torch.testing.assert_close(model(images(1)), model(images())[:1], rtol=1e-4, atol=1e-5)

    def test_the_seed_alone_decides_the_initial_values(self) -> None:
        first, again = (build_model(self.config()).state_dict() for _ in range(2))
        other = build_model(self.config(seed=1)).state_dict()
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert any(not torch.equal(first[name], other[name]) for name in first)

    def test_building_draws_nothing_from_the_global_stream(self) -> None:
        before = torch.get_rng_state()
        build_model(self.config())
        assert torch.equal(before, torch.get_rng_state())

    def test_what_others_read_is_not_overwritten(self) -> None:
        config = self.config()
        channels, size, _ = image_shape(config)
        with torch.device("meta"):
            model = build_model(config)
        assert refusal(lambda: refuse_overwriting(model, config, channels, size)) == ""

    def test_it_can_be_counted_on_the_meta_device(self) -> None:
        with torch.device("meta"):
            model = build_model(self.config())
        assert count_parameters(model) == count_parameters(build_model(self.config()))
