"""Results, as a peer may have them that does what it can to be a nuisance."""

import json
from collections.abc import Sequence
from typing import Any

from vudissect.check.results import Results, read_results

HOSTILE = (
    "</pre><script>document.title='owned'</script>\"onload=\"document.title='owned'\" x='<img src=x onerror=alert(1)>"
)


def case_document(name: str = "RNG-02", verdict: str = "fail", /, **changes: Any) -> dict[str, Any]:
    """A case as it is in a file of results."""
    return {
        "id": name,
        "title": f"the title of {name}",
        "expected": "It is refused.",
        "section": "Ring states",
        "rules": ["VU-VRG-02"],
        "talk": "\n* negotiate\n? F>B SET_VRING_NUM ring 0 num=0\n",
        "line": 2,
        "verdict": verdict,
        "verdicts": [verdict],
        "behaviour": "acknowledged with 0",
        "why": f"what was seen in {name}",
        "fate": {"text": "connection open, process alive"},
        "seconds": 0.01,
        "last_words": ["bye"],
        "suite_errors": [],
        "findings": [],
        "transcript": ["     1    0.000000  F>B SET_VRING_NUM", "     2    0.000100  B>F SET_VRING_NUM -> ok"],
        "deviation": 1,
        "run_again": f"vudissect check --only {name} -- my-disk '{{socket}}'",
    } | changes


def document(cases: Sequence[dict[str, Any]], name: str = "my-disk", **changes: Any) -> dict[str, Any]:
    """A file of results, as an object."""
    return {
        "format": "vudissect-check",
        "version": 1,
        "vudissect": "0.2.0",
        "peer": {"role": "back-end", "name": name, "version": "1.2"},
        "command": ["my-disk", "{socket}"],
        "began": "2026-11-28T23:56:17+00:00",
        "complete": True,
        "seconds": 1.5,
        "device": "blk",
        "features": [],
        "protocol_features": [],
        "queues": 1,
        "cases": list(cases),
    } | changes


def results(cases: Sequence[dict[str, Any]], name: str = "my-disk", **changes: Any) -> Results:
    """The same as a value."""
    return read_results(json.dumps(document(cases, name, **changes)))


def hostile_results() -> Results:
    """Every text that a peer or a foreign file can choose tries to run a script."""
    case = case_document(
        **dict.fromkeys(("title", "expected", "section", "talk", "behaviour", "why", "run_again"), HOSTILE),
        **{key: [HOSTILE] for key in ("rules", "last_words", "suite_errors", "transcript")},
        fate={"text": HOSTILE},
        findings=[{"rule": HOSTILE, "severity": HOSTILE, "message": HOSTILE}],
    )
    return results([case], HOSTILE, command=[HOSTILE], began=HOSTILE, device=HOSTILE, vudissect=HOSTILE)
