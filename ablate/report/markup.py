"""HTML in which text is escaped unless it is markup already."""

from __future__ import annotations

import html


class Html(str):
    """Text that is markup, and is not escaped again."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: str) -> Html:
    """An element; children that are not `Html` are escaped, and `class_` stands for `class`."""
    written = "".join(f' {key.rstrip("_")}="{attribute(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: str) -> Html:
    """Children one after the other, escaped where they are not `Html`."""
    return Html("".join(child if isinstance(child, Html) else html.escape(child) for child in children))


def attribute(text: str) -> str:
    """Text for the inside of a quoted attribute."""
    return html.escape(text)


def prose(text: str) -> Html:
    """A sentence in which pairs of backticks mark code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return join(text)
    return join(*(tag("code", part) if k % 2 else part for k, part in enumerate(parts)))
