"""A sequence diagram as one SVG picture without scripts, styles or fonts from elsewhere."""

from collections.abc import Iterator
from textwrap import wrap
from typing import Final
from xml.sax.saxutils import escape

from vudissect.protocol.model import Side
from vudissect.render.format import Shown
from vudissect.render.sequence import Diagram, Step, StepKind
from vudissect.render.units import xml_text

_WIDTH, _LEFT, _RIGHT = 880, 70, 860
_TOP, _ROW, _LINE = 62, 22, 15
# Characters of a finding per line, at the width of a digit.
_FINDING: Final = 104
_LABEL: Final = 100

_STYLE = """\
<style>
svg { background: #fff } text { font: 12px monospace; fill: #111 }
.frame { fill: #666; text-anchor: end } .middle { text-anchor: middle } .right { text-anchor: end }
line { stroke: #333 } .answer { stroke-dasharray: 5 3 } .life { stroke: #bbb }
.finding { fill: #a00 } .note { fill: #eef }
</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">
<path d="M0 0 L8 4 L0 8 z" fill="#333"/></marker></defs>"""


def svg_lines(shown: Shown) -> Iterator[str]:
    """The lines of the picture."""
    diagram = Diagram(shown, _LABEL)
    rows: list[str] = []
    place = _TOP
    for step in diagram.steps():
        drawn, height = _row(step, place)
        rows += drawn
        place += height
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {place + 10}" width="{_WIDTH}" role="img">'
    yield f"<title>{_text(' '.join(('vhost-user session', *diagram.names)).strip())}</title>"
    yield _STYLE
    yield f'<rect width="{_WIDTH}" height="{place + 10}" fill="#fff"/>'
    for x, kind, side, name in (
        (_LEFT, "left", "front-end", diagram.names[0]),
        (_RIGHT, "right", "back-end", diagram.names[1]),
    ):
        yield f'<text class="{kind}" x="{x}" y="20" font-weight="bold">{side}</text>'
        yield f'<text class="{kind}" x="{x}" y="36">{_text(name)}</text>'
        yield f'<line class="life" x1="{x}" y1="44" x2="{x}" y2="{place}"/>'
    yield from rows
    yield "</svg>"


def _row(step: Step, y: int) -> tuple[list[str], int]:
    """The elements of a step at this height, and how high they are."""
    text = _text(step.text)
    frame = f'<text class="frame" x="{_LEFT - 8}" y="{y}">{step.frame}</text>' if step.frame else ""
    middle = (_LEFT + _RIGHT) // 2
    if step.kind is StepKind.FINDING:
        lines = wrap(f"! {step.text}", _FINDING)
        return [
            f'<text class="finding" x="{_LEFT + 8}" y="{y + number * _LINE}">{_text(line)}</text>'
            for number, line in enumerate(lines)
        ], _ROW + (len(lines) - 1) * _LINE
    if step.kind is StepKind.PAUSE:
        return [f'<text class="middle" x="{middle}" y="{y}">… {text} later …</text>'], _ROW
    if step.kind is StepKind.NOTE:
        box = f'<rect class="note" x="{_LEFT}" y="{y - 13}" width="{_RIGHT - _LEFT}" height="18"/>'
        return [box, frame, f'<text class="middle" x="{middle}" y="{y}">{text}</text>'], _ROW
    start, end = (_LEFT, _RIGHT) if step.sender is Side.FRONT_END else (_RIGHT, _LEFT)
    kind = "answer" if step.kind is StepKind.ANSWER else "message"
    line = f'<line class="{kind}" x1="{start}" y1="{y + 4}" x2="{end}" y2="{y + 4}" marker-end="url(#head)"/>'
    side = "right" if step.sender is Side.BACK_END else "left"
    x = _RIGHT - 14 if step.sender is Side.BACK_END else _LEFT + 14
    return [frame, f'<text class="{side}" x="{x}" y="{y}">{text}</text>', line], _ROW


def _text(text: str) -> str:
    return escape(xml_text(text))
