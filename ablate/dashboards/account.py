"""Whose project a dashboard is made in, and whether wandb can be reached; nobody is asked for a key here."""

from __future__ import annotations

import contextlib
import io
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ablate.errors import InputError, NotMirrored

PROJECT = "ablate"  # where nothing names one, as of `tracker=wandb`
REACH_S = 5.0


@dataclass(frozen=True)
class Account:
    """A project of wandb.

    Attributes:
        url: of the server.
        entity: user or team; empty for the one whose key it is.
        project: its name.
    """

    url: str
    entity: str
    project: str

    @property
    def server(self) -> str:
        """Its address as it may be shown and kept: without a name or password that stands in it."""
        place = urlsplit(self.url)
        return place._replace(netloc=place.netloc.rpartition("@")[2]).geturl()

    @property
    def where(self) -> str:
        """One text for all of it."""
        return f"{self.server}/{self.entity}/{self.project}"


def account_of(entity: str, project: str) -> Account:
    """The project that options, the environment and wandb's settings name, in this order."""
    with quiet():
        import wandb

        settings: Any = wandb.setup().settings
    return Account(settings.base_url, entity or settings.entity or "", project or settings.project or PROJECT)


def reachable(account: Account) -> Account:
    """The project with its entity, of which the server was asked where nothing names one.

    Raises:
        InputError: there is no key; it is not asked for.
        NotMirrored: the server cannot be reached, or does not know the key.
    """
    import wandb

    with quiet():
        has_key = wandb.login(prompt=False, verify=False)
    if not has_key:
        raise InputError(
            "wandb has no key here: `wandb login` asks for one, or set WANDB_API_KEY; --dry-run needs none"
        )
    place = urlsplit(account.url)
    if (proxy := getproxies().get(place.scheme)) and not proxy_bypass(place.hostname or ""):
        place = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    try:
        port = place.port or (80 if place.scheme == "http" else 443)
        socket.create_connection((place.hostname or "", port), REACH_S).close()
    except OSError as error:
        raise NotMirrored(f"{account.server} cannot be reached; --dry-run needs no network") from error
    try:
        with quiet():
            entity = account.entity or wandb.Api().default_entity or ""
    except Exception as error:  # of wandb or of its transport
        raise NotMirrored(f"{account.server} does not let us in: {' '.join(str(error).split())[:300]}") from error
    return replace(account, entity=entity)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what wandb prints for people."""
    os.environ.setdefault("WANDB_SILENT", "true")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
