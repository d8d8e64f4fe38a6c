"""Sessions of real programs that failed: the first finding is the one that a maintainer needs."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.cli.main import main
from vudissect.lint.finding import Blame, Severity
from vudissect.session.session import foresee

FOLDER = Path(__file__).parents[2] / "captures" / "failed"
PAGE = (FOLDER / "README.md").read_text("utf-8")


class Verdict(NamedTuple):
    """The first finding, and the device type. No other error or warning blames the other side."""

    device: str
    rule: str
    severity: Severity
    blame: Blame
    frame: int
    text: str


VERDICTS = {
    "qemu-7.2-blk-dpdk-packed": Verdict(
        "blk", "VU-VRG-09", Severity.WARNING, Blame.BACK_END, 61, "took nothing from ring 0 in 56.1 s"
    ),
    "qemu-7.2-net-snabb": Verdict(
        "net", "VU-VRG-15", Severity.ERROR, Blame.BACK_END, 13, "closed the connection after SET_VRING_ERR of ring 1"
    ),
    "qemu-7.2-scsi-vhost-device": Verdict(
        "scsi",
        "VU-NEG-01",
        Severity.ERROR,
        Blame.FRONT_END,
        35,
        "acknowledges CHANGE, which the back-end did not",
    ),
    "qemu-10.0-crypto-dpdk": Verdict(
        "crypto",
        "VU-RPL-08",
        Severity.ERROR,
        Blame.BACK_END,
        28,
        "its payload of 1072 bytes is in one of several",
    ),
    "uml-6.1-blk-yc": Verdict(
        "blk",
        "VU-RPL-04",
        Severity.ERROR,
        Blame.BACK_END,
        7,
        "the very message that enables REPLY_ACK, and gets none",
    ),
    "uml-6.1-fs-virtiofsd": Verdict(
        "fs", "VU-RPL-05", Severity.WARNING, Blame.FRONT_END, 89, "its payload of 72 bytes is not in the specified form"
    ),
}


def test_every_session_is_on_the_page_and_has_a_verdict() -> None:
    names = {path.stem for path in FOLDER.glob("*.pcapng")}

    assert names == VERDICTS.keys()
    assert all(f"| {name} |" in PAGE for name in names)


@pytest.mark.parametrize("name", VERDICTS)
def test_the_first_finding_is_the_verdict(name: str) -> None:
    verdict = VERDICTS[name]
    output = CliRunner().invoke(main, ("lint", "--json", str(FOLDER / f"{name}.pcapng"))).output
    first, *rest = map(json.loads, output.splitlines())

    assert (first["rule"], first["severity"], first["blame"], first["frame"]) == verdict[1:5]
    assert verdict.text in first["message"]
    assert {each["blame"] for each in rest if each["severity"] in (Severity.ERROR, Severity.WARNING)} <= {Blame.UNKNOWN}


@pytest.mark.parametrize("name", VERDICTS)
def test_the_device_is_recognised(name: str) -> None:
    with open_capture(str(FOLDER / f"{name}.pcapng")) as stream:
        (known,) = foresee(read_capture(stream)).values()

    assert known.guess.text == f"{VERDICTS[name].device}?"


@pytest.mark.parametrize(
    ("name", "line", "tied"),
    [
        ("qemu-7.2-scsi-vhost-device", "qemu-system-x86_64: Failed to set msg fds.", "error VU-NEG-01 #35 front-end"),
        (
            "qemu-10.0-crypto-dpdk",
            "qemu-system-x86_64: Failed to read msg header. Read 0 instead of 12. Original request 26.",
            "error VU-RPL-08 #28 back-end",
        ),
        (
            "qemu-7.2-net-snabb",
            "qemu-system-x86_64: Failed to set msg fds.",
            "closed by the back-end (reset) in #16",
        ),
    ],
)
def test_a_line_of_the_log_is_tied_to_it(name: str, line: str, tied: str) -> None:
    explained = CliRunner().invoke(main, ("explain", "--capture", str(FOLDER / f"{name}.pcapng"), line)).output

    assert tied in " ".join(explained.split())
