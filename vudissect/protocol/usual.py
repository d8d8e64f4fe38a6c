"""How long answers usually take, by purpose of the message and program: longer answers are late.

A time is the maximum that was measured with healthy peers. Programs are recognised by the command name that the kernel
reports (at most 15 characters).
"""

from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from vudissect.protocol.model import Channel, Row
from vudissect.protocol.purpose import Purpose

_MILLISECOND: Final = 1_000_000
_SECOND: Final = 1_000_000_000

# Shorter delays are not noticed. An answer is far too late if it is this much later than usual.
LATE_AFTER: Final = _SECOND
_FAR_TOO_LATE: Final = 10
_FAR_TOO_LATE_AFTER: Final = 5 * _SECOND

# Their threads poll the rings, and they prepare memory for the hardware before they answer.
_POLLING: Final = ("dpdk-*", "testpmd", "ovs-vswitchd", "vpp*", "spdk*", "reactor_*", "snabb*")

_MEMORY: Final = (Purpose.REPLACE_MEMORY, Purpose.ADD_MEMORY)


class UsualTime(NamedTuple):
    """The longest time (ns) for answers to messages with one of these purposes from a healthy peer.

    `commands` are patterns of the command names of the programs that answer; empty for any program.
    """

    time: int
    purposes: tuple[Purpose, ...]
    source: str
    commands: tuple[str, ...] = ()


# The first row that applies counts.
USUAL_TIMES: Final = (
    UsualTime(5 * _SECOND, _MEMORY, "DPDK populates memory, SPDK registers it: seconds for hugepages", _POLLING),
    UsualTime(_SECOND, _MEMORY, "measured: DPDK without hugepages takes 0.4 to 0.9 s, others some ms"),
    UsualTime(_SECOND, (Purpose.STOP_RING,), "all threads that poll the ring must stop first", _POLLING),
    UsualTime(3 * _SECOND, (Purpose.STOP_RING,), "requests in flight are finished first, also on slow storage"),
    UsualTime(3 * _SECOND, (Purpose.RESET, Purpose.SET_STATUS), "requests in flight are finished or dropped first"),
    UsualTime(5 * _SECOND, (Purpose.CHECK_STATE_TRANSFER,), "the device state is loaded before the answer"),
    UsualTime(_SECOND, (Purpose.OFFER_FEATURES,), "measured: DPDK takes 1 s to start"),
)
ANY_OTHER: Final = UsualTime(15 * _MILLISECOND, (), "measured: every other answer")


def may_take_long(row: Row) -> bool:
    """Whether an answer reports a shown frame, which never comes from a hidden window; for EDIDs see VU-GPU-02."""
    if not row.known or row.channel is not Channel.GPU:
        return False
    return bool(row.gate.gpu) or not any(layout.size for layout in row.reply)


def usual_time(row: Row, command: str) -> UsualTime:
    """How long an answer from the program with this command name usually takes."""
    for usual in USUAL_TIMES:
        if row.purpose in usual.purposes and (not usual.commands or _is_one_of(usual.commands, command)):
            return usual
    return ANY_OTHER


def is_late(row: Row, command: str, latency: int) -> bool:
    """Whether an answer took longer (ns) than usual, and so long that somebody may notice."""
    return latency > LATE_AFTER and latency > late_after(row, command) and not may_take_long(row)


def late_after(row: Row, command: str) -> int:
    """After how long (ns) an answer is late."""
    return max(usual_time(row, command).time, LATE_AFTER)


def is_far_too_late(row: Row, command: str, latency: int) -> bool:
    """Whether an answer took far longer (ns) than usual."""
    usual = usual_time(row, command).time
    return latency > max(usual * _FAR_TOO_LATE, _FAR_TOO_LATE_AFTER) and not may_take_long(row)


def polls(command: str) -> bool:
    """Whether the program with this command name is known to poll its rings."""
    return _is_one_of(_POLLING, command)


def _is_one_of(patterns: tuple[str, ...], command: str) -> bool:
    return any(fnmatchcase(command, pattern) for pattern in patterns)
