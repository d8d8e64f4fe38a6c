"""`vudissect lint --annotate`: findings as comments in a copy of a capture."""

import os
from collections import defaultdict
from collections.abc import Sequence

from vudissect.capture.annotate import annotated
from vudissect.capture.errors import TruncatedCapture
from vudissect.capture.files import open_capture
from vudissect.cli.errors import clear_errors, fail, warn
from vudissect.host.output import beginning, write_all
from vudissect.lint.finding import Finding
from vudissect.render.findings import finding_text
from vudissect.render.style import Style


def refuse_annotation(files: Sequence[str], output: str) -> None:
    """Exit with status 2 unless there is one capture, which can be read twice, and the copy is another file."""
    if len(files) != 1:
        fail(f"--annotate copies one capture, but there are {len(files)} here: name one file")
    if files[0] == "-":
        fail("--annotate reads the capture twice: name a file, not standard input")
    if os.path.exists(output) and os.path.samefile(files[0], output):
        fail(f"--annotate {output}: this is the capture itself, which is never changed: name another file")


def annotate_copy(file: str, output: str, findings: Sequence[Finding]) -> None:
    """Write the copy, up to where the capture is cut off; exit 2 if that is not possible."""
    comments: defaultdict[int, list[str]] = defaultdict(list)
    for finding in findings:
        comments[finding.frame].append(finding_text(finding, Style(False), frame=finding.frame))
    with clear_errors(output), beginning(output) as fd:
        try:
            with clear_errors(file), open_capture(file) as stream:
                try:
                    for block in annotated(stream, comments):
                        write_all(fd, block)
                except TruncatedCapture:
                    pass  # which is reported with the findings
        finally:
            os.close(fd)
    warn(f"{output}: {len(findings)} {'finding is a comment' if len(findings) == 1 else 'findings are comments'} in it")
