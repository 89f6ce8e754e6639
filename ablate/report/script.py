"""The charts' JavaScript, and which scripts a page may run."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import platformdirs

from ablate.errors import InputError
from ablate.system.files import make_folder, write_text
from ablate.system.reading import read_text


def tools() -> str:
    """What draws the charts."""
    return f"altair {version('altair')}, vl-convert {version('vl-convert-python')}"


@lru_cache(maxsize=1)
def javascript() -> str:
    """Vega, Vega-Lite and vega-embed as one script that loads nothing.

    It takes seconds to make and is kept among the user's caches; never taken from a page of the store, into which
    anybody may have written.
    """
    name = hashlib.sha256(tools().encode()).hexdigest()[:12]
    path = platformdirs.user_cache_path("ablate") / "script" / f"{name}.js"
    kept = _kept(path)
    if kept is None:
        kept = make()
        _keep(path, kept)
    return kept


def make() -> str:
    """Put the script together."""
    import vl_convert

    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=vega_lite_version())
    # In a page, the first closing tag ends the element, even one inside a text of the script.
    return script.replace("</script", "<\\/script")


def source_hash(script: str) -> str:
    """How a page's policy names a script that it may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _kept(path: Path) -> str | None:
    """The script that is kept, where it is whole: its first line is a digest of the rest."""
    try:
        digest, _, script = read_text(path).partition("\n") if path.exists() else ("", "", "")
    except InputError:
        return None
    return script if script and digest == _digest(script) else None


def _keep(path: Path, script: str) -> None:
    try:
        make_folder(path.parent)
        write_text(path, f"{_digest(script)}\n{script}", lasting=False)
    except InputError:  # a folder that cannot be written: it is made anew each time
        return


def _digest(script: str) -> str:
    return hashlib.sha256(script.encode()).hexdigest()


def vega_lite_version() -> str:
    """That of the charts' specs."""
    import altair

    return ".".join(altair.SCHEMA_VERSION.lstrip("v").split(".")[:2])
