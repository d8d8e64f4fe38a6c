"""How a verdict looks: a sign and a word besides the colour, so that nobody has to tell colours apart."""

from vudissect.check.model import Verdict
from vudissect.report.html import Html, tag

SIGNS = {
    Verdict.PASS: "✓",
    Verdict.INFORMATIONAL: "i",
    Verdict.NON_STRICT: "~",
    Verdict.UNIMPLEMENTED: "○",
    Verdict.SKIP: "·",
    Verdict.FAIL: "✗",
    Verdict.WEDGED: "∞",
    Verdict.CRASH: "‼",
}

MEANINGS = {
    Verdict.CRASH: "a signal, a panic, or a report of a sanitizer, whatever the behaviour was",
    Verdict.WEDGED: "hangs or spins",
    Verdict.FAIL: "not as expected",
    Verdict.NON_STRICT: "does no harm, or breaks only a SHOULD or a custom",
    Verdict.INFORMATIONAL: "allowed, and good to know",
    Verdict.UNIMPLEMENTED: "the peer does not offer what the case needs",
    Verdict.SKIP: "not for this device type, or nothing that can be tried here",
    Verdict.PASS: "as expected",
}
"""In the order in which a reader wants to see them."""


def badge(verdict: Verdict, text: str = "") -> Html:
    """Sign and word."""
    return tag(
        "span", sign(verdict), " ", tag("span", text or str(verdict), class_="word"), class_=f"verdict {verdict}"
    )


def sign(verdict: Verdict) -> Html:
    """The sign alone; screen readers read the word."""
    return tag("span", SIGNS[verdict], class_="sign", aria_hidden="true")
