"""The records of processes that are being traced: lines in as the tracer writes them, records out a moment later.

What is known of a process when tracing begins is added first. A session that had begun before has a gap at its start.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final

from vudissect.capture.record import Record
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.protocol.model import Channel
from vudissect.sources.ends import Ends, Passed
from vudissect.sources.kernel_trace import KernelTrace, Lost
from vudissect.sources.merge import Merger
from vudissect.sources.strace import Call, Exited, StraceLog
from vudissect.sources.system_calls import SystemCalls

Details = dict[str, str | int]
FindPeer = Callable[[int, int], Details]
"""What is known of the process at the other end of a socket, by process and descriptor; empty for nothing."""

PATIENCE: Final = 300_000_000
"""How long (ns) a message waits for the other side to receive it, and for calls that began before it."""


class Attached:
    """Follows some processes. `peer_at` is asked once for each connection; `log` reads the lines."""

    def __init__(
        self,
        source: str,
        peer_at: FindPeer = lambda process, number: {},
        log: StraceLog | KernelTrace | None = None,
    ) -> None:
        self.messages = 0
        """How many messages there were so far, each side's view of one counted once."""
        self._peer_at = peer_at
        self._log = log or StraceLog()
        self._calls = SystemCalls()
        self._ends = Ends()
        self._merger = Merger(source, tracked=True)

    def add_process(
        self, process: int, threads: Collection[int], details: Details, files: Mapping[int, Descriptor]
    ) -> None:
        """What is known of a process: its threads, who it is, and its descriptors."""
        found = self._calls.begin(process, threads)
        found.details = details
        for number, descriptor in files.items():
            file = self._calls.files.new(descriptor.name)
            file.kind, file.facts = descriptor.kind, descriptor
            found.files[number] = file
        found.about = _about(files.values())

    def feed(self, line: str) -> None:
        """Take in a line of the tracer."""
        self._follow(self._log.feed(line))

    def _follow(self, calls: Iterable[Call | Exited | Lost]) -> None:
        for call in calls:
            if isinstance(call, Lost):
                self._ends.lose()
                self._merger.lose(f"the kernel's tracing has lost {call.events} events", call.time)
                continue
            for happening in self._calls.feed(call):
                for item in self._ends.feed(happening):
                    if isinstance(item, Passed):
                        self._find_peer(item)
                    self._merger.feed(item)

    def end(self, time: int) -> None:
        """Tracing has ended (ns since the epoch): what is open waited until then, whatever comes later."""
        self._follow(self._log.finish())
        self._merger.note("the recording ends here", time)

    def records(self, before: int | None = None) -> Iterator[Record]:
        """The records up to a time (ns since the epoch); None at the end."""
        for record in self._merger.records(before):
            self.messages += bool(record.data)
            yield record

    def _find_peer(self, item: Passed) -> None:
        end = item.end
        if end.channel is not Channel.MAIN or end.peer is not None:
            return
        number = next((number for number, file in end.process.files.items() if file is end.socket), None)
        end.peer = self._peer_at(end.process.id, number) if number is not None else {}


def _about(descriptors: Collection[Descriptor]) -> str:
    """What a process has open that may belong to its sessions."""
    memory = [each for each in descriptors if each.kind is DescriptorKind.MEMFD]
    eventfds = sum(each.kind is DescriptorKind.EVENTFD for each in descriptors)
    found = [f"{each.name.removesuffix(' (deleted)')} of {each.size} bytes" for each in memory]
    found += [f"{eventfds} eventfds"] if eventfds else []
    return f"has open: {', '.join(found)}" if found else ""
