"""The dialect of a connection: candidates, the evidence for and against them, and what would settle the question.

Every new kind of message is compared with all dialects. The dialect with the least evidence against it wins; upstream
wins a tie. The evidence is kept, so that a choice can always be explained.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from typing import NamedTuple

from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.host.descriptor import DescriptorKind
from vudissect.protocol.dialects import DIALECTS, UPSTREAM_DIALECT
from vudissect.protocol.dialects.dialect import Dialect
from vudissect.protocol.model import Answer, Channel, Row, Side
from vudissect.protocol.table import UPSTREAM, Protocol
from vudissect.session.evidence import (
    ABOUT_THE_PROTOCOL,
    ABOUT_THE_ROW,
    Question,
    Reading,
    Reason,
    Sighting,
    read,
    row_of,
    word_places_among,
)
from vudissect.wire.header import HEADER_SIZE, NEED_REPLY, ByteOrder, struct_of

# Messages with the same header but other contents are looked at this often; more would add nothing.
_MOST_LOOKS = 4
_MOST_SIGHTINGS = 256
# Covers the fixed part of every payload except pictures.
_MOST_PAYLOAD = 2048
# Looked up once: a look-up takes as long as checking a message that was seen before.
_MESSAGE = RecordKind.MESSAGE
_GPU = Channel.GPU

_RUNNERS_UP = 3
_MOST_EVIDENCE = 16
_MOST_PLACES = 4

_ORDERS: tuple[ByteOrder, ...] = ("little", "big")
_HEADERS = {order: struct_of("III", order).unpack_from for order in _ORDERS}
_WORD = {order: struct_of("Q", order).unpack for order in _ORDERS}

_Signature = tuple[Channel, Side, bytes, tuple[DescriptorKind, ...]]


class Evidence(NamedTuple):
    """A message that does not fit some of the dialects in question, and why. `row` is the winner's row for it."""

    frame: int
    channel: Channel
    reply: bool
    number: int
    row: Row
    reason: Reason
    weight: int
    against: tuple[Dialect, ...]


class OpenQuestion(NamedTuple):
    """A dialect that fits as well as the winner: messages and feature bits (up to four each) that would decide."""

    dialect: Dialect
    messages: tuple[tuple[Channel, int], ...]
    bits: tuple[int, ...]


class Verdict(NamedTuple):
    """The dialect in effect. `forced`: selected by the user, whatever the evidence.

    The score is how much less evidence there is against a dialect than against the worst one, over all messages.
    """

    dialect: Dialect
    forced: bool
    score: int
    runners_up: tuple[tuple[Dialect, int], ...]
    evidence: tuple[Evidence, ...]
    open_questions: tuple[OpenQuestion, ...]


