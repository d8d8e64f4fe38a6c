"""The page of a session: the answer as plain HTML, then the frames, which a script draws from the data in the page.

Everything that came from a capture is either escaped by `tag` or in blocks of base64, which no browser runs.
"""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from vudissect.lint.finding import Finding
from vudissect.lint.groups import Group, grouped
from vudissect.lint.page import page_of
from vudissect.lint.rules import ALL_RULES, rules_named
from vudissect.protocol.model import Channel, Side
from vudissect.protocol.table import NAME_PREFIXES
from vudissect.render.findings import listed
from vudissect.render.summary import summary_facts
from vudissect.report.document import document
from vudissect.report.filterable import KINDS, LANGUAGE
from vudissect.report.frames import Block, Frames, packed
from vudissect.report.html import Html, join, tag
from vudissect.report.parts import IN_A_CHUNK
from vudissect.session.event import Kind
from vudissect.summary.values import Summary
from vudissect.summary.words import missing_texts, next_command, stall_text, verdict_text

_MOST_GROUPS = 40
_FIRST_GROUPS = 3
_FOOTER = "Made by vudissect. Nothing in this page is loaded or sent."
_LIVE_FOOTER = "Served by vuproxy --ui, which is all that this page asks."
_MOST_LINKS = 12


def session_page(
    summary: Summary,
    found: Sequence[Finding],
    frames: Frames,
    blocks: Sequence[Block],
    *,
    note: Html | str = "",
    is_live: bool = False,
) -> str:
    """The page. `found` are all findings, also those at the end; `blocks` are those of `frames`.

    `note` is at its top. A live page asks the server that it came from whether there is more.
    """
    name = summary.file.rpartition("/")[2] or "session"
    left_out = summary.frames - sum(block.frames for block in blocks)
    return document(
        f"{name}: vhost-user session",
        tag(
            "header",
            tag("p", name, class_="file"),
            note,
            *_answer(summary, found, left_out),
            id="answer",
        ),
        _session(),
        tag("footer", tag("p", _LIVE_FOOTER if is_live else _FOOTER, class_="dim")),
        _data("about", _about(frames, left_out)),
        *_blocks(blocks),
        styles=("style.css", "session.css"),
        scripts=("filter.js", "state.js", "diagram.js", "charts.js", "session.js", *(("live.js",) if is_live else ())),
        is_live=is_live,
    )


def _answer(summary: Summary, found: Sequence[Finding], left_out: int) -> Iterator[Html]:
    """What a reader must see without scrolling."""
    yield tag("h1", verdict_text(summary), class_=f"outcome {summary.verdict.outcome.name.lower()}")
    for text in missing_texts(summary.missing):
        yield tag("p", tag("strong", "Not known: "), text, class_="missing")
    if left_out:
        text = f"{left_out} of {summary.frames} frames: vudissect report --from and --to make a page of others."
        yield tag("p", tag("strong", "Not in this page: "), text, class_="missing")
    if faults := summary.faults.text:
        yield tag("p", tag("strong", "On purpose: "), faults)
    if stalled := stall_text(summary):
        yield tag("p", tag("strong", "Stalled: "), stalled)
    groups = grouped(listed(found, usual=False))
    if groups:
        yield tag("ol", (_group(group) for group in groups[:_FIRST_GROUPS]), class_="findings")
    if more := groups[_FIRST_GROUPS:_MOST_GROUPS]:
        yield tag(
            "details",
            tag("summary", f"{len(groups) - _FIRST_GROUPS} more findings"),
            tag("ol", (_group(group) for group in more), class_="findings", start=str(_FIRST_GROUPS + 1)),
            *((tag("p", f"The first {_MOST_GROUPS} are listed."),) if len(groups) > _MOST_GROUPS else ()),
        )
    rest = [(fact.label, fact.text) for fact in summary_facts(summary)]
    rest.append(("next", shlex.join(next_command(summary))))
    yield tag("dl", ((tag("dt", label), tag("dd", text)) for label, text in rest), class_="facts")


def _group(group: Group) -> Html:
    """One fault: how bad it is, who is to blame, what happened, where, and why it matters."""
    first = group.first
    frames = dict.fromkeys(each.frame for each in group.all if each.frame)
    places = [_link(frame) for frame in list(frames)[:_MOST_LINKS]]
    more = len(frames) - len(places)
    return tag(
        "li",
        tag("span", first.severity.value, class_=f"severity {first.severity.value}"),
        " ",
        tag("code", first.rule),
        f" {first.blame.value}: {first.message} ",
        *_separated(places),
        *((f" and {more} more",) if more > 0 else ()),
        *((" (see ", *_separated([_link(frame) for frame in first.frames[:_MOST_LINKS]]), ")") if first.frames else ()),
        _explanation(first),
    )


