"""VU-DRF: drafts and forks, and numbers that were assigned twice.

The general rules check answers, needed features and header versions in the dialect of the connection.
"""

from collections.abc import Iterator
from functools import cache

from vudissect.capture.record import Mark, Record
from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.memory import memory
from vudissect.lint.rule import SPEC, Findings, RuleBook, Trigger, irregular, messages, replies, requests
from vudissect.lint.words import count_text
from vudissect.protocol.dialects import DIALECTS, dialect_by_name
from vudissect.protocol.dialects.dialect import Dialect
from vudissect.protocol.dialects.drafts import MST_2015
from vudissect.protocol.model import Channel, PhaseNeeded, Row
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.table import UPSTREAM
from vudissect.session.event import Kind
from vudissect.wire.codec import Codec
from vudissect.wire.header import HEADER_SIZE, VERSION_MASK, ByteOrder

RULES = RuleBook()

_MST = "qemu-devel mailing list, 2015: vhost-user protocol extensions, never merged"
_PROBE = "virtio-comment mailing list, 2023-09-01: PROBE; qemu-devel mailing list, 2023-07-04: STANDALONE; never merged"
_SLAVE = "qemu-devel mailing list, 2017-04-11: spec/vhost-user: Introduce secondary channel"
_CONTESTED = f"{SPEC} against drafts and forks (docs/dialects.md)"

_ROWS_OF_2015 = frozenset(MST_2015.protocol.messages)
_RESET = next(row for row in UPSTREAM.messages if row.purpose is Purpose.RESET)
_DEVICE_IDS = range(1, 64)
_PROBING = ("PROBE", "STANDALONE")
_MOST_MEANINGS = 3


def _tells(field: str) -> Trigger:
    """For answers that may have this field."""
    return messages(
        lambda row, reply: reply and any(each.name == field for layout in row.reply for each in layout.fields)
    )


@memory
class _Least:
    """The least number of queues that the device needs, and the frame that announced it."""

    queues: int = 0
    frame: int = 0


@RULES.rule(
    "VU-DRF-01",
    Severity.ERROR,
    "a device does not need more queues than it has",
    _PROBE,
    _tells("min_vqs") | replies(Purpose.COUNT_QUEUES),
    remembers=_Least,
)
def fewest_queues(at: At[_Least]) -> Findings:
    if "min_vqs" in at.fields:
        at.memory.queues, at.memory.frame = at.fields["min_vqs"], at.frame
    least, frame = at.memory.queues, at.memory.frame
    most = at.fields.get("max_vqs", at.after.queues)
    if most is not None and least > most and at.first():
        yield at.finding(
            f"the device needs at least {count_text(least, 'queue')}, but the back-end supports {most}",
            Blame.BACK_END,
            frames=(frame,) if frame != at.frame else (),
        )


@RULES.rule(
    "VU-DRF-02",
    Severity.ERROR,
    "a back-end announces a device id that virtio defines, and the size of its configuration space if it has one",
    _PROBE,
    _tells("device_id") | _tells("config_size"),
)
def what_it_is(at: At) -> Findings:
    features = at.after.protocol_features
    if at.fields.get("config_size") == 0 and at.after.offers("CONFIG"):
        yield at.finding(
            "the configuration space has 0 bytes, but CONFIG is offered: no device has one without the other",
            frames=(features.offered_in,),
        )
    number = at.fields.get("device_id")
    if number is not None and number not in _DEVICE_IDS:
        yield at.finding(
            f"device id {number} is not defined by virtio, whose ids are {_DEVICE_IDS[0]} to {_DEVICE_IDS[-1]}"
        )


@RULES.rule(
    "VU-DRF-03",
    Severity.ERROR,
    "a back-end that describes itself also offers STATUS, and CONFIG if it has a configuration space",
    _PROBE,
    replies(Purpose.OFFER_PROTOCOL_FEATURES) | _tells("config_size"),
)
def works_alone(at: At) -> Findings:
    features = at.after.protocol_features
    names = " ".join(filter(at.after.offers, _PROBING))
    if not names:
        return
    if not at.after.offers("STATUS") and at.first("status"):
        yield at.finding(
            f"{names} is offered without STATUS: a front-end that does not know the device cannot start it"
        )
    if at.fields.get("config_size") and not at.after.offers("CONFIG") and at.first("config"):
        yield at.finding(
            f"{names} is offered without CONFIG, but the configuration space has "
            f"{count_text(at.fields['config_size'], 'byte')}",
            frames=(features.offered_in,),
        )


