"""What `vuproxy --rings` costs: round trips through it, and requests of a guest beside it, with and without.

The front-end passes memory and sets up a ring before it measures, so that there is something to look into. After a
message about a ring the observer looks into it at once, after others only every second.

Round trips follow each other without a pause, which no session does: they show what the relay pays for each. Between
those that are 2 ms apart the relay writes its records, and the observer has looked before the next one comes. The last
have the messages in turn with which QEMU starts and stops a ring.
"""

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.messages import acknowledgement, request
from benchmarks.programs import FrontEnd, Relay, converse_on, relaying, serving, vuproxy
from benchmarks.table import Row, compared, in_turns, microseconds, per_second
from tests.peers.daemons import storage_daemon
from tests.peers.guest import results_in
from tests.peers.proxy import recorded
from tests.peers.situations.disk import IMAGE, contents
from tests.peers.uml import DISK, uml

ROUNDS = 5
ROUND_TRIPS = 10_000
PACED_ROUND_TRIPS = 1_000
READS = 20_000
OPTIONS: dict[str, tuple[str, ...]] = {"without": (), "--rings": ("--rings",), "requests": ("--rings=requests",)}
_TARGET = "at most 1.02"
_SIZE = 1 << 20
_USER = 0x7F00_0000_0000
_ACK = acknowledgement("SET_VRING_KICK")


@dataclass(frozen=True)
class Case:
    """Messages that are sent in turn, again and again: with `+` those with an eventfd. A pause (us) before each."""

    name: str
    messages: tuple[str, ...]
    pause: int = 0

    @property
    def front_end(self) -> FrontEnd:
        """What sends them."""
        if self.pause:
            (message,) = self.messages
            return "pace", message.rstrip("+"), PACED_ROUND_TRIPS, int(message.endswith("+")), self.pause
        arguments: tuple[int | str, ...] = (ROUND_TRIPS, *self.messages)
        return "turns", *arguments


def _about(name: str, mark: str = "", **fields: Any) -> str:
    """A message as the peer gets it, `+` for one with a descriptor."""
    return request(name, need_reply=True, **fields).hex() + mark


_PARTS: dict[str, Any] = {"desc": _USER, "avail": _USER + 0x1000, "used": _USER + 0x2000}
_KICK = _about("SET_VRING_KICK", "+")
_A_RING = (
    _about("SET_VRING_NUM", num=256),
    _about("SET_VRING_BASE"),
    _about("SET_VRING_ADDR", **_PARTS),
    _KICK,
    _about("SET_VRING_CALL", "+"),
    _about("SET_VRING_ENABLE", num=1),
    _about("SET_VRING_ENABLE", num=0),
    _about("GET_VRING_BASE"),
)
CASES = (
    Case("not about a ring", (_about("SEND_RARP"),)),
    Case("about a ring", (_about("SET_VRING_BASE"),)),
    Case("about a ring, 1 descriptor", (_KICK,)),
    Case("every 2 ms, 1 descriptor", (_KICK,), pause=2000),
    Case("starts and stops of a ring", _A_RING),
)
# Every read has a page; the clock of the guest counts hundredths of a second.
_READ = f"""
read start rest < /proc/uptime
dd if=/dev/vda of=/dev/null bs=512 count={READS} iflag=direct 2> /dev/null
read end rest < /proc/uptime
echo RESULT start=$start
echo RESULT end=$end
"""


def run() -> list[Row]:
    rows = [row for case in CASES for row in _round_trips(case)]
    rates = in_turns(ROUNDS, {name: _reads(options) for name, options in OPTIONS.items()})
    return rows + _rows("reads of a guest", per_second, rates, "at least 0.98")


def _round_trips(case: Case) -> list[Row]:
    results = in_turns(ROUNDS, {name: _measure(options, case) for name, options in OPTIONS.items()})
    return [
        row
        for figure, target in (("p50", _TARGET), ("p99", ""))
        for row in _rows(
            f"{case.name}, {figure}",
            microseconds,
            {name: [each[figure] for each in found] for name, found in results.items()},
            target,
        )
    ]


def _rows(what: str, unit: Callable[[float], str], series: dict[str, list[float]], target: str) -> list[Row]:
    """Each way to look beside the run without."""
    return [
        compared(what, unit, (name, values), ("without", series["without"]), target)
        for name, values in series.items()
        if name != "without"
    ]


def _measure(options: Sequence[str], case: Case) -> Callable[[], Any]:
    relay: Relay = lambda front, back: [*vuproxy(front, back), *options]  # noqa: E731

    def measure() -> Any:
        with TemporaryDirectory() as folder:
            front, back = Path(folder, "front.sock"), Path(folder, "back.sock")
            with relaying(relay, front, back), serving(back, ("echo", _ACK)):
                return converse_on(_set_up(front), case.front_end)

    return measure


def _set_up(front: Path) -> socket.socket:
    """A connection on which ring 0 is set up in memory that was passed."""
    memory = os.memfd_create("guest")
    os.ftruncate(memory, _SIZE)
    region = {"guest_addr": 0, "size": _SIZE, "user_addr": _USER, "mmap_offset": 0}
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(os.fspath(front))
    for message, fds in (
        (request("SET_MEM_TABLE", need_reply=True, regions=[region]), [memory]),
        (request("SET_VRING_NUM", need_reply=True, index=0, num=256), []),
        (request("SET_VRING_ADDR", need_reply=True, **_PARTS), []),
    ):
        socket.send_fds(connection, [message], fds)
        connection.recv(len(_ACK), socket.MSG_WAITALL)
    os.close(memory)
    return connection


def _reads(options: Sequence[str]) -> Callable[[], float]:
    def measure() -> float:
        with TemporaryDirectory() as name:
            folder = Path(name)
            image = folder / IMAGE
            image.write_bytes(contents())
            with (
                storage_daemon(image, "back.sock", folder),
                recorded(
                    folder / "reads.pcapng",
                    front_end="listen:front.sock",
                    back_end="connect:back.sock",
                    options=options,
                ),
                uml(_READ, folder, modules=("virtio_blk",), device=DISK, socket="front.sock") as guest,
            ):
                guest.finish()
                results = results_in(guest)
        return READS / (float(results["end"]) - float(results["start"]))

    return measure
