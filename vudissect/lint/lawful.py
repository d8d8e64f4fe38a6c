"""What is unusual in a message that breaks no rule: valid content that receivers are known, or likely, to refuse.

A back-end that closes the connection gives no reason. The last message that it received is often correct but
unexpected: an option, an unannounced limit, a repeated or reordered step, a missing optional feature. `remarks` has a
sentence for each of them, which a rule appends to the message that it names.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from vudissect.lint.finding import Blame, Finding, Severity
from vudissect.lint.words import count_text, fields_of
from vudissect.protocol.devices import device_by_name
from vudissect.protocol.features import F_VERSION_1
from vudissect.protocol.purpose import Purpose
from vudissect.session.event import MessageEvent
from vudissect.session.rings import Started
from vudissect.session.state import State
from vudissect.wire.fields import Fields

_NET = device_by_name("net")
_NET_MQ = _NET.features.mask("MQ") if _NET is not None else 0

# Back-ends with their own limit have this one or a smaller one.
_USUAL_ENTRIES = 1024
_USUAL_QUEUES = 256


def lawfulness(event: MessageEvent, findings: list[Finding]) -> str:
    """Whether a message was correct, as a clause after its name; `findings` are those about its frame."""
    against = is_against_sender(findings)
    if against:
        return f"; the reason may be {against} on this message"
    unusual = list(remarks(event, event.before))
    return f"; it breaks no rule{', but: ' + '; '.join(unusual) if unusual else ''}"


def is_against_sender(findings: list[Finding]) -> str:
    """The first rule that a message of the front-end breaks; "" if it is correct."""
    against = (each.rule for each in findings if each.blame is Blame.FRONT_END and each.severity is not Severity.INFO)
    return next(against, "")


def remarks(event: MessageEvent, state: State) -> Iterator[str]:
    """What is unusual about a message, given the state before it; usually nothing."""
    message = event.message
    if not message.fits:
        return
    layout = message.layout
    if layout.deviation:
        yield f"its payload of {message.size} bytes is not in the specified form ({layout.deviation})"
    elif layout.note and len(message.row.request) > 1 and not message.reply:
        yield f"its payload of {message.size} bytes is in one of several forms ({layout.note})"
    find = _UNUSUAL.get(message.row.purpose)
    if find is not None and not message.reply:
        yield from find(state, fields_of(event))


def _features(state: State, fields: Fields) -> Iterator[str]:
    word, offered = fields.get("features", 0), state.features.offered or 0
    if state.features.acked is not None:
        yield (
            f"features are set again, first in #{state.features.acked_in}: a driver negotiates again after a reset; "
            "daemons on rust-vmm refused it before eea92c6"
        )
    if offered & F_VERSION_1 and not word & F_VERSION_1:
        yield (
            "it omits VERSION_1, as an old driver does; libvhost-user, daemons on rust-vmm and passt serve only new "
            "drivers"
        )
    others = [index for index in state.rings if index >= 2]
    if state.guess.device is _NET and offered & _NET_MQ and not word & _NET_MQ and others:
        yield (
            f"it omits MQ although ring{'s' * (len(others) > 1)} {', '.join(map(str, others[:4]))} "
            f"{'were' if len(others) > 1 else 'was'} used: the driver uses one pair; DPDK 23.03-rc hung here (bug 1196)"
        )


def _no_call(state: State, fields: Fields) -> Iterator[str]:
    if fields.get("nofd"):
        yield (
            "a driver that polls needs no call descriptor; DPDK 19.11-rc and releases with its fix for CVE-2019-14818 "
            "refuse this"
        )


def _no_kick(state: State, fields: Fields) -> Iterator[str]:
    if fields.get("nofd"):
        yield "a ring without a kick descriptor is polled, which many back-ends cannot do"


def _err(state: State, fields: Fields) -> Iterator[str]:
    early = " before any features are acknowledged" if state.features.acked is None else ""
    yield f"it sets the err descriptor{early}, as QEMU does since 7.1; snabb does not know the message"


def _size(state: State, fields: Fields) -> Iterator[str]:
    if fields.get("num", 0) > _USUAL_ENTRIES:
        yield f"{fields['num']} entries are more than the {_USUAL_ENTRIES} that many back-ends support"


def _stop(state: State, fields: Fields) -> Iterator[str]:
    ring = state.rings.get(fields.get("index", -1))
    if ring is None:
        yield (
            f"no earlier message names ring {fields.get('index')} on this connection; a back-end that allocates its "
            "rings when they are first named has none to stop (DPDK 21.02 to 21.05 crash)"
        )
    elif ring.started is Started.STOPPED:
        yield f"ring {ring.index} is not started"


def _enable(state: State, fields: Fields) -> Iterator[str]:
    ring = state.rings.get(fields.get("index", -1))
    if ring is None or ring.addresses is None or ring.size is None:
        yield f"ring {fields.get('index')} is not set up yet, which the specification allows"


def _table(state: State, fields: Fields) -> Iterator[str]:
    if state.rings.started:
        yield "it replaces the memory while rings are started: a back-end must map the new memory and continue"
    elif state.memory.regions:
        yield f"it replaces the memory of #{state.memory.changed_in}"
    number = fields.get("nregions", 0)
    if number > 1:
        yield f"it has {count_text(number, 'region')}"


def _region(state: State, fields: Fields) -> Iterator[str]:
    yield f"it adds a region to {len(state.memory.regions)} existing ones"


def _read_config(state: State, fields: Fields) -> Iterator[str]:
    device = state.guess.device
    size, offset = fields.get("size", 0), fields.get("offset", 0)
    if device is not None and device.config.size is not None and offset + size > device.config.size:
        yield f"it asks for {offset + size} bytes, but the configuration of {device.name} has {device.config.size}"
    elif offset:
        yield f"it asks for part of the configuration, from offset {offset}"


def _write_config(state: State, fields: Fields) -> Iterator[str]:
    yield "the driver writes its configuration, which not every back-end allows"


def _inflight(state: State, fields: Fields) -> Iterator[str]:
    if fields.get("num_queues", 0) > min(state.queues or _USUAL_QUEUES, _USUAL_QUEUES):
        yield f"it is about {count_text(fields['num_queues'], 'queue')}"
    if state.features.acked is None:
        yield "no features are acknowledged yet"


def _log(state: State, fields: Fields) -> Iterator[str]:
    if state.log is not None:
        yield f"it replaces the log of #{state.log.frame}, which is needed after memory is plugged in"


def _status(state: State, fields: Fields) -> Iterator[str]:
    if fields.get("status") == 0:
        yield "status 0 resets the device"


def _channel(state: State, fields: Fields) -> Iterator[str]:
    yield "it carries the socket of another channel, which a sandboxed back-end may not be allowed to receive"


_UNUSUAL: Mapping[Purpose, Callable[[State, Fields], Iterator[str]]] = MappingProxyType(
    {
        Purpose.ACK_FEATURES: _features,
        Purpose.SET_CALL: _no_call,
        Purpose.SET_KICK: _no_kick,
        Purpose.SET_ERR: _err,
        Purpose.SET_RING_SIZE: _size,
        Purpose.STOP_RING: _stop,
        Purpose.ENABLE_RING: _enable,
        Purpose.REPLACE_MEMORY: _table,
        Purpose.ADD_MEMORY: _region,
        Purpose.READ_CONFIG: _read_config,
        Purpose.WRITE_CONFIG: _write_config,
        Purpose.OFFER_INFLIGHT: _inflight,
        Purpose.SET_INFLIGHT: _inflight,
        Purpose.SET_LOG: _log,
        Purpose.SET_STATUS: _status,
        Purpose.OPEN_CHANNEL: _channel,
    }
)
