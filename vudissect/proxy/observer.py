"""The live transcript, made by another process."""

import json
import os
import select
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

from vudissect.proxy.companion import REPORT_FD, Companion, Feed


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of an observer: counts by name, and the requests that waited long without an answer."""

    counts: dict[str, int] = field(default_factory=dict)
    waits: tuple[str, ...] = ()


class Observer(Companion):
    """A running observer, started with `options`: it shows what its sink receives."""

    patience = 5.0

    def __init__(self, options: Sequence[str], feed: Feed) -> None:
        super().__init__("vudissect.cli.observe", ["--report-fd", str(REPORT_FD), *options], "live transcript", feed)
        self.found = Report()
        """Its report, once it is finished; if it does not come within a few seconds, there is none."""

    def finish(self) -> None:
        """End it, once the sink is closed, and keep its report."""
        report = b""
        deadline = monotonic() + (0 if self.sink.unwritten else self.patience)
        while (left := deadline - monotonic()) > 0 and select.select([self.report], [], [], left)[0]:
            part = os.read(self.report, 4096)
            if not part:
                break
            report += part
        self.end(deadline)
        if report:
            found = json.loads(report)
            self.found = Report(found["counts"], tuple(found["waits"]))
