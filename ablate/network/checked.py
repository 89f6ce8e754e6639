"""A network from a config, for whoever builds one by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ablate.network import build
from ablate.network.build import ImageSource, image_shape
from ablate.network.overwriting import may_overwrite, refuse_overwriting


def build_model(cfg: Mapping[str, Any], data: ImageSource | None = None) -> nn.Module:
    """The network that a config describes, (N, C, H, W) -> (N, classes) logits, with its initial values.

    As `ablate.network.build.build_model`, which cells call, with one check more: theirs was made before training.

    Args:
        cfg: the composed config.
        data: the data set to train on, whose image shape wins over the config's `image`.

    Raises:
        InputError: an unknown plugin or option, a combination of parts that makes no sense, or a part that overwrites
            what others read.
    """
    config = build.plain(cfg)
    model = build.build_model(config, data)
    if may_overwrite(model, config):
        with torch.device("meta"):
            refuse_overwriting(build.build_model(config, data), config, *image_shape(config, data)[:2])
    return model