def _explanation(finding: Finding) -> Html:
    known = rules_named(finding.rule)
    statement = f"What must hold: {known[0].statement}." if known else ""
    why = page_of(known[0].id).why if known else ""
    return tag(
        "details",
        tag("summary", "Why it matters"),
        tag("p", why),
        tag("p", f"{statement} Source: {finding.source}.", class_="dim"),
    )


def _link(frame: int) -> Html:
    return tag("a", f"#{frame}", href=f"#frame={frame}")


def _separated(parts: Sequence[Html]) -> Iterator[Html]:
    for number, part in enumerate(parts):
        yield join(", ", part) if number else part


def _session() -> Html:
    """The places that the script fills."""
    return tag(
        "main",
        tag("noscript", tag("p", "The frames are drawn by a script, which this browser does not run.")),
        tag("p", id="problem", role="alert", hidden=True),
        tag(
            "div",
            tag("input", id="filter-text", type="search", placeholder="Filter  f", aria_label="Filter the messages"),
            tag("input", id="search-text", type="search", placeholder="Search  /", aria_label="Search in the messages"),
            tag("button", "Findings  n", id="next-finding", type="button"),
            tag("label", tag("input", id="fold", type="checkbox", checked=True), " fold repetition"),
            tag("button", "Keys  ?", id="help", type="button", aria_expanded="false", aria_controls="keys"),
            tag("span", id="count", role="status"),
            class_="tools",
        ),
        tag("div", _keys(), id="keys", hidden=True),
        tag(
            "div",
            tag(
                "section",
                tag("div", tag("span", "front-end"), tag("span", "back-end"), class_="ends", aria_hidden="true"),
                tag("div", tag("div", id="rows"), id="diagram", role="listbox", tabindex="0", aria_label="Messages"),
                class_="sequence",
            ),
            tag("section", tag("p", "Select a frame.", class_="dim"), id="frame", aria_label="Selected frame"),
            class_="session",
        ),
        tag("section", tag("h2", "Latencies"), tag("div", id="latencies")),
        tag("section", tag("h2", "Rings over time"), tag("div", id="rings"), id="rings-seen", hidden=True),
        id="session",
    )


def _keys() -> Html:
    """What each key does."""
    keys = {
        "↑ ↓ or k j": "the frame before or after",
        "Page Up, Page Down, Home, End": "further",
        "Enter": "unfold or fold repetition",
        "n p": "the next or previous finding",
        "r": "from an answer to its request, and back",
        "f": "filter: SET_VRING_* and ring=1, latency>100ms, has:finding",
        "/": "search, Enter for the next place",
        "Escape": "clear, and back to the diagram",
    }
    return tag("dl", ((tag("dt", tag("kbd", key)), tag("dd", text)) for key, text in keys.items()), class_="facts")


def _about(frames: Frames, left_out: int) -> dict[str, Any]:
    rules = {finding.rule for finding in frames.findings}
    return {
        "names": frames.names,
        "prefixes": NAME_PREFIXES,
        "language": LANGUAGE,
        "shapes": frames.fields.shapes,
        "block": IN_A_CHUNK,
        "left_out": left_out,
        "sides": [side.label for side in Side],
        "channels": [channel.label for channel in Channel],
        "rings": [{"title": frames.rings[key].title, "seen": frames.rings[key].seen} for key in sorted(frames.rings)],
        "answers": [KINDS.index(kind) for kind in (Kind.REPLY, Kind.ACK)],
        "rules": {rule.id: rule.name for rule in ALL_RULES if rule.id in rules},
        "findings": [
            {
                "rule": finding.rule,
                "severity": finding.severity.value,
                "blame": finding.blame.value,
                "message": finding.message,
                "frames": finding.frames,
            }
            for finding in frames.findings
        ],
    }


def _blocks(blocks: Iterable[Block]) -> Iterator[Html]:
    for block in blocks:
        yield _block("rows", block.rows)
        yield _block("details", block.details)
        yield _block("values", block.values)


def _block(kind: str, text: str) -> Html:
    return tag("script", text, type="text/plain", class_=kind)


def _data(name: str, value: Any) -> Html:
    return tag("script", packed(value), type="text/plain", id=name)