class Detector:
    """Examines the records of one connection; cheap for messages it has seen before."""

    def __init__(self, forced: Dialect | None = None) -> None:
        self._forced = forced
        self._looks: dict[_Signature, int] = {}
        self._seen: set[tuple[_Signature, bytes]] = set()
        self._sightings: list[tuple[_Signature, Sighting]] = []
        self._tally = _Tally()
        self._words: dict[tuple[bool, int], int] = {}
        self._from_start = False
        self._eager = False
        self._against_upstream = 0
        self._commands: tuple[str, ...] = ()
        self._verdict: Verdict | None = None

    def see(self, record: Record) -> bool:
        """Examine a record; return whether it was evidence of a new kind."""
        if record.kind is not _MESSAGE:
            if record.kind is RecordKind.CONNECTION_OPENED:
                self._from_start = True
                self._commands = record.programs
            return False
        kinds = tuple(descriptor.kind for descriptor in record.descriptors) if record.descriptors else ()
        signature = (record.channel, record.sender, record.data[:HEADER_SIZE], kinds)
        looks = self._looks.get(signature, 0)
        if looks == _MOST_LOOKS or len(self._sightings) == _MOST_SIGHTINGS:
            return False
        payload = record.data[HEADER_SIZE : HEADER_SIZE + _MOST_PAYLOAD]
        if (signature, payload) in self._seen or record.channel is _GPU:
            return False
        self._looks[signature] = looks + 1
        self._seen.add((signature, payload))
        return self._look(record, signature, payload)

    @property
    def dialect(self) -> Dialect:
        """The dialect in effect; computes no verdict if there is no evidence against upstream."""
        if self._forced is not None:
            return self._forced
        return self._ranking(self._scores())[0] if self._against_upstream else UPSTREAM_DIALECT

    @property
    def verdict(self) -> Verdict:
        """The verdict on everything seen so far."""
        if self._verdict is None:
            self._verdict = self._judge()
        return self._verdict

    def _look(self, record: Record, signature: _Signature, payload: bytes) -> bool:
        order: ByteOrder = "big" if record.marks & Mark.BIG_ENDIAN else "little"
        if len(record.data) < HEADER_SIZE:
            return False
        number, flags, size = _HEADERS[order](record.data)
        if record.length < HEADER_SIZE + size:
            return False
        reply = record.sender is not record.channel.initiator
        row = UPSTREAM.request(record.channel, number)
        self._eager = self._eager or (
            not reply and bool(flags & NEED_REPLY) and row is not None and row.answer is Answer.ALWAYS
        )
        sighting = Sighting(
            record.frame,
            record.channel,
            reply,
            number,
            flags,
            size,
            payload,
            order,
            None if record.marks & Mark.DESCRIPTORS_LOST else signature[3],
            self._words,
            self._from_start,
            self._eager,
        )
        self._sightings.append((signature, sighting))
        self._verdict = None
        self._against_upstream += sum(_against((UPSTREAM_DIALECT,), sighting).get(UPSTREAM_DIALECT, _NOTHING).values())
        if record.channel is Channel.MAIN and (reply, number) in _all_word_places() and size == len(payload) == 8:
            self._words = {**self._words, (reply, number): _WORD[order](payload)[0]}
        return True

    def _is_used(self, dialect: Dialect) -> bool:
        return any(command.startswith(dialect.programs) for command in self._commands) if dialect.programs else False

    def _scores(self) -> dict[Dialect, int]:
        scores = self._tally.scores(self._sightings)
        if self._against_upstream:
            for dialect in filter(self._is_used, DIALECTS):
                scores[dialect] += _USED
        return scores

    @staticmethod
    def _ranking(scores: dict[Dialect, int]) -> list[Dialect]:
        return sorted(_JUDGED, key=lambda dialect: -scores[dialect])

    def _judge(self) -> Verdict:
        scores = self._scores()
        ranking = self._ranking(scores)
        winner = self._forced or ranking[0]
        rivals = [dialect for dialect in ranking if dialect is not winner][:_RUNNERS_UP]
        if UPSTREAM_DIALECT not in (winner, *rivals):
            rivals.append(UPSTREAM_DIALECT)
        return Verdict(
            winner,
            self._forced is not None,
            scores[winner],
            tuple((dialect, scores[dialect]) for dialect in rivals),
            _evidence(self._tally.weighed, (winner, *rivals), winner),
            tuple(_open_question(winner, dialect) for dialect in rivals if scores[dialect] == scores[winner]),
        )


class _Tally:
    """The evidence against each dialect. Each kind of message counts once, with its worst sighting.

    `weighed` are the sightings so far; a dialect without evidence against it is left out.
    """

    __slots__ = ("_scores", "_worst", "weighed")

    def __init__(self) -> None:
        self.weighed: _Weighed = []
        self._worst: dict[_Signature, dict[Dialect, int]] = {}
        self._scores: dict[Dialect, int] = {}

    def scores(self, sightings: Sequence[tuple[_Signature, Sighting]]) -> dict[Dialect, int]:
        """How much less evidence there is against each dialect than against the worst; only examines new sightings."""
        for signature, sighting in sightings[len(self.weighed) :]:
            against = _against(DIALECTS, sighting)
            self.weighed.append((signature, sighting, against))
            if against:
                self._count(self._worst.setdefault(signature, {}), against)
        return {dialect: self._scores.get(dialect, 0) for dialect in DIALECTS}

    def _count(self, known: dict[Dialect, int], against: dict[Dialect, dict[Reason, int]]) -> None:
        before = dict(known)
        for dialect, reasons in against.items():
            known[dialect] = max(known.get(dialect, 0), sum(reasons.values()))
        rise = max(known.values()) - max(before.values(), default=0)
        for dialect in DIALECTS:
            change = rise - known.get(dialect, 0) + before.get(dialect, 0)
            self._scores[dialect] = self._scores.get(dialect, 0) + change


