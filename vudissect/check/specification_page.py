"""`docs/conformance-specification.md`: `python -m vudissect.check.specification_page` prints it."""

from collections.abc import Iterator

from vudissect.check.cases import ALL_CASES, FAMILIES
from vudissect.check.specification import SENTENCES, Sentence

_INTRODUCTION = """# The specification, and the cases that try it

Made by `make docs` from `vudissect/check/specification.py`. What QEMU's docs/interop/vhost-user.rst says must or should
happen on the wire, in our words, with the cases that try it ([conformance-cases.md](conformance-cases.md)). Some of
its sentences have neither word, and mean one of them all the same. Where there is no case, the reason is given.
"""
_WITHOUT = """## Cases that no sentence of it decides

What they expect is in the virtio specification, or is what harms nobody; their rows in the list of cases say so.
"""


def specification_page() -> str:
    """The whole page."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    for subject, sentences in SENTENCES.items():
        yield f"## {subject}\n"
        yield "| | for | sentence | cases |"
        yield "|---|---|---|---|"
        yield from (_row(sentence) for sentence in sentences)
        yield ""
    yield _WITHOUT
    mapped = {case for sentences in SENTENCES.values() for sentence in sentences for case in sentence.cases}
    for family, name in FAMILIES.items():
        left = [case.id for case in ALL_CASES if case.family == family and case.id not in mapped]
        if left:
            yield f"* {name}: {', '.join(left)}"
    yield ""


def _row(sentence: Sentence) -> str:
    tried = ", ".join(sentence.cases) or f"none: {sentence.reason}"
    return f"| {sentence.level} | {sentence.whose} | {sentence.text} | {tried} |"


if __name__ == "__main__":
    print(specification_page(), end="")
