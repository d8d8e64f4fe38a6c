"""`docs/conformance-cases.md`, from the cases: `python -m vudissect.check.page` prints it."""

from collections.abc import Iterator

from vudissect.check.cases import ALL_CASES, FAMILIES
from vudissect.check.model import Case
from vudissect.check.verbs import VERBS

_INTRODUCTION = """# Cases of the conformance suite

Made by `make docs` from `vudissect/check/cases/`. [conformance.md](conformance.md) says how to run them and what
the verdicts mean. Rules are explained in [rules.md](rules.md). Where the section has the words "no text", no sentence
of the specification decides what a back-end has to do. What is expected then is what most of them do, and to do
something else is `non-strict` unless it does harm.
"""


def page() -> str:
    """The whole page."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    for family, name in FAMILIES.items():
        cases = [case for case in ALL_CASES if case.family == family]
        yield f"## {family}: {name}\n"
        yield "| case | what is done | what is expected | section of the specification | rules |"
        yield "|---|---|---|---|---|"
        yield from (_row(case) for case in cases)
        yield ""
    yield "## Verbs\n"
    yield "What a line of a talk may say after `*`. Groups in the words are choices or numbers.\n"
    yield "| words | what happens |"
    yield "|---|---|"
    for verb in VERBS:
        yield f"| `{_cell(verb.words.pattern)}` | {_cell(verb.about)} |"
    yield ""


def _row(case: Case) -> str:
    cells = (case.id, case.title, case.expected, case.section, ", ".join(case.rules))
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")
