"""Where the source documents are wrong: `conf/errata.yaml`, with the networks that it names counted anew."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from ablate.config.compose import compose
from ablate.network.build import build_model, count_parameters
from ablate.system.files import read_yaml
from ablate.system.paths import conf_dir
from ablate.system.schema import checked

FILE = "errata.yaml"


@dataclass(frozen=True)
class Erratum:
    """A statement of a source that is wrong.

    Attributes:
        source: the document's number.
        says: what it says.
        right: what is right.
        count: networks whose parameters show it, by what they are: overrides.
    """

    source: str
    says: str
    right: str
    count: dict[str, list[str]] = field(default_factory=dict)

    def counted(self) -> dict[str, int]:
        """Trainable parameters of each network that it names."""
        with torch.device("meta"):
            return {name: count_parameters(build_model(compose(asked))) for name, asked in self.count.items()}


def errata() -> list[Erratum]:
    """All of them, in the order of the file.

    Raises:
        InputError: the file is not in the form of one.
    """
    return [checked(plain, Erratum) for plain in read_yaml(conf_dir() / FILE, errata=list)["errata"]]
