"""What a classifier must do."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import nn

from ablate.interfaces.parts import Head
from ablate.testing._base import refusal
from ablate.testing.networks import IMAGE, SIZES, images, untrained
from ablate.testing.parts import PartConformance

LARGE = (14, 14)


class HeadConformance(PartConformance):
    """Tests of a classifier."""

    kind = "head"

    def build(self, classes: int = 3) -> Head:
        """The classifier, on maps of six channels."""
        return cast(Head, self.parts(image={**IMAGE, "classes": classes}).make("head", 6))

    @pytest.mark.parametrize("size", [*SIZES, LARGE])
    @pytest.mark.parametrize("classes", [2, 10])
    def test_it_gives_a_logit_for_each_class(self, classes: int, size: tuple[int, int]) -> None:
        """Or says in one line that the maps are too small, as where each of its pixels has weights of its own."""
        head, given = self.build(classes), images(2, 6, size)
        if size != LARGE and (said := refusal(lambda: head(given))):
            assert "\n" not in said
            return
        logits = head(given)
        assert logits.shape == (2, classes)
        assert logits.isfinite().all()

    def test_its_outputs_are_logits_and_no_probabilities(self) -> None:
        """The loss takes the softmax; behind a second one hardly a gradient is left."""
        logits = self.build().eval()(images(4, 6))
        for sums in (logits.sum(dim=1), logits.exp().sum(dim=1)):
            assert not torch.allclose(sums, torch.ones(4)), "they have gone through a softmax already"

    def test_maps_are_not_changed_in_place(self) -> None:
        given = images(2, 6)
        self.build()(given)
        assert torch.equal(given, images(2, 6))

    def test_gradients_reach_the_maps(self) -> None:
        head, given = self.build(), images(4, 6).requires_grad_()
        nn.functional.cross_entropy(head(given), torch.tensor([0, 1, 2, 0])).backward()
        assert given.grad is not None
        assert given.grad.isfinite().all()
        assert untrained(head) == []
