"""The hand-written part of a rule's page: why it matters, and two conversations.

    A paragraph about why the rule matters.

    ## Breaks it

        F>B SET_VRING_NUM ring 0 num 100

    ## Nearly breaks it

    A sentence, where it needs one.

        F>B SET_VRING_NUM ring 0 num 128

    ## Found as well

    VU-VRG-04

    ## Related

    VU-VRG-02, VU-VRG-05

The rule's own facts, such as its statement and source, are not repeated here.
"""

import re
from dataclasses import dataclass
from importlib.resources import files

_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_RULE = re.compile(r"VU-[A-Z]+-\d+")
_BROKEN, _NEAR, _ALSO, _RELATED = "Breaks it", "Nearly breaks it", "Found as well", "Related"
_REQUIRED = (_BROKEN, _NEAR, _RELATED)


@dataclass(frozen=True, slots=True)
class Example:
    """A conversation in the language of docs/conversation.md, and a remark about it."""

    remark: str
    conversation: str

    @property
    def dialect(self) -> str:
        """The dialect that it names, "" if it is detected."""
        named = re.search(r"^dialect (\S+)", self.conversation, re.MULTILINE)
        return named[1] if named else ""


@dataclass(frozen=True, slots=True)
class Page:
    """What the page of a rule has besides the rule itself."""

    why: str
    broken: Example
    near: Example
    also: tuple[str, ...]
    """The other rules that the conversation breaks."""
    related: tuple[str, ...]


def page_of(rule: str) -> Page:
    """The page of the rule with this id; `FileNotFoundError` without one, `ValueError` if a part is missing."""
    return read_page((files("vudissect.lint") / "pages" / f"{rule}.md").read_text("utf-8"))


def read_page(text: str) -> Page:
    """The page in a text; `ValueError` names the part that is missing."""
    why, *parts = _SECTION.split(text)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    for title in _REQUIRED:
        if title not in sections:
            raise ValueError(f"there is no section {title!r}")
    if unknown := sections.keys() - {*_REQUIRED, _ALSO}:
        raise ValueError(f"a page has no section {min(unknown)!r}")
    return Page(
        " ".join(why.split()),
        _example(sections[_BROKEN]),
        _example(sections[_NEAR]),
        tuple(_RULE.findall(sections.get(_ALSO, ""))),
        tuple(_RULE.findall(sections[_RELATED])),
    )


def _example(section: str) -> Example:
    """A section: its paragraphs are the remark, its indented lines the conversation."""
    lines = section.strip("\n").splitlines()
    remark = " ".join(line for line in lines if line and not line.startswith("    "))
    return Example(remark, "\n".join(line[4:] for line in lines if line.startswith("    ")))
