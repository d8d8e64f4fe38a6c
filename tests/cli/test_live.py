"""The live transcript of vuproxy finds what `vudissect lint` finds in the capture afterwards."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.peers.captures import CAPTURES, path_of
from vudissect.analysis import Analysis
from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.lint.finding import Finding, Severity

TIMEOUT = 60


def linted(path: Path) -> list[Finding]:
    with open_capture(str(path)) as stream:
        return Analysis(read_capture(stream)).lint().findings


@pytest.mark.parametrize("name", CAPTURES)
def test_reading_live_finds_the_same(name: str) -> None:
    with open_capture(str(path_of(name))) as stream:
        analysis = Analysis(read_capture(stream), live=True)
        live = [finding for _, findings in analysis for finding in findings]
        live += analysis.finish()

    assert live == linted(path_of(name))


@pytest.mark.parametrize("options", [(), ("-v",)], ids=["plain", "verbose"])
@pytest.mark.parametrize("name", ["dpdk-22.11-virtio-user-server-vhost-killed", "qemu-10.0-gpu"])
def test_the_live_transcript_shows_them(name: str, options: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    with open(path_of(name), "rb") as capture:
        shown = subprocess.run(
            [sys.executable, "-m", "vudissect.cli.observe", "--capture", "x", "--report-fd", str(writer), *options],
            stdin=capture,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=[writer],
            timeout=TIMEOUT,
            check=True,
        ).stdout
    os.close(writer)
    os.close(reader)

    # Infos are shown where every field is.
    wanted = [each for each in linted(path_of(name)) if options or each.severity is not Severity.INFO]
    transcript = shown.partition("\nverdict")[0]
    found = re.findall(r"[!~i] (?:error|warning|compat|info) (VU-[A-Z]+-\d+)", transcript)
    assert Counter(found) == Counter(finding.rule for finding in wanted)
