"""Sequence diagrams for issue trackers: as text, for Mermaid, and as a picture."""

from collections.abc import Iterator

from vudissect.render.format import AnyFormat, Format, Option, Shown, Syntax


def _text(shown: Shown) -> Iterator[str]:
    from vudissect.render.sequence import text_lines

    return (f"{line}\n" for line in text_lines(shown))


def _mermaid(shown: Shown) -> Iterator[str]:
    from vudissect.render.sequence import mermaid_lines

    return (f"{line}\n" for line in mermaid_lines(shown))


def _svg(shown: Shown) -> Iterator[str]:
    from vudissect.render.sequence_svg import svg_lines

    return (f"{line}\n" for line in svg_lines(shown))


_OPTIONS = frozenset({Option.NO_TIMES})

FORMATS: tuple[AnyFormat, ...] = (
    Format("graph", Shown, Syntax.TEXT, "formats.md#sequence-diagrams", _text, _OPTIONS),
    Format("mermaid", Shown, Syntax.TEXT, "formats.md#sequence-diagrams", _mermaid, _OPTIONS),
    Format("svg", Shown, Syntax.XML, "formats.md#sequence-diagrams", _svg, _OPTIONS),
)
