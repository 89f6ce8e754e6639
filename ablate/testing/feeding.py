"""What an augmentation and an evaluation must do."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from torch import Tensor

from ablate import registry
from ablate.interfaces.data import Augment, Evaluation
from ablate.testing._base import Conformance
from ablate.testing.networks import images, stream
from ablate.training.feed import rows
from ablate.training.statistics import PixelStatistics

SAMPLES = 40
CHANNELS = pytest.mark.parametrize("channels", [1, 3])
READERS = ("builtins.open", "io.open", "os.open", "os.scandir", "os.listdir")


class FeedingConformance(Conformance):
    """What holds for every part of the data path; subclass the class of your plugin's kind instead."""

    def make(self, **options: Any) -> Any:
        """The plugin, with further options."""
        return registry.build(self.kind, {**self.node, **options})

    def test_building_it_reads_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Plans and lists build it on machines that have no data."""

        def refuse(*arguments: Any, **options: Any) -> None:
            raise AssertionError(f"building it opens {arguments[0] if arguments else '.'}")

        with monkeypatch.context() as patch:
            for reader in READERS:
                patch.setattr(reader, refuse)
            self.make()


def normalised(channels: int = 3, count: int = SAMPLES, size: tuple[int, int] = (8, 9)) -> Tensor:
    """(count, channels, *size): no square, so that height and width are not taken for each other."""
    return images(count, channels, size)


class AugmentConformance(FeedingConformance):
    """Tests of an augmentation: what happens to a sample depends on seed, epoch and sample alone."""

    kind = "augment"

    def build(self, channels: int = 3) -> Augment:
        """The augmentation, which knows the statistics of a training split."""
        augment: Augment = self.make()
        pixels = torch.randint(0, 256, (50, channels, 8, 9), generator=stream(1), dtype=torch.uint8)
        augment.fit(PixelStatistics(lambda: [pixels]))
        return augment

    @CHANNELS
    def test_images_keep_their_shape_and_stay_numbers(self, channels: int) -> None:
        augment, given = self.build(channels), normalised(channels)
        choices = augment.draw(SAMPLES, stream())
        for change in (augment.apply, augment.finish):
            made = change(given.clone(), choices)
            assert made.shape == given.shape
            assert made.isfinite().all()

    def test_images_are_not_changed_in_place(self) -> None:
        augment, given = self.build(), normalised()
        augment.apply(given, augment.draw(SAMPLES, stream()))
        assert torch.equal(given, normalised())

    def test_choices_come_from_the_generator_alone(self) -> None:
        before = torch.get_rng_state()
        first, again = (self._applied(seed=3) for _ in range(2))
        assert torch.equal(first, again)
        assert torch.equal(before, torch.get_rng_state())

    @pytest.mark.parametrize("size", [1, 7, SAMPLES])
    @pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
    def test_an_image_does_not_depend_on_its_batch_to_the_last_bit(
        self, size: int, memory_format: torch.memory_format
    ) -> None:
        augment, given = self.build(), normalised().contiguous(memory_format=memory_format)
        choices = augment.draw(SAMPLES, stream())
        whole = augment.apply(given, choices)
        order = torch.randperm(SAMPLES, generator=stream(2))
        for index in order.split(size):
            assert torch.equal(augment.apply(given[index], rows(choices, index)), whole[index])

    @pytest.mark.parametrize(("height", "width"), [(8, 9), (30, 20), (12, 200)])
    def test_its_windows_lie_in_the_image(self, height: int, width: int) -> None:
        augment = self.build()
        choices = augment.draw(SAMPLES, stream())
        found = [augment.window(rows(choices, torch.tensor(n)), height, width, (8, 9)) for n in range(SAMPLES)]
        for window in found:
            if window is not None:
                assert min(window.top, window.left) >= 0
                assert min(window.height, window.width) > 0
                assert window.top + window.height <= height + 1e-6
                assert window.left + window.width <= width + 1e-6

    def _applied(self, seed: int) -> Tensor:
        augment = self.build()
        return augment.apply(normalised(), augment.draw(SAMPLES, stream(seed)))


class EvaluationConformance(FeedingConformance):
    """Tests of an evaluation."""

    kind = "evaluation"

    def build(self) -> Evaluation:
        """The evaluation."""
        return cast(Evaluation, self.make())

    def given(self, evaluation: Evaluation) -> Tensor:
        """Images of 8x9 pixels, with the margin that the evaluation asks for."""
        return normalised(count=3, size=(8 + 2 * evaluation.margin, 9 + 2 * evaluation.margin))

    def test_every_view_has_the_shape_of_the_networks_images(self) -> None:
        evaluation = self.build()
        given = self.given(evaluation)
        views = list(evaluation.views(given))
        assert views
        assert [view.shape for view in views] == [(3, 3, 8, 9)] * len(views)

    def test_views_are_the_same_every_time(self) -> None:
        evaluation = self.build()
        given = self.given(evaluation)
        first, again = list(evaluation.views(given)), list(evaluation.views(given))
        assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
