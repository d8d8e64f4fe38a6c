"""What one case has: connections, descriptors, rings, the recording; and how messages pass.

Messages are said in the language of `vudissect compose`; their words are read against what the back-end has answered
so far, so that `all that was offered` and `region0+0x1000` mean what they mean in a transcript.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import NamedTuple

from vudissect.capture.record import Mark, Record
from vudissect.check.channels import Channels
from vudissect.check.link import Incoming, Link, LinkError
from vudissect.check.model import Behaviour
from vudissect.check.objects import Objects, is_socket
from vudissect.check.program import Program
from vudissect.check.recorder import Recorder
from vudissect.conversation.text import Reader
from vudissect.host.descriptor import Descriptor
from vudissect.host.inspect import inspect
from vudissect.protocol.model import Answer, Channel, Device, Row, Side
from vudissect.protocol.payloads import ACK
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.table import UPSTREAM
from vudissect.protocol.unknown import message_name, unknown_row
from vudissect.session.state import State
from vudissect.wire.codec import Codec, WireMessage, codec_of
from vudissect.wire.fields import Fields, to_fields
from vudissect.wire.header import HEADER_SIZE, NEED_REPLY, REPLY, VERSION, struct_of

_PAUSE = 0.02
# How many time-outs more the first answer may take: DPDK may look at a new connection only a second later.
FIRST_ANSWER = 2
_HEADER = struct_of("III", "little")
_ACK = struct_of("Q", "little")
_FLAGS = struct_of("I", "little")


class DeviationError(Exception):
    """The back-end did not do what this step needs."""

    def __init__(self, behaviour: Behaviour, text: str) -> None:
        super().__init__(text)
        self.behaviour = behaviour


class Sent(NamedTuple):
    """A message that was sent: its row, number, flags, and whether an answer is due."""

    row: Row
    number: int
    flags: int
    owed: bool
    connection: int

    @property
    def name(self) -> str:
        """What to call it."""
        return message_name(self.row, self.number)


class Answered(NamedTuple):
    """A message of the back-end."""

    message: WireMessage
    descriptors: tuple[int, ...]

    @property
    def fields(self) -> Fields:
        """The payload by field name; empty where it could not be decoded."""
        return to_fields(self.message.layout, self.message.values)


class Stage:
    """One case, while it is played."""

    def __init__(self, backend: Program, device: Device | None, timeout: float) -> None:
        self.recorder = Recorder()
        self.objects = Objects()
        self.timeout = timeout
        self.clock = backend.clock
        self.links: dict[int, Link] = {}
        self.held: list[tuple[bytes, tuple[int, ...]]] | None = None
        self.cuts: tuple[int, ...] = ()
        """Where the next message is cut into several writes."""
        self.miss_answer: Callable[[int], str] | None = None
        self.channels = Channels(
            self.recorder,
            backend.clock,
            timeout,
            lambda *came: self._heard(*came).message,
            self._hear,
            self.objects.give,
        )
        self._backend = backend
        self._codec: Codec = codec_of(UPSTREAM, "little")
        self._reader = Reader()
        if device is not None:
            self._reader.read(f"device {device.name}")

    @property
    def deadline(self) -> float:
        """When a wait that begins now must be over."""
        return time.monotonic() + self.timeout

    def soon(self, seconds: float) -> float:
        """When a short wait that begins now must be over."""
        return time.monotonic() + min(seconds, self.timeout)

    def state(self, connection: int = 1) -> State:
        """What both sides have agreed upon."""
        return self._reader.session.states[connection]

    def connect(self, connection: int = 1) -> None:
        """Another connection; `DeviationError` if there is none."""
        try:
            sock = self._backend.connect(self.deadline)
        except OSError as error:
            raise DeviationError(Behaviour.CLOSED, f"no connection: {error.strerror or error}") from None
        self.links[connection] = Link(sock, self.clock)
        self._hear(self.recorder.opened(connection, self._backend.peer))

    def hang_up(self, connection: int = 1) -> None:
        """Close a connection from our side, and its channel."""
        link = self.links.pop(connection, None)
        self.channels.close(connection)
        if link is not None:
            link.close()
            self._hear(self.recorder.closed(connection, Side.BACK_END if link.ended else Side.FRONT_END, "eof"))

    def say(self, line: str) -> Sent:
        """Send a message of the front-end; `ConversationError` for one that cannot be said, else `DeviationError`.

        NEED_REPLY is added where REPLY_ACK is negotiated and there is no other answer, unless the flags are given.
        """
        return self.send(self._reader.compose(line)[-1], acknowledge="header_flags" not in line)

    def send(self, record: Record, *, acknowledge: bool = False) -> Sent:
        """Send a message of the front-end as it is, or with NEED_REPLY where that has an answer; `DeviationError`."""
        connection = record.connection
        sent, data = self._sent(record, acknowledge)
        fds = tuple(self.objects.give(each) for each in record.descriptors)
        described = tuple(inspect(fd) for fd in fds)
        marks = record.marks & (Mark.CUT_SHORT | Mark.SPLIT | Mark.LATE_DESCRIPTORS)
        marks |= Mark.SPLIT if self.cuts else Mark(0)
        self._hear(self.recorder.message(connection, Channel.MAIN, Side.FRONT_END, data, described, marks))
        if self.held is not None:
            self.held.append((data, fds))
            return sent
        try:
            self._write(self.links[connection], data, fds, marks)
        except LinkError as error:
            raise self._gone(connection, error, f"while {sent.name} was sent") from None
        if sent.row.opens is not None and record.descriptors:
            self._open_channel(connection, sent.row.opens, record.descriptors[0])
        return sent

    def _sent(self, record: Record, acknowledge: bool) -> tuple[Sent, bytes]:
        data = record.data
        number, flags = (_HEADER.unpack_from(data)[:2]) if len(data) >= HEADER_SIZE else (0, 0)
        row = UPSTREAM.request(Channel.MAIN, number) or unknown_row(Channel.MAIN)
        state = self.state(record.connection)
        if record.marks & Mark.CUT_SHORT:
            owed = False
        elif not row.known:
            owed = bool(flags & NEED_REPLY) and state.has("REPLY_ACK")
        else:
            owed = state.owes_reply(row, flags)
            # An answer of its own has every row but these; a header that is cut short has no flags.
            if acknowledge and not owed and row.answer is not Answer.NEVER and state.has("REPLY_ACK"):
                flags |= NEED_REPLY
                data = data[:4] + _FLAGS.pack(flags) + data[8:]
                owed = True
        return Sent(row, number, flags, owed, record.connection), data

    def _write(self, link: Link, data: bytes, fds: tuple[int, ...], marks: Mark) -> None:
        if marks & Mark.LATE_DESCRIPTORS:
            link.send(data[:HEADER_SIZE], (), self.deadline)
            link.await_reader(self.soon(_PAUSE))
            link.send(data[HEADER_SIZE:], fds, self.deadline)
        elif self.cuts:
            cuts, self.cuts = self.cuts, ()
            for start, end in pairwise((0, *cuts, len(data))):
                link.send(data[start:end], fds if not start else (), self.deadline)
                # Else it would depend on who is faster how much is there at once.
                link.await_reader(self.soon(_PAUSE))
        elif marks & Mark.SPLIT:
            link.send(data[:HEADER_SIZE], fds, self.deadline)
            link.await_reader(self.soon(_PAUSE))
            self.clock.sleep(_PAUSE)
            link.send(data[HEADER_SIZE:], (), self.deadline)
        else:
            link.send(data, fds, self.deadline)

    def release(self) -> None:
        """Send all that was held, in one write; descriptors go with the first of them."""
        held, self.held = self.held or [], None
        data = b"".join(each for each, _ in held)
        fds = tuple(fd for _, each in held for fd in each)
        try:
            self.links[1].send(data, fds, self.deadline)
        except LinkError as error:
            raise self._gone(1, error, "while many messages were sent") from None

    def answer(self, connection: int = 1, deadline: float | None = None) -> Answered | None:
        """The next message on the main channel, None if none comes in time; `DeviationError` at the end."""
        link = self.links[connection]
        deadline = self.deadline if deadline is None else deadline
        deadline += self._more_time(connection)
        try:
            while (incoming := link.next()) is None:
                self.channels.serve()
                ready = self.clock.poll([link.socket.fileno(), *self.channels.sockets], deadline)
                if link.socket.fileno() in ready:
                    link.read()
                elif not ready or time.monotonic() >= deadline:
                    return None
        except LinkError as error:
            raise self._gone(connection, error) from None
        return self._heard(connection, Channel.MAIN, incoming)

    def _more_time(self, connection: int) -> float:
        """Seconds that the next answer may take besides the time-out."""
        return FIRST_ANSWER * self.timeout if self.links[connection].is_new and connection == 1 else 0.0

    def reply_to(self, sent: Sent) -> Answered:
        """The answer to a message that has one; `DeviationError` for none, another one, or a wrong header."""
        seconds = self.timeout + self._more_time(sent.connection)
        answered = self.answer(sent.connection)
        if answered is None:
            raise DeviationError(Behaviour.SILENT, f"no answer to {sent.name} within {seconds:g} s")
        self.check_header(sent, answered)
        return answered

    def check_header(self, sent: Sent, answered: Answered) -> None:
        """Make sure that it answers this message, with flags that every front-end accepts; `DeviationError`."""
        message = answered.message
        if message.id != sent.number:
            raise DeviationError(Behaviour.FAILED, f"{sent.name} is answered with {message.name}")
        if message.flags != VERSION | REPLY:
            raise DeviationError(Behaviour.FAILED, f"the answer to {sent.name} has flags {message.flags:#x}, not 0x5")

    def behaviour(self, sent: Sent, answered: Answered) -> Behaviour:
        """What an answer says: done, refused, or a value."""
        message = answered.message
        row = sent.row
        asked = bool(sent.flags & NEED_REPLY)
        explicit = row.known and (row.answer is Answer.ALWAYS or not (row.answer is Answer.ON_REQUEST or asked))
        if not explicit and message.size == ACK.size:
            failed = any(message.data[HEADER_SIZE:])
            return Behaviour.REFUSED if failed else Behaviour.ACKNOWLEDGED
        if message.fits:
            if message.layout.failure and message.values[0] & message.layout.failure:
                return Behaviour.REFUSED
            if row.purpose is Purpose.READ_CONFIG and not answered.fields.get("size"):
                return Behaviour.REFUSED
        return Behaviour.ANSWERED

    def ask(self, line: str) -> Answered | None:
        """Send a message that must work, and wait for its answer if one is due."""
        sent = self.say(line)
        if not sent.owed:
            return None
        answered = self.reply_to(sent)
        behaviour = self.behaviour(sent, answered)
        if behaviour is Behaviour.REFUSED:
            raise DeviationError(Behaviour.REFUSED, f"{sent.name} is refused")
        return answered

    def barrier(self, unlike: int = 0, connection: int = 1) -> Sent:
        """Ask something that every back-end answers; `unlike` is a message number that is waited for besides."""
        state = self.state(connection)
        first = "GET_FEATURES "
        other = "GET_PROTOCOL_FEATURES "
        is_first = UPSTREAM.find(first.strip())[0].id == unlike
        offered = (state.features.offered or 0) >> 30 & 1
        return self.say(f"c{connection} F>B {other if is_first and offered else first}")

    def expected(self, line: str) -> WireMessage:
        """The answer that a line says, decoded; the session does not hear it."""
        record = self._reader.compose(line)[-1]
        return self._codec.decode(Channel.MAIN, Side.BACK_END, record.data)

    def state_pipe(self) -> int:
        """The end of the pipe for the device state that is read here: one that came, or of one that was passed."""
        if self.objects.received:
            return self.objects.received[-1]
        end = self.objects.end_to_read()
        if end is None:
            raise DeviationError(Behaviour.FAILED, "there is no pipe to read from")
        return end

    def _open_channel(self, connection: int, channel: Channel, described: Descriptor) -> None:
        end = self.objects.take_other_end(described) if is_socket(described) else None
        if end is not None:
            self.objects.let_go(described)
            self.channels.open(connection, channel, end)

    def answer_misses(self) -> None:
        """Send the entries that were asked for on the channel, if `miss_answer` makes them."""
        self.channels.serve()
        # Only those of now: a back-end that asks again and again must not be answered for ever.
        now, self.channels.missed = self.channels.missed, []
        for iova in now:
            if self.miss_answer is not None:
                self.ask(self.miss_answer(iova))

    def _heard(self, connection: int, channel: Channel, incoming: Incoming) -> Answered:
        self.objects.keep(incoming.descriptors)
        described = tuple(inspect(fd) for fd in incoming.descriptors)
        marks = Mark.DESCRIPTORS_LOST if incoming.lost else Mark(0)
        record = self.recorder.message(connection, channel, Side.BACK_END, incoming.data, described, marks)
        self._hear(record)
        message = self._codec.decode(channel, Side.BACK_END, incoming.data)
        return Answered(message, incoming.descriptors)

    def _hear(self, record: Record) -> None:
        self._reader.session.feed(record)

    def _gone(self, connection: int, error: LinkError, when: str = "") -> DeviationError:
        if error.how == "full":
            return DeviationError(Behaviour.SILENT, f"{error} {when}".rstrip())
        link = self.links.get(connection)
        if link is not None and not link.ended:
            link.ended = error.how
        return DeviationError(Behaviour.CLOSED, f"{error} {when}".rstrip())

    @property
    def connection_fate(self) -> str:
        """What became of the first connection: open, closed or reset, by the back-end."""
        link = self.links.get(1)
        return {"": "open", "reset": "reset"}.get(link.ended, "closed") if link is not None else "open"

    def close(self) -> None:
        """Close all connections and descriptors."""
        for connection in list(self.links):
            with suppress(OSError):
                self.hang_up(connection)
        self.channels.close_earlier()
        self.objects.close()