@RULES.rule(
    "VU-DRF-04",
    Severity.ERROR,
    "messages of the 2015 draft have header version 2, the running state is 0 or 1, and a failure returns the request",
    _MST,
    messages(lambda row, _: row in _ROWS_OF_2015),
)
def draft_of_2015(at: At) -> Findings:
    message, row = at.message, at.message.row
    if row.version > 1:
        version = message.flags & VERSION_MASK
        if version < row.version and not message.reply:
            yield at.finding(f"{at.name} does not exist in header version {version}, only from {row.version} on")
        if at.fields.get("num", 0) > 1:
            yield at.finding(
                f"ring {at.fields['index']} has the running state {at.fields['num']}; only 0 and 1 are defined"
            )
    if message.error and at.event.request is not None:
        asked = at.event.request.frame
        request = next((event for event in at.recent(at.event.record.channel) if event.record.frame == asked), None)
        if request is not None and not _are_alike(request.record, at.event.record):
            yield at.finding(
                f"{at.name} failed, but the answer does not return the request of #{asked}", frames=(asked,)
            )


def _are_alike(request: Record, answer: Record) -> bool:
    """Whether two messages have the same payload, up to what is remembered of it."""
    known = slice(HEADER_SIZE, len(request.data))
    return request.length == answer.length and request.data[known] == answer.data[known]


@RULES.rule(
    "VU-DRF-05",
    Severity.WARNING,
    "the back-end channel is opened once its feature is acknowledged",
    _SLAVE,
    messages(lambda row, reply: not reply and row.opens is Channel.BACKEND and row.gate.phase is PhaseNeeded.OFFERED),
)
def opened_on_offer(at: At) -> Findings:
    features = at.after.protocol_features
    names = at.message.row.gate.protocol
    if features.acked is not None and not all(map(at.after.has, names)):
        yield at.finding(
            f"{at.name} is sent although {' '.join(names)} was not acknowledged: the draft needs only the offer, the "
            "merged specification needs the acknowledgement",
            frames=(features.acked_in,),
        )


def _known_user(at: At) -> Blame | None:
    """The side whose program is known to use the dialect in effect, if the other's is not."""
    dialect = dialect_by_name(at.after.protocol.key)
    if dialect is None or not dialect.programs:
        return None
    uses = [command.startswith(dialect.programs) for command in at.after.programs]
    if uses[0] == uses[1]:
        return None
    return Blame.FRONT_END if uses[0] else Blame.BACK_END


@RULES.rule(
    "VU-DRF-06",
    Severity.INFO,
    "a message number means the same to both sides",
    _CONTESTED,
    requests(Purpose.DISABLE_RINGS, Purpose.HALT_RINGS) | messages(lambda row, _: _is_not_upstream(row)) | irregular(),
)
def contested_number(at: At) -> Findings:
    row = at.message.row
    if not row.known:
        return
    if row.purpose in (Purpose.DISABLE_RINGS, Purpose.HALT_RINGS) and not at.message.reply and at.first(row.id):
        yield from _of_many_meanings(at)
    elif _is_not_upstream(row) and at.message.reply is bool(row.reply):
        if at.first((row.id, "dialect")):
            yield from _of_a_dialect(at, row)
    elif at.event.kind is Kind.MALFORMED and not at.message.fits:
        yield from _fitting_elsewhere(at, row)


def _of_many_meanings(at: At) -> Findings:
    names = _RESET.gate.protocol
    state = "in effect" if all(map(at.after.has, names)) else "offered" if at.after.offers(*names) else "not offered"
    yield at.finding(
        f"{at.name} has had four meanings: end of the session, reset of the device, stop of one queue pair, all "
        f"rings disabled; back-ends do one of them or nothing; {_RESET.name}, which is unambiguous, is {state}"
    )


def _of_a_dialect(at: At, row: Row) -> Findings:
    """A message whose number is published for another one."""
    published, user = UPSTREAM.request(row.channel, row.id), _known_user(at)
    assert published is not None
    yield at.finding(
        f"{row.channel.label} message {row.id} is {row.name} in {at.after.protocol.key}, but {published.name} in the "
        "specification" + (f", and only the {user.value} is known to use that dialect" if user else ""),
        user or Blame.UNKNOWN,
        frames=_asked_in(at),
        severity=Severity.WARNING if user else None,
    )


