"""`--vudissect-record`: keep captures as they are, record missing ones, record all of them again."""

from pathlib import Path

import pytest

from tests.testing import programs
from tests.testing.conftest import Project

PEER = 'peer=[sys.executable, "front_end.py", "{socket}"]'


@pytest.fixture(autouse=True)
def front_end(project: Project) -> None:
    project.write(front_end=programs.FRONT_END)


def test_a_missing_capture_fails_with_the_option_that_records_it(project: Project) -> None:
    project.capture.unlink()

    result = project.replay(programs.AS_RECORDED, call=PEER)

    result.stdout.fnmatch_lines("boot.pcapng: no such capture; --vudissect-record=once records it")
    assert not project.capture.exists()


def test_once_records_what_is_missing_and_replays_it(project: Project, temporary: Path) -> None:
    project.capture.unlink()

    result = project.replay(programs.AS_RECORDED, "--vudissect-record=once", call=PEER)

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines("vudissect recorded boot.pcapng: 2 messages, until the connection closed")
    assert project.replay(programs.AS_RECORDED).ret == pytest.ExitCode.OK
    assert project.survivors == []
    assert list(temporary.iterdir()) == []


def test_once_keeps_an_existing_capture(project: Project) -> None:
    before = project.capture.read_bytes()

    project.replay(programs.AS_RECORDED, "--vudissect-record=once", call=PEER).assert_outcomes(passed=1)

    assert project.capture.read_bytes() == before


def test_rewrite_records_again(project: Project) -> None:
    result = project.replay(programs.OTHER_FEATURES, "--vudissect-record=rewrite", call=PEER)

    result.assert_outcomes(passed=1)
    project.replay(programs.OTHER_FEATURES).assert_outcomes(passed=1)


def test_the_program_under_test_can_be_a_front_end(project: Project) -> None:
    project.write(back_end=programs.AS_RECORDED)
    project.capture.unlink()

    result = project.replay(
        programs.FRONT_END,
        "--vudissect-record=once",
        mark='role="back-end"',
        call='peer=[sys.executable, "back_end.py", "{socket}"]',
    )

    result.assert_outcomes(passed=1)


def test_the_front_end_may_listen(project: Project) -> None:
    project.write(
        listening_front_end=programs.START
        + programs.LISTEN
        + "peer.sendall(struct.pack('<III', 1, 1, 0)); peer.recv(20); peer.close()"
    )
    project.capture.unlink()

    result = project.replay(
        programs.START + programs.CONNECT + "MORE = 0\n" + programs.ANSWER,
        "--vudissect-record=once",
        mark='role="front-end", listen=True',
        call='peer=[sys.executable, "listening_front_end.py", "{socket}"]',
    )

    result.assert_outcomes(passed=1)


def test_recording_needs_a_peer(project: Project) -> None:
    result = project.replay(programs.AS_RECORDED, "--vudissect-record=rewrite")

    result.stdout.fnmatch_lines("boot.pcapng: cannot be recorded: name the other program, peer=[[]...]")


def test_a_failed_recording_keeps_the_old_capture(project: Project, temporary: Path) -> None:
    before = project.capture.read_bytes()
    project.write(front_end=programs.FRONT_END_THAT_FAILS)

    result = project.replay(programs.AS_RECORDED, "--vudissect-record=rewrite", call=PEER)

    result.stdout.fnmatch_lines(["boot.pcapng: not recorded: *exited with status 4", "    | no kernel"])
    assert project.capture.read_bytes() == before
    assert project.survivors == []
    assert list(temporary.iterdir()) == []


def test_a_recording_stops_after_the_given_time(project: Project) -> None:
    project.write(front_end=programs.FRONT_END.replace("peer.close()", "time.sleep(600)"))

    result = project.replay(
        programs.AS_RECORDED,
        "--vudissect-record=rewrite",
        mark='role="front-end", record_for=3',
        call=PEER,
    )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines("vudissect recorded boot.pcapng: 2 messages, stopped after 3 s")
    assert project.survivors == []
