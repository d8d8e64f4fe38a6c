"""The results of a run, as `vudissect check --json` writes them and as pages are made from them.

docs/conformance.md describes the file. What is in it comes from the peer, or from somebody else's machine: nothing of
it is trusted here but its types, and that the id of a case can be the name of a file.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vudissect.check.model import Verdict

FORMAT = "vudissect-check"
VERSION = 1

_ID = re.compile(r"[A-Z]{1,8}-\d{1,4}")
_ORDER = (
    Verdict.PASS,
    Verdict.FAIL,
    Verdict.CRASH,
    Verdict.WEDGED,
    Verdict.NON_STRICT,
    Verdict.INFORMATIONAL,
    Verdict.UNIMPLEMENTED,
    Verdict.SKIP,
)
_ALWAYS = (Verdict.PASS, Verdict.FAIL, Verdict.CRASH)


class ResultsError(ValueError):
    """A file that is not one of results; one line."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the linter found about the peer in the conversation of a case."""

    rule: str
    severity: str
    message: str


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A case with what came of it.

    `deviation` is the line of the transcript that decided, counted from 1; 0 if none did. `run_again` is the command
    that plays only this case. The rest is as in `Case` and `Result`.
    """

    id: str
    family: str
    title: str
    expected: str
    section: str
    rules: tuple[str, ...]
    talk: str
    line: int
    verdict: Verdict
    verdicts: tuple[Verdict, ...]
    behaviour: str
    why: str
    fate: str
    seconds: float
    last_words: tuple[str, ...]
    suite_errors: tuple[str, ...]
    findings: tuple[Finding, ...]
    transcript: tuple[str, ...]
    deviation: int
    run_again: str


@dataclass(frozen=True, slots=True)
class Results:
    """A peer with its results. `began` is the date and time in ISO 8601."""

    name: str
    version: str
    role: str
    suite: str
    command: tuple[str, ...]
    began: str
    complete: bool
    seconds: float
    device: str
    features: tuple[str, ...]
    protocol_features: tuple[str, ...]
    queues: int | None
    cases: tuple[CaseResult, ...]

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}".rstrip()

    @property
    def tally(self) -> str:
        """How often there is which verdict."""
        return tally(case.verdict for case in self.cases) + ("" if self.complete else " (interrupted)")


def tally(verdicts: Iterable[Verdict]) -> str:
    """`56 pass, 17 fail, 2 crash, 6 unimplemented`."""
    count = Counter(verdicts)
    return ", ".join(f"{count[verdict]} {verdict}" for verdict in _ORDER if count[verdict] or verdict in _ALWAYS)


def read_results(text: str) -> Results:
    """The results in a file; `ResultsError` for any other text."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ResultsError(f"not a file of results, as vudissect check --json makes it: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ResultsError("not a file of results, as vudissect check --json makes it")
    top = _Object(document, "")
    version = top.number("version")
    if version > VERSION:
        raise ResultsError(
            f"made by a newer vudissect ({top.text('vudissect')}): its version is {version}, not {VERSION}"
        )
    peer = top.object("peer")
    cases = tuple(map(_case, top.objects("cases")))
    twice = [case for case, count in Counter(case.id for case in cases).items() if count > 1]
    if twice:
        raise ResultsError(f"{twice[0]} is in it twice")
    return Results(
        peer.text("name"),
        peer.text("version"),
        peer.text("role"),
        top.text("vudissect"),
        top.texts("command"),
        top.text("began"),
        top.flag("complete"),
        top.real("seconds"),
        top.text("device"),
        top.texts("features"),
        top.texts("protocol_features"),
        top.number("queues") if top.has("queues") else None,
        cases,
    )


def _case(case: "_Object") -> CaseResult:
    name = case.text("id")
    if not _ID.fullmatch(name):
        raise ResultsError(f"{case.path}.id is not the id of a case, such as RNG-02")
    transcript = case.texts("transcript")
    deviation = case.number("deviation")
    if not 0 <= deviation <= len(transcript):
        raise ResultsError(f"{case.path}.deviation is not a line of the transcript")
    return CaseResult(
        name,
        name.partition("-")[0],
        case.text("title"),
        case.text("expected"),
        case.text("section"),
        case.texts("rules"),
        case.text("talk"),
        case.number("line"),
        case.verdict("verdict"),
        tuple(_verdict(each, f"{case.path}.verdicts") for each in case.texts("verdicts")),
        case.text("behaviour"),
        case.text("why"),
        case.object("fate").text("text"),
        case.real("seconds"),
        case.texts("last_words"),
        case.texts("suite_errors"),
        tuple(
            Finding(each.text("rule"), each.text("severity"), each.text("message")) for each in case.objects("findings")
        ),
        transcript,
        deviation,
        case.text("run_again"),
    )


def _verdict(text: str, path: str) -> Verdict:
    try:
        return Verdict(text)
    except ValueError:
        raise ResultsError(f"{path}: {text[:40]!r} is not a verdict") from None


class _Object:
    """An object of a document; `ResultsError` with the path of what is missing or of another type."""

    def __init__(self, value: Mapping[str, Any], path: str) -> None:
        self._value = value
        self.path = path

    def _get(self, key: str, kind: type | tuple[type, ...], what: str) -> Any:
        value = self._value.get(key)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ResultsError(
                f"{self._at(key)} is not {what}" if key in self._value else f"{self._at(key)} is missing"
            )
        return value

    def _at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def has(self, key: str) -> bool:
        """Whether there is a value other than null."""
        return self._value.get(key) is not None

    def text(self, key: str) -> str:
        """A string; "" for null."""
        return str(self._get(key, str, "a text")) if self.has(key) or key not in self._value else ""

    def texts(self, key: str) -> tuple[str, ...]:
        """An array of strings."""
        values = self._get(key, list, "an array")
        if not all(isinstance(value, str) for value in values):
            raise ResultsError(f"{self._at(key)} is not an array of texts")
        return tuple(values)

    def number(self, key: str) -> int:
        """An integer."""
        return int(self._get(key, int, "a whole number"))

    def real(self, key: str) -> float:
        """A number."""
        try:
            return float(self._get(key, (int, float), "a number"))
        except OverflowError:
            raise ResultsError(f"{self._at(key)} is too large") from None

    def flag(self, key: str) -> bool:
        """True or false."""
        return bool(self._get(key, bool, "true or false"))

    def verdict(self, key: str) -> Verdict:
        """One of the verdicts."""
        return _verdict(self.text(key), self._at(key))

    def object(self, key: str) -> "_Object":
        """An object within."""
        return _Object(self._get(key, dict, "an object"), self._at(key))

    def objects(self, key: str) -> list["_Object"]:
        """An array of objects."""
        values = self._get(key, list, "an array")
        for number, value in enumerate(values):
            if not isinstance(value, dict):
                raise ResultsError(f"{self._at(key)}[{number}] is not an object")
        return [_Object(value, f"{self._at(key)}[{number}]") for number, value in enumerate(values)]