def _fitting_elsewhere(at: At, row: Row) -> Findings:
    """A message that has none of the forms that its number has in this dialect."""
    message, meanings = at.message, _other_meanings(at)
    if meanings and at.first((row.id, message.reply, message.size)):
        what = "answer" if message.reply else "message"
        others = " or ".join(f"{other.name} in {dialect.key}" for dialect, other in meanings)
        yield at.finding(
            f"this {what} of {count_text(message.size, 'byte')} is not a valid {row.name}, but number {row.id} is also "
            f"{others}, where it is a valid {what}",
            frames=_asked_in(at),
            severity=Severity.WARNING,
        )


def _asked_in(at: At) -> tuple[int, ...]:
    return (at.event.request.frame,) if at.event.request is not None else ()


def _is_not_upstream(row: Row) -> bool:
    published = UPSTREAM.request(row.channel, row.id)
    return published is not None and _is_another(row, published)


def _is_another(row: Row, published: Row) -> bool:
    return row.name != published.name and published.name not in row.aliases


def _other_meanings(at: At) -> list[tuple[Dialect, Row]]:
    """The meanings that other dialects give to a message that fits none of its layouts here, one per name."""
    record, found = at.event.record, dict[str, tuple[Dialect, Row]]()
    order: ByteOrder = "big" if record.marks & Mark.BIG_ENDIAN else "little"
    for dialect, row in _namesakes(record.channel, at.message.id):
        if row.name not in found and row.name != at.message.row.name:
            message = _codec(dialect, order).decode(record.channel, record.sender, record.data, record.length)
            if not message.problem:
                found[row.name] = dialect, row
    return list(found.values())[:_MOST_MEANINGS]


@cache
def _namesakes(channel: Channel, number: int) -> tuple[tuple[Dialect, Row], ...]:
    """The rows that dialects have for a number that upstream uses differently, or not at all."""
    rows = ((dialect, dialect.protocol.request(channel, number)) for dialect in DIALECTS)
    return tuple((dialect, row) for dialect, row in rows if row is not None and row in dialect.changed)


@cache
def _codec(dialect: Dialect, order: ByteOrder) -> Codec:
    return Codec(dialect.protocol, order)


@cache
def _elsewhere(name: str) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """The other numbers that a published protocol feature has, and the dialects that use them."""
    right, found = UPSTREAM.protocol_features.numbers.get(name), dict[int, list[str]]()
    for dialect in DIALECTS:
        number = dialect.protocol.protocol_features.numbers.get(name)
        if number is not None and number != right and right is not None:
            found.setdefault(number, []).append(dialect.key)
    return tuple((number, tuple(keys)) for number, keys in found.items())


@RULES.rule(
    "VU-DRF-07",
    Severity.COMPAT,
    "both sides give a negotiated protocol feature bit the same meaning",
    _CONTESTED,
    messages(lambda row, reply: not reply and any(map(_elsewhere, row.gate.protocol))),
)
def misunderstood_feature(at: At) -> Findings:
    features = at.after.protocol_features
    for name in at.message.row.gate.protocol:
        if features.acked is None or features.has(UPSTREAM.protocol_features.known(name)):
            continue
        for number, dialects in _elsewhere(name):
            if features.acked & 1 << number and at.first((name, number)):
                published = UPSTREAM.protocol_features.names(1 << number)[0]
                right = UPSTREAM.protocol_features.numbers[name]
                where = " and ".join(dialects[:_MOST_MEANINGS])
                yield at.finding(
                    f"{at.name} needs {name} (bit {right}), which was not negotiated; but bit {number}, acknowledged "
                    f"as {published}, is {name} in {where}: the two sides give this bit different meanings",
                    frames=(features.acked_in,),
                )


@RULES.rule(
    "VU-DRF-08",
    Severity.INFO,
    "a vendor-specific message is sent only between programs of that vendor",
    _CONTESTED,
    messages(lambda row, _: not row.known),
)
def vendor_message(at: At) -> Findings:
    if at.message.reply or not at.first(at.message.id):
        return
    meanings = dict(_vendor_names(at.event.record.channel, at.message.id))
    if meanings:
        names = " or ".join(f"{name} in {key}" for name, key in list(meanings.items())[:_MOST_MEANINGS])
        yield at.finding(f"message {at.message.id} is not in the specification; it is {names}")


def _vendor_names(channel: Channel, number: int) -> Iterator[tuple[str, str]]:
    # The first dialect of a name represents those that are based on it.
    return ((row.name, dialect.key) for dialect, row in reversed(_namesakes(channel, number)))
