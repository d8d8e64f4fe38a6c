"""What programs write into their logs when vhost-user goes wrong: patterns, meanings, rules. Look-up, no files.

Named groups of a pattern are message numbers, to be read with the message table. What repeats in a pattern has a bound,
unless a text before it says where it begins: a line of a million characters takes no longer than a million short ones.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from vudissect.protocol.model import Channel, Row
from vudissect.protocol.table import UPSTREAM


@dataclass(frozen=True)
class LogLine:
    """A line that a program logs: what it means and which rules it points to."""

    pattern: str
    program: str
    meaning: str
    rules: tuple[str, ...]
    channel: Channel = Channel.MAIN

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The pattern, compiled."""
        return re.compile(self.pattern)


class Recognised(NamedTuple):
    """A known line in a text: its number from 1, the entry, and the message numbers that it names.

    A message number comes with its role and its row, None where the table has none.
    """

    number: int
    text: str
    line: LogLine
    messages: tuple[tuple[str, int, Row | None], ...]


def recognise(lines: Iterable[str]) -> Iterator[Recognised]:
    """The lines that the dictionary knows; of several entries that fit one line the first counts."""
    for number, text in enumerate(lines, 1):
        for line in LOG_LINES:
            match = line.regex.search(text)
            if match is not None:
                yield Recognised(number, text.strip(), line, tuple(_messages(line, match)))
                break


def _messages(line: LogLine, match: re.Match[str]) -> Iterator[tuple[str, int, Row | None]]:
    for role, text in match.groupdict().items():
        yield role, int(text), UPSTREAM.request(line.channel, int(text))