_JUDGED = tuple(dialect for dialect in DIALECTS if not dialect.never_detected)
# The known dialect of one of the two programs outweighs the names of feature bits, but not the shape of messages.
_USED = 8
_Weighed = list[tuple[_Signature, Sighting, dict[Dialect, dict[Reason, int]]]]
_NOTHING: dict[Reason, int] = {}


def _against(dialects: Iterable[Dialect], sighting: Sighting) -> dict[Dialect, dict[Reason, int]]:
    """The weighted evidence against each dialect in a sighting, without those that it fits.

    Most dialects share the row of a message, and what depends on the row alone is the same for them.
    """
    found: dict[Dialect, dict[Reason, int]] = {}
    shared: dict[tuple[int, int], tuple[Reading, dict[Reason, int]]] = {}
    for dialect in dialects:
        protocol = dialect.protocol
        key = (id(row_of(protocol, sighting)), id(protocol.header))
        if key not in shared:
            reading = read(protocol, sighting)
            shared[key] = (reading, _weighed(ABOUT_THE_ROW, protocol, sighting, reading))
        reading, of_row = shared[key]
        if reasons := of_row | _weighed(ABOUT_THE_PROTOCOL, protocol, sighting, reading):
            found[dialect] = reasons
    return found


def _weighed(
    questions: Iterable[tuple[Reason, int, Question]], protocol: Protocol, sighting: Sighting, reading: Reading
) -> dict[Reason, int]:
    return {reason: weight * times for reason, weight, ask in questions if (times := ask(protocol, sighting, reading))}


def _evidence(weighed: _Weighed, rivals: tuple[Dialect, ...], winner: Dialect) -> tuple[Evidence, ...]:
    """What distinguishes the dialects in question, the weightiest first, each kind of message and reason once."""
    found: dict[tuple[_Signature, Reason], Evidence] = {}
    for signature, sighting, against in weighed:
        for reason in Reason:
            weight = max(against.get(dialect, _NOTHING).get(reason, 0) for dialect in rivals)
            if weight:
                found.setdefault(
                    (signature, reason),
                    Evidence(
                        sighting.frame,
                        sighting.channel,
                        sighting.reply,
                        sighting.number,
                        read(winner.protocol, sighting).row,
                        reason,
                        weight,
                        tuple(dialect for dialect in rivals if reason in against.get(dialect, _NOTHING)),
                    ),
                )
    return tuple(sorted(found.values(), key=lambda evidence: -evidence.weight))[:_MOST_EVIDENCE]


def _open_question(winner: Dialect, rival: Dialect) -> OpenQuestion:
    messages, bits = winner.differences(rival)
    return OpenQuestion(rival, messages[:_MOST_PLACES], bits[:_MOST_PLACES])


@cache
def _all_word_places() -> frozenset[tuple[bool, int]]:
    # Without their tables, which take longer to make than all else that a small capture needs.
    return word_places_among(chain(UPSTREAM.messages, *(dialect.rows for dialect in DIALECTS)))


def detect_dialects(records: Iterable[Record]) -> dict[int, Verdict]:
    """The verdict for each connection after these records."""
    detectors: dict[int, Detector] = {}
    for record in records:
        detectors.setdefault(record.connection, Detector()).see(record)
    return {connection: detector.verdict for connection, detector in detectors.items()}
