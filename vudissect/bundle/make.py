"""Makes a bundle: a zip file with captures, transcript, findings and summary, and facts about both sides.

Everything in it passes the redaction, and `bundle.json` lists what that has replaced.
"""

import io
import json
import os
import platform
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final

from vudissect import __version__
from vudissect.analysis import Analysis, UpToTheCut
from vudissect.bundle.addresses import Addresses
from vudissect.bundle.redact import NoRedaction, Redaction
from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.errors import CaptureError
from vudissect.capture.files import open_capture
from vudissect.capture.packet import MAX_MESSAGE
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Record
from vudissect.host.output import write_private
from vudissect.lint.finding import Finding
from vudissect.render.findings import report
from vudissect.render.style import Style
from vudissect.render.summary import summary_lines
from vudissect.render.transcript import Transcript
from vudissect.report.capture import capture_page
from vudissect.report.parts import Parts
from vudissect.summary.collect import Collector

VERSION: Final = 1
MANIFEST: Final = "bundle.json"
CAPTURES: Final = "captures/"
"""The folder of the captures in a bundle; all commands that read captures read these."""

REPORT: Final = "report.html"

# A longer page is slow in a browser.
_MOST_FRAMES: Final = 20_000
_WIDTH: Final = 100
# All of it is in memory.
_MOST_OF_CAPTURES: Final = 256_000_000


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a bundle is made, and when (s since the epoch)."""

    reason: str
    when: float = field(default_factory=time.time)


def write_bundle(
    path: str,
    captures: Sequence[str],
    cause: Cause,
    facts: Mapping[str, str],
    *,
    command: str = "",
    redact: bool = True,
    addresses: bool = False,
) -> None:
    """Write a bundle of captures, and `facts` as texts by file name. `OSError` if it cannot be written.

    `addresses`: also move the addresses of processes.

    A capture that is gone or cannot be read is left out, and listed as missing.
    """
    redaction = Redaction(platform.node()) if redact else NoRedaction()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        moving = Addresses() if addresses and redact else None
        records, missing = _add_captures(archive, captures, redaction, moving)
        if moving is not None:
            redaction.counts["messages with addresses of processes"] += moving.messages
        for name, text in {**_views(records, PurePath(path).name), **facts}.items():
            archive.writestr(name, redaction.text(text))
        if page := _page(records, PurePath(path).name):
            archive.writestr(REPORT, page)
        manifest = {
            "bundle": VERSION,
            "reason": redaction.text(cause.reason),
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(cause.when)),
            "vudissect": __version__,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "command": redaction.text(command),
            "captures": [name for name in archive.namelist() if name.startswith(CAPTURES)],
            "missing": [redaction.text(name) for name in missing],
            "redaction": redact,
            "redacted": dict(sorted(redaction.counts.items())),
            "not redacted": [
                "addresses of the guest" if moving is not None else "addresses of the guest and of processes",
                "configuration space of the device",
            ],
        }
        archive.writestr(MANIFEST, json.dumps(manifest, indent=2) + "\n")
    write_private(path, made.getvalue())


def _add_captures(
    archive: zipfile.ZipFile, captures: Sequence[str], redaction: Redaction, moving: Addresses | None
) -> tuple[list[Record], list[str]]:
    """All records without what is redacted, and what could not be read."""
    kept: list[Record] = []
    missing = []
    encoder = CaptureEncoder(
        f"vudissect {__version__}", "bundle", MAX_MESSAGE, 0, keep_keys=isinstance(redaction, NoRedaction)
    )
    frame = 0
    room = _MOST_OF_CAPTURES
    sizes = {path: os.path.getsize(path) for path in captures if os.path.exists(path)}
    fitting = set()
    for path in reversed(captures):
        room -= sizes.get(path, 0)
        if room >= 0:
            fitting.add(path)
    for path in captures:
        if path not in fitting:
            missing.append(f"{path}: too large: see vuproxy -b")
            continue
        try:
            with open_capture(path) as stream:
                records = [redaction.record(record) for record in UpToTheCut(read_capture(stream))]
        except (OSError, CaptureError) as error:
            missing.append(f"{path}: {error}")
            continue
        if moving is not None:
            records = list(map(moving.moved, records))
        data = encoder.preamble() + b"".join(map(encoder.record, records))
        archive.writestr(CAPTURES + PurePath(path).name, data)
        for record in records:
            frame += 1
            kept.append(record._replace(frame=frame))
    return kept, missing


def _views(records: Sequence[Record], name: str) -> dict[str, str]:
    """Summary, transcript and findings of a bundle with this name."""
    analysis = Analysis(iter(records))
    style = Style(colour=False)
    transcript, collector = Transcript(style, verdict=analysis.session.dialect), Collector()
    lines: list[str] = []
    findings: list[Finding] = []
    messages = 0
    for event, found in collector.watch(analysis):
        lines.append(transcript.text(event, found))
        findings += found
        messages += event.message is not None
    rest = analysis.finish()
    lines.append(transcript.findings(rest))
    lines.append(transcript.unanswered(analysis.session.unanswered(), rest))
    withheld = analysis.withheld
    summary = collector.finish(analysis.session, rest, name, withheld=sum(withheld.values()))
    found_lines = report([*findings, *rest], dict(withheld), messages, style)
    return {
        "summary.txt": "".join(f"{line}\n" for line in summary_lines(summary, style, _WIDTH, short=True)),
        "transcript.txt": "".join(lines),
        "findings.txt": "".join(f"{line}\n" for line in found_lines),
    }


def _page(records: Sequence[Record], name: str) -> str:
    """The report as a page, "" if there is nothing to show."""
    analysis = Analysis(iter(records))
    page = capture_page(analysis, name, Parts(_MOST_FRAMES))
    return page if analysis.records.has_messages else ""
