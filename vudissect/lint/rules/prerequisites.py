"""VU-NEG-06, 08 to 10, 12 and 16: the features that messages and other features depend on."""

from vudissect.lint.at import At
from vudissect.lint.finding import Severity
from vudissect.lint.gates import lacking
from vudissect.lint.rule import SPEC, Findings, RuleBook, messages, requests
from vudissect.protocol.model import Channel, Gate, PhaseNeeded, Row
from vudissect.protocol.purpose import Purpose

RULES = RuleBook()

# Features of drafts for back-ends whose front-end does not know the device.
_STANDALONE = ("PROBE", "STANDALONE")

# Messages whose missing features have more specific rules.
_TOLD_ELSEWHERE = frozenset(
    {
        Purpose.OFFER_PROTOCOL_FEATURES,  # VU-NEG-03
        Purpose.ACK_PROTOCOL_FEATURES,
        Purpose.UPDATE_IOTLB,  # VU-IOT-01
        Purpose.READ_CONFIG,  # VU-CFG-01
        Purpose.CHANGE_CONFIG,  # VU-CFG-06
        Purpose.MAP_SHARED_MEMORY,  # VU-SHM-01
        Purpose.UNMAP_SHARED_MEMORY,
    }
)
_IN_BAND = "INBAND_NOTIFICATIONS"  # VU-VRG-14
# What the back-end channel itself needs: VU-NEG-16.
_CHANNEL = "BACKEND_REQ"
_CHANNEL_FDS = "BACKEND_SEND_FD"


def is_gated(row: Row, reply: bool) -> bool:
    """Whether VU-NEG-06 is about a message: a request with a gate that no other rule checks."""
    if reply or row.channel is Channel.GPU or row.purpose in _TOLD_ELSEWHERE:
        return False
    return bool(row.gate.protocol or row.gate.virtio) and _IN_BAND not in row.gate.protocol


@RULES.rule(
    "VU-NEG-06",
    Severity.ERROR,
    "a message is sent only with the features that it needs",
    f"{SPEC}, message descriptions",
    messages(is_gated),
)
def gated(at: At) -> Findings:
    row = at.message.row
    lack = lacking(at.after, _own_gate(at, row))
    if lack is not None and at.first(row):
        yield at.finding(
            f"{at.name} is sent although {lack.text}: its receiver may refuse it or not know it", frames=lack.frames
        )


def _own_gate(at: At, row: Row) -> Gate:
    """The gate of a message without the gate of its channel, and only with what can be required already."""
    gate = row.gate
    if row.channel is Channel.BACKEND:
        gate = gate._replace(protocol=tuple(name for name in gate.protocol if name not in (_CHANNEL, _CHANNEL_FDS)))
    if gate.virtio and at.after.features.acked is None:
        # QEMU enables the rings of a network device before it acknowledges features, and every back-end accepts it.
        gate = gate._replace(phase=PhaseNeeded.OFFERED)
    return gate


@RULES.rule(
    "VU-NEG-08",
    Severity.ERROR,
    "a front-end acknowledges INBAND_NOTIFICATIONS and XEN_MMAP only if it implements them",
    "QEMU acknowledges every bit that it has a name for and implements neither",
    requests(Purpose.SET_KICK, Purpose.REPLACE_MEMORY, Purpose.ADD_MEMORY),
)
def acknowledged_in_vain(at: At) -> Findings:
    acked_in = at.after.protocol_features.acked_in
    if at.message.row.purpose is Purpose.SET_KICK:
        feature, wrong = _IN_BAND, at.fields.get("nofd") == 0
        instead = f"passes an eventfd for ring {at.fields.get('index')}"
    else:
        feature = "XEN_MMAP"
        regions = at.fields.get("regions", [at.fields])
        wrong = any("guest_addr" in region and "domid" not in region for region in regions)
        instead = "describes memory without the fields of Xen"
    if wrong and at.after.has(feature) and at.first(feature):
        yield at.finding(
            f"the front-end acknowledged {feature} in #{acked_in}, but {at.name} {instead}: "
            "a back-end that relies on the acknowledgement misreads it",
            frames=(acked_in,),
        )


@RULES.rule(
    "VU-NEG-09",
    Severity.WARNING,
    "INBAND_NOTIFICATIONS comes with BACKEND_REQ and REPLY_ACK",
    f"{SPEC}, In-band notifications; libvhost-user aborts without them",
    requests(Purpose.ACK_PROTOCOL_FEATURES),
)
def in_band_alone(at: At) -> Findings:
    yield from _needs(at, _IN_BAND, _CHANNEL, "REPLY_ACK")


@RULES.rule(
    "VU-NEG-10",
    Severity.ERROR,
    "GET_VRING_BASE_INFLIGHT comes with INFLIGHT_SHMFD",
    f"{SPEC}, Protocol features (QEMU e0822e6085)",
    requests(Purpose.ACK_PROTOCOL_FEATURES),
)
def inflight_alone(at: At) -> Findings:
    yield from _needs(at, "GET_VRING_BASE_INFLIGHT", "INFLIGHT_SHMFD")


def _needs(at: At, feature: str, *others: str) -> Findings:
    """A finding if a protocol feature is acknowledged without others that it needs."""
    bits, word = at.after.protocol.protocol_features, at.fields.get("features", 0)
    missing = [name for name in others if not word & bits.known(name)]
    if word & bits.known(feature) and missing:
        yield at.finding(f"{at.name} acknowledges {feature} without {' and '.join(missing)}, which it needs")


@RULES.rule(
    "VU-NEG-12",
    Severity.WARNING,
    "a back-end whose front-end does not know its device offers STATUS; the features for such back-ends are drafts",
    "qemu-devel mailing list, 2023: STANDALONE and PROBE, never merged",
    requests(Purpose.ACK_PROTOCOL_FEATURES),
)
def standalone(at: At) -> Findings:
    bits, word = at.after.protocol.protocol_features, at.fields.get("features", 0)
    for name in _STANDALONE:
        if word & bits.known(name):
            status = "" if word & bits.known("STATUS") else ", and without STATUS, which that draft requires"
            yield at.finding(f"{at.name} acknowledges {name}, which exists only in a draft{status}")


@RULES.rule(
    "VU-NEG-16",
    Severity.ERROR,
    "the back-end channel is used only with BACKEND_REQ, and carries descriptors only with BACKEND_SEND_FD",
    f"{SPEC}, Back-end communication",
    messages(lambda row, reply: not reply and row.known and _uses_channel(row)),
)
def channel_features(at: At) -> Findings:
    missing = [_CHANNEL] if at.after.lacks(_CHANNEL) else []
    if at.event.descriptors and at.after.lacks(_CHANNEL_FDS):
        missing.append(_CHANNEL_FDS)
    if missing and at.first((at.message.row, *missing)):
        what = f"{at.name} with {at.event.descriptors[0].name}" if at.event.descriptors else at.name
        verb = "was" if len(missing) == 1 else "were"
        yield at.finding(f"{what} is sent on the back-end channel, but {' and '.join(missing)} {verb} not negotiated")


def _uses_channel(row: Row) -> bool:
    return row.channel is Channel.BACKEND and row.purpose not in (Purpose.UPDATE_IOTLB, Purpose.CHANGE_CONFIG)
