"""The lines of an strace log, as system calls in the order in which they took effect."""

import pytest

from vudissect.sources.strace import Call, Clock, StraceLog


def calls(*lines: str, log: StraceLog | None = None) -> list[Call]:
    log = log or StraceLog()
    found = [each for line in lines for each in log.feed(line)]
    return [each for each in (*found, *log.finish()) if isinstance(each, Call)]


@pytest.mark.parametrize(
    ("start", "thread", "clock", "time"),
    [
        ("", 0, Clock.NONE, 0),
        ("4242 ", 4242, Clock.NONE, 0),
        ("[pid  4242] ", 4242, Clock.NONE, 0),
        ("4242  1700000000.123456 ", 4242, Clock.EPOCH, 1_700_000_000_123_456_000),
        ("1700000000.123456789 ", 0, Clock.EPOCH, 1_700_000_000_123_456_789),
        ("[pid 4242] 00:00:01.500000 ", 4242, Clock.DAY, 1_500_000_000),
        ("00:01:00 ", 0, Clock.DAY, 60_000_000_000),
        ("     0.000250 ", 0, Clock.START, 250_000),
    ],
)
def test_what_comes_before_a_call(start: str, thread: int, clock: Clock, time: int) -> None:
    log = StraceLog()

    (call,) = calls(f"{start}close(3) = 0", log=log)

    assert (call.thread, call.time, log.clock) == (thread, time, clock)


def test_midnight_is_not_the_end() -> None:
    first, second = calls("23:59:59.000000 close(3) = 0", "00:00:01.000000 close(4) = 0")

    assert second.time - first.time == 2_000_000_000


def test_relative_times_add_up() -> None:
    first, second = calls("     0.000100 close(3) = 0", "     0.000200 close(4) = 0")

    assert (first.time, second.time) == (100_000, 300_000)


def test_a_call_that_others_interrupted_is_joined() -> None:
    between, call = calls(
        "10 1700000000.000001 recvmsg(8, {msg_namelen=0} <unfinished ...>",
        "11 1700000000.000002 close(3) = 0",
        "10 1700000000.000003 <... recvmsg resumed>, 0) = -1 EAGAIN (Resource temporarily unavailable) <0.000002>",
    )

    assert between.name == "close"
    assert (call.name, call.thread, call.result, call.error) == ("recvmsg", 10, -1, "EAGAIN")
    assert (call.start, call.end) == (1_700_000_000_000_001_000, 1_700_000_000_000_003_000)


def test_what_is_sent_is_sent_when_the_call_begins() -> None:
    sent, received = calls(
        '10 write(8, "ab", 2 <unfinished ...>',
        '11 read(9, "ab", 2) = 2',
        "10 <... write resumed>) = 2",
    )

    assert (sent.name, received.name) == ("write", "read")


def test_a_call_that_blocks_does_not_hold_up_the_rest() -> None:
    log = StraceLog()

    begun = [*log.feed('10 write(8, "ab", 2 <unfinished ...>')]
    others = [each for _ in range(100) for each in log.feed("11 close(3) = -1 EBADF (Bad file descriptor)")]

    assert not begun
    assert len(others) == 100


def test_a_result_may_describe_a_descriptor() -> None:
    (call,) = calls(
        r'accept4(8<UNIX-STREAM:[1,"s"]>, {sa_family=AF_UNIX}, [128 => 2], 0) = 9<UNIX-STREAM:[5->4]> <0.1>'
    )

    assert call.result == 9
    assert call.created is not None
    assert call.created.about == "UNIX-STREAM:[5->4]"


def test_other_calls_and_other_lines_are_skipped() -> None:
    log = StraceLog()

    assert not calls("futex(0x7f, FUTEX_WAIT, 2, NULL) = 0", "--- SIGCHLD {si_signo=SIGCHLD} ---", "hello", log=log)
    assert log.unreadable == 0


def test_a_call_that_cannot_be_read_is_counted() -> None:
    log = StraceLog()

    assert not calls('write(8, "ab', log=log)
    assert log.unreadable == 1
