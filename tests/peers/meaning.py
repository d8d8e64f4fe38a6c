"""The contents of a capture, collected with the library in one pass, and tests for every healthy capture."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.peers.captures import path_of
from tests.peers.rings_seen import TOO_SHORT, rings_seen
from vudissect.analysis import Analysis, read
from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Mark, RecordKind
from vudissect.compare.captures import by_connection, compare_captures
from vudissect.host.descriptor import DescriptorKind
from vudissect.lint.finding import Finding, Severity
from vudissect.lint.linter import Linter
from vudissect.protocol.model import Channel, Descriptors, FdKind, Layout, Side
from vudissect.protocol.purpose import Purpose
from vudissect.render.diff import heading, sides
from vudissect.session.event import Event, Kind
from vudissect.session.session import Session
from vudissect.wire.fields import Fields, to_fields

# The kinds of descriptor in the table that the recorded programs use.
_KINDS = {
    FdKind.MEMORY: {DescriptorKind.MEMFD, DescriptorKind.FILE},
    FdKind.EVENT: {DescriptorKind.EVENTFD},
    FdKind.SOCKET: {DescriptorKind.SOCKET},
    FdKind.USERFAULTFD: {DescriptorKind.USERFAULTFD},
    FdKind.PIPE: {DescriptorKind.PIPE},
}
_MOST_EXCHANGES = 10_000
_LOSSES = Mark.DESCRIPTORS_LOST | Mark.CUT_SHORT | Mark.NOT_FORWARDED


@dataclass
class Meaning:
    """A capture in numbers; each list has a line for each fault and is empty for a healthy session."""

    connections: int = 0
    closed: int = 0
    messages: Counter[Channel] = field(default_factory=Counter)
    requests: Counter[tuple[Channel, str]] = field(default_factory=Counter)
    replies: int = 0
    descriptors: int = 0
    memory: int = 0  # the most bytes in all regions together
    device: str = ""
    config: bytes = b""  # the configuration space as last read
    positions: list[int] = field(default_factory=list)  # base positions of rings, in order
    opened: set[Channel] = field(default_factory=set)
    malformed: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    miscounted: list[str] = field(default_factory=list)
    misfits: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    faults: set[str] = field(default_factory=set)  # rules with errors or warnings: what `lint --strict` fails for

    @property
    def capacity(self) -> int:
        """Sectors of the disk; a block device's configuration begins with this number."""
        return int.from_bytes(self.config[:8], "little")


def meaning_of(capture: Path) -> Meaning:
    """Read a whole capture."""
    meaning = Meaning()
    session = Session()
    linter = Linter(session)
    findings: list[Finding] = []
    with open_capture(str(capture)) as stream:
        for event in session.events(read_capture(stream)):
            _add(meaning, event)
            findings += linter.check(event)
    findings += linter.finish()
    meaning.faults |= {finding.rule for finding in findings if finding.severity.rank <= Severity.WARNING.rank}
    meaning.unanswered += [f"frame {request.frame}: {request.row}" for request in session.unanswered()]
    return meaning


def differences(first: Path, second: Path) -> list[str]:
    """What is different between two captures, a line for each."""
    both = (
        by_connection((event for event, _ in Analysis(read(path), rules=())), _MOST_EXCHANGES)
        for path in (first, second)
    )
    return [
        f"{heading(each)}: {' | '.join(sides(each))}"
        for part in compare_captures(*both)
        for each in part.compared.distinctions
    ]


