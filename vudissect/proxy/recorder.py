"""Recording off the fast path: forwarded messages are queued until there is time to inspect, encode and write them."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from time import monotonic_ns

from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.record import NO_DETAILS, Record, RecordKind
from vudissect.host.inspect import Inspected
from vudissect.host.limits import descriptor_limit, lowest_free_descriptor
from vudissect.protocol.model import Channel, Side
from vudissect.proxy.diagnostics import Throttled, Warn
from vudissect.proxy.offered import Offered, is_of_use
from vudissect.proxy.passed import Flow, Numbering, Passed, Run, Totals, records_of
from vudissect.proxy.rights import count_and_highest, let_go
from vudissect.proxy.rotation import RotatingSink
from vudissect.proxy.sink import Sink
from vudissect.wire.framing import Rights

# How much may be queued: this many messages, or fewer if they are large or have descriptors.
_FULL = 512
HEAVY = 2048  # bytes that count as a message
_DESCRIPTOR_AS_MESSAGES = 2

# Fewer free descriptor numbers than this: queued descriptors are closed at once. Enough for two messages and more.
_ROOM_FOR_DESCRIPTORS = 512

# How many entries may wait until they are shown.
_MOST_UNSEEN = 1024

# Seconds without traffic after which records are written, and after which a slow reader is tried again.
_WRITE_AFTER = 0.001
_TRY_AGAIN_AFTER = 0.01

# What is queued for recording: messages, and events that are already encoded.
Entry = Run | Passed | bytes

# Receives the number of a connection, and calls back once it has taken its last look at it.
LastLook = Callable[[int, Callable[[], None]], None]


class Recorder:
    """Queues what was forwarded until there is a pause, or the queue is full.

    `backlog` accepts entries without a call. `crowded`: so many descriptors are open that the queued ones should be
    inspected now.
    """

    def __init__(self, encoder: CaptureEncoder, snaplen: int, warn: Warn) -> None:
        self.backlog: list[Entry] = []
        self.totals: defaultdict[tuple[Channel, Side], Totals] = defaultdict(Totals)
        self.snaplen = snaplen
        self.descriptors_lost = 0
        self.not_recorded = 0
        self.crowded = False
        limit = descriptor_limit()
        self._crowded_from = limit - min(_ROOM_FOR_DESCRIPTORS, limit // 2)
        self._encoder = encoder
        self._records: list[bytes] = []
        self._sinks: list[Sink] = []
        self._note: Callable[[list[list[bytes]], list[list[bytes]]], None] | None = None
        # For `_note`: messages in a row, and their records.
        self._runs: list[list[bytes]] = []
        self._recorded: list[list[bytes]] = []
        self._offer: Callable[[list[Offered]], None] | None = None
        self._offered: list[Offered] = []
        self._last_look: LastLook | None = None
        self._show: Callable[[Record], None] | None = None
        self._unseen: list[Run | Passed | Record] = []  # what was not shown yet
        self._warn_of_lost_descriptors = Throttled(warn)
        self._warn = warn
        self._load = 0

    def has_room(self) -> bool:
        """Whether it need not be drained yet while there is traffic."""
        return len(self.backlog) + len(self._records) + self._load < _FULL

    @property
    def patience(self) -> float | None:
        """How many seconds of silence are a pause, in which to call `use_pause`; None if there is nothing to do."""
        if self.backlog:
            return 0.0
        if self._records:
            return _WRITE_AFTER
        return _TRY_AGAIN_AFTER if any(sink.unwritten for sink in self._sinks) else None

    def offer_descriptors(self, offer: Callable[[list[Offered]], None]) -> None:
        """Call `offer` with the descriptors of messages before these are written; then the descriptors are closed."""
        self._offer = offer

    def look_before_closing(self, last_look: LastLook) -> None:
        """Call `last_look` before it is recorded that a connection is closed."""
        self._last_look = last_look

    def close_connection(self, number: int, then: Callable[[], None]) -> None:
        """Call `then` once all that can be known of a connection is recorded: at once if nobody takes a last look."""
        if self._last_look is None:
            then()
        else:
            self.drain()
            self._last_look(number, then)

    def show_records(self, show: Callable[[Record], None]) -> None:
        """Call `show` with each record, in order, at the latest when `catch_up` is called."""
        self._show = show

    def catch_up(self) -> None:
        """Prepare everything that was recorded, and show it."""
        self._prepare_all()
        self._show_all()

    def _prepare_all(self) -> None:
        backlog = self.backlog.copy()
        self.backlog.clear()
        for entry in backlog:
            self._prepare(entry)

    def add_sink(self, sink: Sink) -> None:
        """Also write everything there from now on."""
        self._sinks.append(sink)

    def add_rotating_sink(self, sink: RotatingSink) -> None:
        """The same for a sink that also has to know the messages, to repeat those that set up a session."""
        self._sinks.append(sink)
        self._note = sink.note

    def flow(self, numbering: Numbering, channel: Channel, sender: Side) -> Flow:
        """The context in which the messages of one direction of a channel are recorded."""
        return Flow(numbering, channel, sender, self.totals[channel, sender])

    def weigh(self, messages: int) -> None:
        """Note that entries hold more than one message each, so that `drain` is called in time."""
        self._load += messages

    def hold(self, rights: Rights) -> None:
        """Note descriptors that are open until they are inspected."""
        count, highest = count_and_highest(rights)
        self._load += _DESCRIPTOR_AS_MESSAGES * count
        # The kernel assigns the lowest free numbers.
        if highest >= self._crowded_from:
            self.crowded = True
            self._load += _FULL

    def lost_descriptors(self, flow: Flow) -> None:
        """The kernel has dropped or refused descriptors of a message: this must not go unnoticed."""
        self.descriptors_lost += 1
        self._warn_of_lost_descriptors(
            f"{flow}: descriptors of a message are LOST: probably too many open files (see ulimit -n)"
        )

    def event(
        self,
        kind: RecordKind,
        connection: int,
        channel: Channel,
        sequence: int,
        details: Mapping[str, str | int] = NO_DETAILS,
        time: int = 0,
    ) -> None:
        """Record an event that happens now, or happened at a time (ns, monotonic)."""
        now = time or monotonic_ns()
        if self._show is not None:
            self._prepare_all()
            self._unseen.append(
                Record(kind, connection, channel, Side.PROXY, sequence, now, now, now, 0, b"", details=details)
            )
        self.backlog.append(self._encoder.event(kind, connection, channel, sequence, now, details))

    def inspect(self, message: Passed) -> None:
        """Inspect the descriptors of a message; those that are offered are closed when they have been."""
        message.inspect(self._set_apart if self._offer is not None else None)

    def _set_apart(self, fd: int, inspected: Inspected) -> bool:
        of_use = is_of_use(inspected.descriptor)
        if of_use:
            self._offered.append(Offered(fd, inspected.descriptor.identity, inspected.slow_to_close))
        return of_use

    def use_pause(self) -> None:
        """Do one step: prepare the oldest entry, or write if all are prepared.

        A peer takes longer to wake up than a step takes, so this costs a conversation nothing, and descriptors are
        closed at once.
        """
        if self.backlog:
            self._prepare(self.backlog.pop(0))
        else:
            self._write()

    def drain(self) -> None:
        """Prepare and write everything."""
        self._prepare_all()
        if self.crowded:
            self.crowded = lowest_free_descriptor() >= self._crowded_from
        self._write()

    def close(self) -> None:
        """Drain, and close the sinks."""
        self.drain()
        for sink in self._sinks:
            sink.close()

    def _prepare(self, entry: Entry) -> None:
        """Encode; inspect and close the descriptors. Errors are recorded, and never end the relay."""
        try:
            self._encode(entry)
        except Exception as error:
            self._failed(entry, error)

    def _encode(self, entry: Entry) -> None:
        if isinstance(entry, tuple):
            flow, first, received, forwarded, messages, marks = entry
            totals = flow.totals
            totals.messages += len(messages)
            totals.bytes += sum(map(len, messages))
            records = self._encoder.messages(
                flow.connection, flow.channel, flow.sender, first, received, forwarded, messages, marks
            )
            self._records += records
            if self._show is not None:
                self._keep(entry)
            if self._note is not None:
                self._runs.append(messages)
                self._recorded.append(records)
            return
        record = entry if isinstance(entry, bytes) else self._encode_message(entry)
        self._records.append(record)
        if self._note is not None:
            self._runs.append([])
            self._recorded.append([record])

    def _failed(self, entry: Entry, error: Exception) -> None:
        """Count an entry that could not be encoded, and put a note in its place."""
        count = len(entry[4]) if isinstance(entry, tuple) else 1
        self.not_recorded += count
        if self.not_recorded == count:
            self._warn(f"a message could not be recorded, the traffic continues: {error!r}")
        details = {"text": f"{count} messages could not be recorded: {error!r}"}
        self._records.append(self._encoder.event(RecordKind.NOTE, 0, Channel.MAIN, 0, monotonic_ns(), details))

    def _write(self) -> None:
        records, self._records, self._load = self._records, [], 0
        if self._offered:
            self._hand_over()
        for sink in self._sinks:
            sink.write(records)
        if self._note is not None:
            runs, recorded = self._runs, self._recorded
            self._runs, self._recorded = [], []
            try:
                self._note(runs, recorded)
            except Exception as error:
                self._note = None
                self._warn(f"the next files of the capture will not explain themselves: {error!r}")

    def _hand_over(self) -> None:
        """Offer the descriptors of all messages that are about to be written, at once: each call wakes the receiver."""
        assert self._offer is not None
        offered, self._offered = self._offered, []
        self._offer(offered)
        for fd, _, slow_to_close in offered:
            let_go(fd, slow_to_close=slow_to_close)

    def _encode_message(self, message: Passed) -> bytes:
        self.inspect(message)
        flow = message.flow
        flow.totals.messages += 1
        flow.totals.bytes += message.length
        flow.totals.descriptors += len(message.descriptors)
        if self._show is not None:
            self._keep(message)
        return self._encoder.message(
            flow.connection,
            flow.channel,
            flow.sender,
            message.sequence,
            message.received,
            message.forwarded,
            b"".join(message.data),
            message.length,
            message.marks,
            message.descriptors,
        )

    def _keep(self, entry: Run | Passed) -> None:
        """Show it later: that takes longer than to forward it."""
        self._unseen.append(entry)
        if len(self._unseen) > _MOST_UNSEEN:
            self._show_all()

    def _show_all(self) -> None:
        if self._show is None:
            return
        unseen, self._unseen = self._unseen, []
        for entry in unseen:
            for record in (entry,) if isinstance(entry, Record) else records_of(entry):
                self._show(record)
