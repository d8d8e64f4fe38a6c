"""All output formats, in the order in which they are offered; the first one of a command is its default.

They import what they need when they are used, so that a command starts as quickly as its own format allows.
"""

from typing import TypeVar

from vudissect.render.format import AnyFormat, Format, Replayed, Reported, Shown, Stated
from vudissect.render.formats import json, junit, text

T = TypeVar("T", Shown, Reported, Replayed, Stated)

FORMATS: tuple[AnyFormat, ...] = (*text.FORMATS, *json.FORMATS, *junit.FORMATS)


def formats_of(renders: type[T]) -> dict[str, Format[T]]:
    """The formats that can render this, by name."""
    return {form.name: form for form in FORMATS if form.renders is renders}