# More specific patterns stand first.
LOG_LINES: tuple[LogLine, ...] = (
    LogLine(
        r"Failed to read msg header\. Read 0 instead of \d+\. Original request (?P<request>\d{1,10})",
        "QEMU",
        "The back-end closed the connection, or died, instead of answering this request.",
        ("VU-RPL-08",),
    ),
    LogLine(
        r"Failed to read msg header\. Read -?\d+ instead of \d+\. Original request (?P<request>\d{1,10})",
        "QEMU",
        "The answer to this request could not be read: an I/O error, or the connection broke amid a header.",
        ("VU-RPL-08",),
    ),
    LogLine(
        r"Failed to read msg header\. Flags 0x[0-9a-f]+ instead of 0x[0-9a-f]+",
        "QEMU",
        "The flags of an answer are not exactly version 1 and REPLY. 0xd is an answer that echoes NEED_REPLY.",
        ("VU-HDR-05", "VU-HDR-03", "VU-HDR-04"),
    ),
    LogLine(
        r"Received unexpected msg type\. ?Expected (?P<expected>\d{1,10}) received (?P<received>\d{1,10})",
        "QEMU",
        "The answer belongs to another request than the one that QEMU waits for: something was answered twice, or "
        "with the wrong number, and all answers since are off.",
        ("VU-RPL-01", "VU-RPL-02", "VU-RPL-12"),
    ),
    LogLine(
        r"Received unexpected msg type: (?P<request>\d{1,10})",
        "QEMU",
        "A message on the back-end channel that this QEMU does not know; it answers with a failure and goes on.",
        ("VU-HDR-01", "VU-NEG-06"),
        Channel.BACKEND,
    ),
    LogLine(
        r"Received bad msg size",
        "QEMU",
        "The contents of an answer do not have the size that this message has.",
        ("VU-RPL-06",),
    ),
    LogLine(
        r"Size \d+ exceeds the maximum \d+",
        "QEMU",
        "The header of an answer announces more bytes than any message has: usually the two are out of step.",
        ("VU-HDR-08",),
    ),
    LogLine(
        r"Failed to set msg fds",
        "QEMU",
        "The connection was closed already when QEMU wanted to pass descriptors. Look for the last message before it.",
        ("VU-RPL-08", "VU-TIM-02"),
    ),
    LogLine(
        r"Failed to write msg\. Wrote -?\d+ instead of \d+",
        "QEMU",
        "The connection was closed already when QEMU wanted to write. Look for the last message before it.",
        ("VU-RPL-08", "VU-TIM-02"),
    ),
    LogLine(
        r"vhost_set_vring_\w{1,40} failed|ring restore failed: -22",
        "QEMU",
        "A consequence: the connection is dead, and every ring that is to be set up or restored fails with EINVAL.",
        ("VU-RPL-08", "VU-TIM-02"),
    ),
    LogLine(
        r"Failed initializing vhost-user memory map",
        "QEMU",
        "No region of the guest's memory can be shared: the memory back-end lacks share=on.",
        ("VU-MEM-01", "VU-FD-06"),
    ),
    LogLine(
        r"you are asking more queues than supported|[Mm]aximum number of queues supported by the backend is",
        "QEMU",
        "The device has more queues than the back-end says that it supports; network devices count pairs.",
        ("VU-VRG-01",),
    ),
    LogLine(
        r"postcopy reply not fully consumed",
        "QEMU",
        "More came in answer to a memory table in postcopy than the table: an acknowledgement was asked for on top.",
        ("VU-PCP-02", "VU-RPL-02"),
    ),
    LogLine(
        r"[Rr]eceived invalid negotiated features|invalid features received",
        "DPDK",
        "A feature was acknowledged that the back-end had not offered.",
        ("VU-NEG-01",),
    ),
    LogLine(
        r"expect(?:ed)? \d+ FDs for request \w{1,80}, received \d+",
        "DPDK",
        "The message carries another number of descriptors than it has.",
        ("VU-FD-01", "VU-FD-02", "VU-FD-07"),
    ),
    LogLine(
        r"vhost message \(req: (?P<request>\d{1,10})\) was not handled",
        "DPDK",
        "A number that DPDK does not know: an unknown or a vendor's message.",
        ("VU-HDR-01",),
    ),
    LogLine(
        r"vhost message handling failed",
        "DPDK",
        "DPDK closes the connection on account of a message; the line before says which one.",
        ("VU-HDR-01", "VU-RPL-08"),
    ),
    LogLine(
        r"processing \w{1,80} failed",
        "DPDK",
        "The handler of this message failed; DPDK answers with a failure if it was asked to, or closes the connection.",
        ("VU-RPL-05", "VU-RPL-08"),
    ),
    LogLine(
        r"invalid (?:msg|message) size",
        "DPDK",
        "The contents of the message do not have the size that DPDK knows, or are too large for it.",
        ("VU-HDR-07", "VU-HDR-08", "VU-MEM-11", "VU-CRY-01"),
    ),
    LogLine(
        r"read control message failed",
        "DPDK",
        "DPDK reads the contents of a message in one go and got less: the sender split the message.",
        ("VU-HDR-08", "VU-HDR-09"),
    ),
    LogLine(
        r"truncated msg",
        "DPDK",
        "The kernel dropped descriptors, as there was no room for them; DPDK closes the connection.",
        ("VU-HDR-10", "VU-FD-05"),
    ),
    LogLine(
        r"vring\(\d+\) enable\(\d\) failed",
        "DPDK",
        "A ring was enabled that the back-end has not set up (yet).",
        ("VU-VRG-19",),
    ),
    LogLine(
        r"mmap region (?:\d+ )?failed|failed to mmap",
        "DPDK or SPDK",
        "A memory region cannot be mapped: its file is shorter than it says, or is cut across huge pages.",
        ("VU-FD-10", "VU-MEM-04"),
    ),
    LogLine(
        r"[Gg]uest memory size is not a 2 ?MB multiple",
        "SPDK",
        "A memory region does not begin or end at a page of 2 MiB.",
        ("VU-MEM-04",),
    ),
    LogLine(
        r"recvmsg failed",
        "DPDK or SPDK",
        "The front-end has closed the connection; nothing to worry about where the session ends anyway.",
        ("VU-RPL-08",),
    ),
    LogLine(
        r"Unhandled request: (?P<request>\d{1,10})",
        "libvhost-user",
        "The library does not implement this message; most of its programs exit.",
        ("VU-HDR-01", "VU-NEG-06"),
    ),
    LogLine(
        r"Guest says index \d+ > \d+",
        "libvhost-user",
        "The ring contains an index beyond its size: wrong ring addresses, or memory that is not the guest's.",
        ("VU-MEM-05", "VU-VRG-05"),
    ),
    LogLine(
        r"[Aa]ssertion.{0,400}?fd_num <= ",
        "libvhost-user",
        "More descriptors came with one message than the library takes; the program aborts.",
        ("VU-FD-05",),
    ),
    LogLine(
        r"FindMemoryRegion",
        "virtiofsd",
        "An address of a ring or of a buffer lies in no memory region that the back-end was told of.",
        ("VU-MEM-05", "VU-VRG-05"),
    ),
    LogLine(
        r"InvalidOperation|invalid operation",
        "rust-vmm",
        "The crate does not allow this message now, or not without a feature that is not acknowledged.",
        ("VU-NEG-06", "VU-NEG-03"),
    ),
    LogLine(
        r"InvalidMessage|[Ii]nvalid message|InvalidParam|invalid parameters|HandleRequest\(",
        "rust-vmm",
        "The crate's checks refuse the message: unknown number, version or reserved flags, size, descriptors, values.",
        ("VU-HDR-01", "VU-HDR-02", "VU-HDR-04", "VU-HDR-07", "VU-FD-01", "VU-FD-03", "VU-VRG-03"),
    ),
    LogLine(
        r"SocketBroken|Disconnected|SendMsg|[Pp]artial message",
        "rust-vmm",
        "The other side closed the connection, perhaps in the middle of a message.",
        ("VU-RPL-08",),
    ),
    LogLine(
        r"unknown vhost-user message (?P<request>\d{1,10}) received\. closing socket",
        "VPP",
        "VPP does not know this message and closes the connection.",
        ("VU-HDR-01",),
    ),
    LogLine(
        r"net_device\.lua:\d+: attempt to index a nil value",
        "snabb",
        "A message came for which there is no handler: snabb has no protocol features.",
        ("VU-HDR-01", "VU-NEG-03"),
    ),
)
