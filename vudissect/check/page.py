"""`docs/conformance-cases.md`, from the cases: `python -m vudissect.check.page` prints it."""

from collections.abc import Iterable, Iterator, Mapping

from vudissect.check.cases import ALL_CASES, FAMILIES
from vudissect.check.cases.front_end import FRONT_END_CASES, FRONT_END_FAMILIES
from vudissect.check.front_end.verbs import BOOK
from vudissect.check.model import Case
from vudissect.check.verbs import VERBS, Verb

_INTRODUCTION = """# Cases of the conformance suite

Made by `make docs` from `vudissect/check/cases/`. [conformance.md](conformance.md) says how to run them and what
the verdicts mean. Rules are explained in [rules.md](rules.md). Where the section has the words "no text", no sentence
of the specification decides what a back-end has to do. What is expected then is what most of them do, and to do
something else is `non-strict` unless it does harm.
"""
_FRONT_ENDS = """## Cases for front-ends

`vudissect check --front-end` plays these: a back-end that is right in everything else has one flaw a case.
[conformance.md](conformance.md#front-ends) says what is expected of all of them.
"""


def page() -> str:
    """The whole page."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    yield from _families("##", FAMILIES, ALL_CASES)
    yield from _verbs("## Verbs", VERBS)
    yield _FRONT_ENDS
    yield from _families("###", FRONT_END_FAMILIES, FRONT_END_CASES)
    yield from _verbs("### Verbs for front-ends", BOOK.verbs)


def _families(level: str, families: Mapping[str, str], every: Iterable[Case]) -> Iterator[str]:
    for family, name in families.items():
        cases = [case for case in every if case.family == family]
        yield f"{level} {family}: {name}\n"
        yield "| case | what is done | what is expected | section of the specification | rules |"
        yield "|---|---|---|---|---|"
        yield from (_row(case) for case in cases)
        yield ""


def _verbs(title: str, verbs: Iterable[Verb]) -> Iterator[str]:
    yield f"{title}\n"
    yield "What a line of a talk may say after `*`. Groups in the words are choices or numbers.\n"
    yield "| words | what happens |"
    yield "|---|---|"
    for verb in verbs:
        yield f"| `{_cell(verb.words.pattern)}` | {_cell(verb.about)} |"
    yield ""


def _row(case: Case) -> str:
    cells = (case.id, case.title, case.expected, case.section, ", ".join(case.rules))
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")
