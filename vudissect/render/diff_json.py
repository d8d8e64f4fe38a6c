"""What is different between two captures, for programs: one JSON object for each difference."""

import json
from collections.abc import Iterator, Sequence

from vudissect.compare.captures import Part
from vudissect.compare.outcome import Value
from vudissect.render.diff import sides
from vudissect.render.format import About
from vudissect.render.units import unicode


def diff_json(parts: Sequence[Part], files: tuple[str, str], about: Sequence[About]) -> Iterator[str]:
    """The lines; keys are stable. What the captures do not have, and injected faults, come first."""
    for fact in about:
        kind = "faults" if fact.injected else "unknown"
        yield json.dumps({"kind": kind, "file": unicode(fact.file), "text": unicode(fact.text)})
    for part in parts:
        for each in part.compared.distinctions:
            before, after = sides(each)
            yield json.dumps(
                {
                    "number": each.number,
                    "because": each.because or None,
                    "kind": each.what.value,
                    "about": each.place.name.lower(),
                    "messages": list(each.messages),
                    "rings": list(each.rings),
                    "field": each.field or None,
                    "first": _plain(each.before),
                    "second": _plain(each.after),
                    "first_text": before,
                    "second_text": after,
                    "features": sorted(each.features),
                    "first_frames": list(each.frames),
                    "second_frames": list(each.other_frames),
                    "first_connection": part.first or None,
                    "second_connection": part.second or None,
                    "first_file": unicode(files[0]),
                    "second_file": unicode(files[1]),
                }
            )


def _plain(value: Value) -> int | str | None:
    return value.hex() if isinstance(value, bytes) else value
