"""The estimate of a cell's GPU memory, over what its process really takes: one network, in a process of its own."""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

import torch

from ablate.bench.overhead import fit
from ablate.bench.setting import noise
from ablate.cell.run import build_trainer, build_training
from ablate.network.memory import training_memory
from ablate.run.process import quieten_lightning

BATCHES = 4  # a graph is captured in the fourth
# Name -> preset, side of the images, batch: small and large maps, few and many parameters, with branches and without.
NETWORKS = {
    "ResNet-20": ("resnet20_cifar", 32, 128),
    "ResNet-110": ("resnet110_cifar", 32, 128),
    "pre-activation ResNet-164": ("preact_resnet164", 32, 128),
    "VGG-16 with BN": ("vgg16_bn", 224, 32),
    "AlexNet": ("alexnet", 224, 128),
    "GoogLeNet": ("googlenet", 224, 64),
    "Inception v3": ("inception_v3", 299, 32),
    "Inception-ResNet v2": ("inception_resnet_v2", 299, 16),
    "ResNet-50": ("resnet50", 224, 64),
    "ResNeXt-50": ("resnext50_32x4d", 224, 64),
}
SMALL = ("width=0.1", 32, 2)  # for a run that only shows that everything works


def measured(name: str, device: str, *, smallest: bool) -> dict[str, Any]:
    """Bytes: what is estimated, and the most that the process took, with its CUDA context where it has one."""
    arch, side, batch = NETWORKS[name]
    more = []
    if smallest:
        narrow, side, batch = SMALL
        more = [narrow]
    sizes = [f"data.images={BATCHES * batch}", f"data.batch_size={batch}", f"data.side={side}"]
    config = noise(None, 1, BATCHES * batch, f"arch={arch}", *sizes, *more)
    estimate = training_memory(config)
    before = _resident()
    quieten_lightning()
    fit(build_training(config, torch.device(device)), build_trainer(config, device))
    peak = _of_gpu(device) if device.startswith("cuda") else _resident() - before
    return {"name": name, "estimate": estimate, "peak": peak, "estimate over peak": estimate / max(1, peak)}


def _of_gpu(device: str) -> int:
    """What is taken of a device that nobody else uses, at the moment when the process had reserved most."""
    torch.cuda.synchronize(device)
    free, total = torch.cuda.mem_get_info(device)
    # What is not the allocator's (context, workspaces) stays once taken; the allocator's share is put at its most.
    return int(total - free - torch.cuda.memory_reserved(device) + torch.cuda.max_memory_reserved(device))


def _resident() -> int:
    """The most memory of the machine that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1], sys.argv[2], smallest=sys.argv[3:] == ["smallest"])))
