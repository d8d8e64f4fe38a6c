"""The live transcript, made by another process."""

import json
import os
import select
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

from vudissect.proxy.companion import REPORT_FD, Companion
from vudissect.proxy.diagnostics import Warn
from vudissect.proxy.sink import MakeGap

_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of an observer: counts by name, and the requests that waited long without an answer."""

    counts: dict[str, int] = field(default_factory=dict)
    waits: tuple[str, ...] = ()


class Observer(Companion):
    """A running observer, started with `options`: it shows what its sink receives."""

    def __init__(self, options: Sequence[str], preamble: bytes, gap: MakeGap, warn: Warn) -> None:
        options = ["--report-fd", str(REPORT_FD), *options]
        super().__init__("vudissect.cli.observe", options, "live transcript", preamble, gap, warn)

    def finish(self) -> Report:
        """Its report, once the sink is closed; if it does not come within a few seconds, it is ended and has none."""
        report = b""
        deadline = monotonic() + (0 if self.sink.unwritten else _PATIENCE_SECONDS)
        while (left := deadline - monotonic()) > 0 and select.select([self.report], [], [], left)[0]:
            part = os.read(self.report, 4096)
            if not part:
                break
            report += part
        self.end(deadline)
        if not report:
            return Report()
        found = json.loads(report)
        return Report(found["counts"], tuple(found["waits"]))
