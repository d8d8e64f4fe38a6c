"""Faults between real programs: a public bug on demand."""

from pathlib import Path
from time import sleep

import pytest

from tests.interop.scenarios import SCENARIOS
from tests.peers.proxy import recorded
from tests.peers.testpmd import net_vhost, virtio_user
from vudissect.analysis import findings
from vudissect.lint.finding import Blame

pytestmark = pytest.mark.peers

SCENARIO = """\
# The second queue pair is never set up, and no answer is due.
GET_PROTOCOL_FEATURES and kind=reply : mask STATUS
ring>=2 and not SET_VRING_CALL : drop
"""


def test_the_front_end_is_silent_before_the_second_queue_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    capture = tmp_path / "talk.pcapng"
    (tmp_path / "scenario").write_text(SCENARIO)
    reported = next(each.expected[0].rule for each in SCENARIOS if each.number == 1)
    between = recorded(
        capture, front_end="listen:front.sock", back_end="connect:back.sock", options=["--scenario", "scenario"]
    )
    with (
        net_vhost("back.sock", tmp_path, queues=2),
        between,
        virtio_user("front.sock", tmp_path, queues=2) as front_end,
    ):
        front_end.ready()
        sleep(2)
        front_end.kill()

    found = [finding for finding in findings(capture).findings if finding.rule == reported]
    assert [finding.blame for finding in found] == [Blame.FAULT]
    assert "before it sets up ring 2" in found[0].message
