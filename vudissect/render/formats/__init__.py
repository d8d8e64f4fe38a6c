"""All output formats, in the order in which they are offered; the first one for a command is its default.

They import what they need only when used, so that a command does not wait for the imports of other formats.
"""

from vudissect.render.format import AnyFormat, Format, T
from vudissect.render.formats import json, junit, sequence, text

FORMATS: tuple[AnyFormat, ...] = (*text.FORMATS, *json.FORMATS, *junit.FORMATS, *sequence.FORMATS)


def formats_of(renders: type[T]) -> dict[str, Format[T]]:
    """The formats that can render this, by name."""
    return {form.name: form for form in FORMATS if form.renders is renders}
