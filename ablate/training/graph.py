"""A step replayed as one CUDA graph: a small network's step then takes as long as its kernels, not their launches."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ablate.training.step import EagerStep

WARM_UP = 3  # steps before the capture: libraries choose their algorithms and make their workspaces in these


class GraphedStep(EagerStep):
    """Forward and backward of full batches captured once and replayed; the same kernels as eagerly, the same numbers.

    The warm-up that a capture requires consists of real training steps, taken eagerly on a separate stream: each batch
    is trained on once, and enters the norms' running statistics once. The update stays outside of the graph, where its
    learning rate is a plain number that changes from step to step.

    Args:
        model: on a CUDA device.
        optimizer: over its parameters.
        precision: of the forward pass.
        batch_size: of a full batch; others, the last of an epoch, run eagerly.
    """

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, precision: str, batch_size: int) -> None:
        super().__init__(model, optimizer, precision)
        self.batch_size = batch_size
        self._warm = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        """Take one step on a batch and return its loss, which the next call overwrites."""
        if len(images) != self.batch_size:
            return super().__call__(images, labels)
        if self._graph is None:
            if self._warm < WARM_UP:
                self._warm += 1
                return self._beside(images, labels)
            self._graph = self._captured(images, labels)
        # The graph knows addresses and not tensors: every batch has to come to the ones that it was captured with.
        # There were no gradients at the capture, so that a replay writes them; nothing has to be zeroed before.
        self._images.copy_(images)
        self._labels.copy_(labels)
        self._graph.replay()
        for parameter, gradient in self._gradients:  # an eager step in between has put others there
            parameter.grad = gradient
        self.update()
        return self._loss

    def _beside(self, images: Tensor, labels: Tensor) -> Tensor:
        """An eager step on another stream than the default one, on which nothing can be captured."""
        stream, current = torch.cuda.Stream(), torch.cuda.current_stream()
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            loss = super().__call__(images, labels)
        current.wait_stream(stream)
        return loss

    def _captured(self, images: Tensor, labels: Tensor) -> torch.cuda.CUDAGraph:
        """Record forward and backward over buffers of the graph; nothing is computed by that."""
        # Clones, since the caller's batch is freed and its memory given to others.
        self._images, self._labels = images.clone(), labels.clone()
        self.forget_gradients()  # so that the gradients are made in the graph's own memory
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            loss = self.loss(self._images, self._labels)
            loss.backward()
        self._loss = loss.detach()
        self._gradients = [(one, one.grad) for one in self.model.parameters() if one.grad is not None]
        return graph
