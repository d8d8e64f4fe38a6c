"""HTML that is safe by construction: every text is escaped, unless it is markup that was made here.

The output of a peer is in these pages, and a peer may be hostile. So there are no templates in which an escape could
be forgotten: `tag` escapes all that is not `Html`, and only `tag` and `join` make `Html`.
"""

from collections.abc import Iterable
from html import escape
from typing import TypeAlias

from vudissect.render.units import printable


class Html(str):
    """Markup."""

    __slots__ = ()


Content: TypeAlias = "str | Iterable[Content]"
_VOID = frozenset({"meta", "link", "input", "br"})


def tag(name: str, /, *children: Content, **attributes: str | bool) -> Html:
    """An element. A trailing underscore of an attribute's name is dropped, others are hyphens; false leaves it out."""
    given = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{name}{given}>")
    return Html(f"<{name}{given}>{join(*children)}</{name}>")


def join(*children: Content) -> Html:
    """Markup and texts after each other."""
    return Html("".join(map(_markup, children)))


def _markup(child: Content) -> str:
    if isinstance(child, Html):
        return child
    if isinstance(child, str):
        return escape("\n".join(map(printable, child.split("\n"))))
    return "".join(map(_markup, child))


def _attribute(name: str, value: str | bool) -> str:
    name = name.rstrip("_").replace("_", "-")
    if value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{_markup(value)}"'
