"""How a process that reads data hands over what it has read, and what is said of one that cannot or has died."""

from __future__ import annotations

import io
import multiprocessing
import pickle
import re
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from ablate.errors import InputError
from ablate.system import heartbeat

DECIDES_NUMBERS = False

Read = tuple[Tensor, Tensor]
"""Images (B, C, H, W) uint8 and labels (B,), as a worker hands them over."""

SEMAPHORES = 10, 4  # about as many has torch's loader, and for each of its workers
# What torch says of a worker that has gone.
GONE = re.compile(
    r"DataLoader worker \(pid.*?\) (is killed by signal: [^.]+|exited unexpectedly(?: with exit code \d+)?)"
)


def handed_over(images: Tensor, labels: Tensor) -> Any:
    """What a worker returns: tensors in shared memory, or arrays, which go through a pipe, where there is not enough.

    Left to torch, the memory is taken in a thread behind the worker's back, whose error nobody hears: training would
    wait for the batch for ever. Containers have 64 MB of it where nothing is said.
    """
    if get_worker_info() is None:
        return images, labels
    try:
        return images.share_memory_(), labels.numpy()
    except RuntimeError:
        heartbeat.by_pipe()
        return images.numpy(), labels.numpy()


def unchanged(batch: Any) -> Any:
    """The batch: what is an array stays one; torch would make a tensor of it, and that needs shared memory."""
    return batch


class _Plain(pickle.Pickler):
    """Pickles tensors as arrays, whatever torch has told multiprocessing of them."""

    def reducer_override(self, value: Any) -> Any:
        if type(value) is Tensor and value.device.type == "cpu" and value.dtype is not torch.bfloat16:
            return torch.from_numpy, (value.numpy(),)
        return NotImplemented


def plain(value: Any) -> bytes:
    """The value for another process, in bytes that need no shared memory; `pickle.loads` gives it back."""
    buffer = io.BytesIO()
    _Plain(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    return buffer.getvalue()


def taken(batch: Any) -> Read:
    """The tensors, whichever way they came."""
    images, labels = (torch.as_tensor(part) for part in batch)
    return images, labels


def check_semaphores(workers: int) -> None:
    """Look whether there is room for what the queues of so many workers need, each a page of shared memory.

    Before torch finds out: what it has made until then complains on the way.

    Raises:
        InputError: there is none.
    """
    try:
        _ = [multiprocessing.Lock() for _ in range(SEMAPHORES[0] + SEMAPHORES[1] * workers)]
    except OSError as error:
        raise cannot_start(error) from error


def cannot_start(error: OSError) -> InputError:
    """What to say where workers cannot be started: their queues take a little shared memory, too."""
    return InputError(
        f"cannot start the processes that read the data ({error.strerror or error}); they need shared memory "
        "(/dev/shm), of which a container may have too little: trainer.workers=0 reads without"
    )


def about_readers(error: BaseException) -> str:
    """What to say of an error by which torch tells that a worker has died; empty for others."""
    found = GONE.search(str(error)) if isinstance(error, RuntimeError) else None
    if not found:
        return ""
    return (
        f"a process that reads the data {found[1]}; where memory is short, fewer trainer.workers take less, and "
        "trainer.workers=0 reads in the cell's own process"
    )
