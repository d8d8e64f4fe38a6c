"""The page of two sessions side by side: what is different, causes first, then the messages of both."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby

from vudissect.compare.captures import Part
from vudissect.compare.distinction import Distinction
from vudissect.render.diff import heading, is_limited, places, sides, titles, total_text
from vudissect.render.diff_transcript import AlignedLine, aligned_steps
from vudissect.render.format import About
from vudissect.report.document import document
from vudissect.report.html import Html, tag

# So many equal messages before and after a difference are shown, others are folded.
_CONTEXT = 3
_FOOTER = "Made by vudissect report --diff. Nothing in this page is loaded or sent."


def difference_page(parts: Sequence[Part], files: tuple[str, str], about: Sequence[About]) -> str:
    """The page; `about` is what the captures do not have, and the faults that were injected in them."""
    names = " and ".join(file.rpartition("/")[2] or "session" for file in files)
    return document(
        f"{names}: vhost-user sessions",
        tag(
            "header",
            tag("p", names, class_="file"),
            tag("h1", total_text(parts, limited=is_limited(about))),
            (_about(each) for each in about),
        ),
        *(_part(part, files) for part in parts),
        tag(
            "footer", tag("p", "Made by vudissect report --diff. Nothing in this page is loaded or sent.", class_="dim")
        ),
        styles=("style.css", "session.css", "difference.css"),
    )


def _about(about: About) -> Html:
    text = f"{about.file}: {about.text}"
    if about.injected:
        return tag("p", tag("strong", "On purpose: "), text)
    return tag("p", tag("strong", "Not known: "), text, class_="missing")


def _part(part: Part, files: tuple[str, str]) -> Html:
    """A connection of each capture."""
    distinctions = part.compared.distinctions
    return tag(
        "section",
        tag("h2", _numbers(part)),
        *((tag("ol", (_distinction(each) for each in distinctions), class_="differences"),) if distinctions else ()),
        tag(
            "table",
            tag("thead", tag("tr", (tag("th", text, scope="col") for text in titles(part, files)))),
            _rows([*chain.from_iterable(aligned_steps(part.compared))]),
            class_="sides",
        ),
    )


def _numbers(part: Part) -> str:
    sides = zip((part.first, part.second), part.devices, strict=True)
    names = dict.fromkeys(
        f"connection {number}{f' ({device})' if device else ''}" for number, device in sides if number
    )
    return " and ".join(names).replace("c", "C", 1)


def _distinction(distinction: Distinction) -> Html:
    before, after = sides(distinction)
    follows = f" (follows from {distinction.because})" if distinction.because else ""
    return tag(
        "li",
        tag("strong", heading(distinction)),
        tag("span", f"{follows}{places(distinction)}", class_="dim"),
        tag("div", tag("span", before, class_="first"), tag("span", after, class_="second"), class_="values"),
        value=str(distinction.number),
    )


def _rows(lines: Sequence[AlignedLine]) -> Iterator[Html]:
    """The rows, in groups; equal ones far from a difference are folded."""
    different = [number for number, line in enumerate(lines) if line.differs]
    near = {each for number in different for each in range(number - _CONTEXT, number + _CONTEXT + 1)}
    for is_near, group in groupby(enumerate(lines), lambda item: item[0] in near):
        found = [line for _, line in group]
        yield _group(found) if is_near or len(found) <= _CONTEXT else _folded(found)


def _group(lines: Iterable[AlignedLine]) -> Html:
    return tag("tbody", (_row(line) for line in lines))


def _folded(lines: Sequence[AlignedLine]) -> Html:
    equal = tag("ul", (tag("li", line.first or "") for line in lines))
    shown = tag("details", tag("summary", f"{len(lines)} messages that both have"), equal)
    return tag("tbody", tag("tr", tag("td", shown, colspan="2", class_="folded")))


def _row(line: AlignedLine) -> Html:
    colours = ("first", "second") if line.differs else ("", "")
    return tag("tr", _cell(line.first, colours[0]), _cell(line.second, colours[1]))


def _cell(text: str | None, side: str) -> Html:
    return tag("td") if text is None else tag("td", text, class_=side or False)