def _add(meaning: Meaning, event: Event) -> None:
    record, message = event.record, event.message
    where = f"frame {record.frame}"
    meaning.connections += record.kind is RecordKind.CONNECTION_OPENED
    meaning.closed += record.kind is RecordKind.CONNECTION_CLOSED
    meaning.unanswered += [f"frame {request.frame}: {request.row}" for request in event.unanswered]
    if record.kind is RecordKind.CHANNEL_OPENED:
        meaning.opened.add(record.channel)
    meaning.memory = max(meaning.memory, sum(region.size for region in event.after.memory.regions))
    if event.after.guess.device is not None:
        meaning.device = event.after.guess.device.name
    if record.kind is RecordKind.GAP or record.marks & _LOSSES:
        meaning.lost.append(f"{where}: {record.kind.name} {record.marks!r} {dict(record.details)}")
    if message is None:
        return
    meaning.messages[record.channel] += 1
    meaning.descriptors += len(event.descriptors)
    if event.kind is Kind.MALFORMED or not message.fits:
        meaning.malformed.append(f"{where}: {message.row or message.id}: {message.problem}")
        return
    fields = to_fields(message.layout, message.values)
    if message.reply:
        meaning.replies += 1
        if event.request is None:
            meaning.unasked.append(f"{where}: {message.row}")
        elif message.row.name == "GET_CONFIG":
            meaning.config = bytes.fromhex(fields["contents"])
    else:
        meaning.requests[record.channel, message.row.name] += 1
        if message.row.name == "SET_VRING_BASE":
            meaning.positions.append(fields["num"])
    rule = message.row.reply_fds if message.reply else message.row.fds
    if event.kind is Kind.ACK:
        rule = Descriptors()
    kinds = [named.descriptor.kind for named in event.descriptors]
    if len(kinds) not in _counts_allowed(rule, message.layout, fields):
        meaning.miscounted.append(f"{where}: {message.row} with {len(kinds)} descriptors")
    # What User-Mode Linux gives to be called by is a socket.
    is_uml = event.after.programs[Side.FRONT_END] == "linux.uml" and message.row.purpose is Purpose.SET_CALL
    if not _KINDS.get(rule.kind, set()).issuperset(kinds) and not is_uml:
        meaning.misfits.append(f"{where}: {message.row} with {kinds}")


def _counts_allowed(rule: Descriptors, layout: Layout, fields: Fields) -> range:
    """How many descriptors a message may carry according to the table."""
    if layout.bare:
        return range(1)
    if rule.per:
        return range(fields[rule.per], fields[rule.per] + 1)
    if rule.unless:
        count = 0 if fields[rule.unless] else rule.most
        return range(count, count + 1)
    return range(rule.least, rule.most + 1)


class WellFormedCapture:
    """Tests for every recording of real peers. A subclass needs a fixture `meaning`."""

    def test_no_message_is_malformed(self, meaning: Meaning) -> None:
        assert meaning.messages[Channel.MAIN] > 0
        assert meaning.malformed == []

    def test_every_request_that_needs_a_reply_has_one(self, meaning: Meaning) -> None:
        assert meaning.replies > 0
        assert meaning.unanswered == []

    def test_every_reply_answers_a_request(self, meaning: Meaning) -> None:
        assert meaning.replies > 0
        assert meaning.unasked == []

    def test_messages_carry_the_number_of_descriptors_in_the_table(self, meaning: Meaning) -> None:
        assert meaning.descriptors > 0
        assert meaning.miscounted == []

    def test_the_descriptors_have_the_kinds_in_the_table(self, meaning: Meaning) -> None:
        assert meaning.descriptors > 0
        assert meaning.misfits == []

    def test_nothing_was_lost(self, meaning: Meaning) -> None:
        assert meaning.lost == []


class HealthyCapture(WellFormedCapture):
    """Tests for every recording of peers that work."""

    capture: str
    connections: int = 1
    closed: int = 1
    faults: frozenset[str] = frozenset()  # rules that these peers are known to break

    def test_the_linter_finds_only_known_faults(self, meaning: Meaning) -> None:
        assert meaning.faults == self.faults

    def test_the_connections_are_opened_and_closed(self, meaning: Meaning) -> None:
        assert (meaning.connections, meaning.closed) == (self.connections, self.closed)

    def test_rings_are_read_only_if_wanted_and_are_healthy(self, recording: Path, *, rings_in_sight: bool) -> None:
        seen = rings_seen(recording)
        assert seen.any_was_read == rings_in_sight or self.capture in TOO_SHORT
        assert (seen.broken, seen.stalls) == (set(), [])

    def test_nothing_is_different_from_the_committed_capture(self, recording: Path) -> None:
        assert differences(path_of(self.capture), recording) == []
