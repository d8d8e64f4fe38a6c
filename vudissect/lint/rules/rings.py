"""VU-VRG: rules about single messages for a ring.

For how rings run see `ring_runs`, for where they are in memory `ring_addresses`.
"""

from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.hang import left_by
from vudissect.lint.memory import FrameOfRing, memory
from vudissect.lint.positions import HALF, halves, is_beginning, is_packed, position_text
from vudissect.lint.rule import SPEC, Findings, RuleBook, ending, messages, replies, requests
from vudissect.lint.words import count_text
from vudissect.protocol.devices import device_by_name
from vudissect.protocol.model import Device, Side
from vudissect.protocol.programs import DPDK, room_of
from vudissect.protocol.purpose import Purpose
from vudissect.session.rings import Ring, Started

RULES = RuleBook()

_NET = device_by_name("net")
_MOST_ENTRIES = 32768

_IN_BAND = "INBAND_NOTIFICATIONS"

_NAMES_A_RING = (
    Purpose.SET_RING_SIZE,
    Purpose.SET_RING_ADDRESSES,
    Purpose.SET_RING_BASE,
    Purpose.STOP_RING,
    Purpose.SET_KICK,
    Purpose.SET_CALL,
    Purpose.SET_ERR,
    Purpose.ENABLE_RING,
)


def _ring(at: At) -> Ring | None:
    """The ring that the message is about."""
    return at.after.rings.get(at.fields.get("index", -1))


def _is_split(at: At) -> bool:
    """Whether rings are known to be split."""
    return at.after.features.acked is not None and not is_packed(at.after)


def _queues_of(device: Device) -> int:
    """The number of queues that every device of this type has; 0 if it varies."""
    return 0 if any(name.endswith("*") for name in device.queues) else len(device.queues)


@memory
class _Beyond:
    """The first ring past the number of queues, unless queues are pairs, and its frame; 0 for none."""

    index: int = 0
    frame: int = 0


@RULES.rule(
    "VU-VRG-01",
    Severity.ERROR,
    "the index of a ring is below the number of queues of the back-end (queue pairs, for a network device)",
    f"{SPEC}, GET_QUEUE_NUM",
    requests(*_NAMES_A_RING) | ending(),
    remembers=_Beyond,
)
def index_in_range(at: At[_Beyond]) -> Findings:
    announced, device = at.after.queues, at.after.guess.device
    if announced is None:
        return
    if at.over:
        # An unknown device may count pairs, but an odd number of rings cannot be pairs.
        if device is None and at.memory.frame and len(at.after.rings) % 2:
            yield at.finding(_beyond(at.memory.index, announced), Blame.FRONT_END, frame=at.memory.frame)
        return
    index = at.fields.get("index", 0)
    if index < announced or (device in (None, _NET) and index <= 2 * announced):
        if index >= announced and not at.memory.frame:
            at.memory.index, at.memory.frame = index, at.frame
    elif at.first(index):
        if device is not None and announced <= index < (queues := _queues_of(device)):
            has = f"a {device.name} device has {count_text(queues, 'queue')} ({', '.join(device.queues)})"
            yield at.finding(f"{has}, but the back-end announced {announced}; ring {index} is used", Blame.BACK_END)
        else:
            yield at.finding(_beyond(index, announced))


def _beyond(index: int, announced: int) -> str:
    return f"ring {index} is used, but the back-end announced {count_text(announced, 'queue')}"


@RULES.rule(
    "VU-VRG-02",
    Severity.ERROR,
    f"a ring has 1 to {_MOST_ENTRIES} entries, and a power of two unless it is packed",
    "virtio specification, Virtqueues; VPP closes the socket",
    requests(Purpose.SET_RING_SIZE),
)
def ring_size(at: At) -> Findings:
    size = at.fields.get("num", 1)
    if not 0 < size <= _MOST_ENTRIES:
        yield at.finding(f"ring {at.fields['index']} has {size} entries, but only 1 to {_MOST_ENTRIES} are valid")
    elif size & (size - 1) and _is_split(at):
        yield at.finding(
            f"ring {at.fields['index']} has {size} entries; the size of a split ring must be a power of two"
        )


@RULES.rule(
    "VU-VRG-03",
    Severity.ERROR,
    "a ring is enabled with 1 and disabled with 0",
    f"{SPEC}, SET_VRING_ENABLE; rust-vmm refuses other values",
    requests(Purpose.ENABLE_RING),
)
def enable_value(at: At) -> Findings:
    if at.fields.get("num", 0) > 1:
        yield at.finding(f"ring {at.fields['index']} is enabled with {at.fields['num']}; only 0 and 1 are defined")


@RULES.rule(
    "VU-VRG-04",
    Severity.ERROR,
    "a ring has its size, addresses and base before it is started",
    f"{SPEC}, Ring states; DPDK and rust-vmm depend on it",
    requests(Purpose.SET_KICK),
)
def configured_before_start(at: At) -> Findings:
    ring = _ring(at)
    if ring is None or not at.after.whole:
        return
    parts = {"size": ring.size, "addresses": ring.addresses, "base": ring.base}
    missing = [what for what, value in parts.items() if value is None]
    if missing and at.first(ring.index):
        yield at.finding(f"ring {ring.index} is started without its {', '.join(missing)}")


@RULES.rule(
    "VU-VRG-06",
    Severity.WARNING,
    "the base of a split ring is a 16-bit index",
    f"{SPEC}, Vring descriptor indices for split virtqueues",
    requests(Purpose.SET_RING_BASE),
)
def split_base(at: At) -> Findings:
    base, ring = at.fields.get("num", 0), _ring(at)
    if base > HALF and _is_split(at):
        given = ring is not None and ring.stopped_at == base
        yield at.finding(
            f"ring {at.fields['index']} is split, but its base {base:#x} has more than 16 bits"
            + (", as the back-end answered when it stopped" if given else ""),
            Blame.BACK_END if given else Blame.FRONT_END,
        )


@RULES.rule(
    "VU-VRG-07",
    Severity.WARNING,
    "a ring continues where the back-end reported that it stopped, or starts from the beginning",
    f"{SPEC}, SET_VRING_BASE; DPDK reports only the avail half of a packed ring",
    replies(Purpose.STOP_RING) | requests(Purpose.SET_RING_BASE),
    remembers=FrameOfRing,
)
def base_goes_on(at: At[FrameOfRing]) -> Findings:
    ring, base = _ring(at), at.fields.get("num", 0)
    if ring is None:
        return
    if at.message.reply:
        at.memory.frames[ring.index] = at.frame
        return
    stopped_at = ring.stopped_at
    if stopped_at is None or stopped_at == base or is_beginning(at.after, base):
        return
    halved = is_packed(at.after) and stopped_at == halves(base)[0]
    yield at.finding(
        f"ring {ring.index} stopped at {position_text(at.after, stopped_at)}, "
        f"but continues at {position_text(at.after, base)}"
        + ("; the back-end did not report its used index" if halved else ""),
        Blame.BACK_END if halved else Blame.FRONT_END,
        frames=(at.memory.frames[ring.index],) if ring.index in at.memory.frames else (),
    )


@RULES.rule(
    "VU-VRG-08",
    Severity.WARNING,
    "a request for the base of a ring has num 0",
    f"{SPEC}, GET_VRING_BASE",
    requests(Purpose.STOP_RING),
)
def asked_base(at: At) -> Findings:
    number = at.fields.get("num", 0)
    if number == 1 and at.after.has("GET_VRING_BASE_INFLIGHT") and at.first():
        yield at.finding(
            f"{at.name} of ring {at.fields['index']} has num 1, which means 'without draining' to yc-libvhost-server "
            "in 2026 (dialect yandex-skip-drain); for all others it must be 0",
            severity=Severity.COMPAT,
        )
    elif number and at.first():
        # virtio_user leaves what was on its stack in it.
        known = room_of(at.after.programs[Side.FRONT_END], Side.FRONT_END) is DPDK
        yield at.finding(
            f"{at.name} of ring {at.fields['index']} has num {number}; it must be 0"
            + (" (DPDK's virtio_user does not set it; known back-ends ignore it)" if known else ""),
            severity=Severity.COMPAT if known else None,
        )


@RULES.rule(
    "VU-VRG-11",
    Severity.INFO,
    "a ring that starts at a position other than 0 does not stop at 0",
    "rust-vmm vhost PR 154: the base was reset before it was reported, so the device is dead after a suspend",
    requests(Purpose.SET_RING_BASE) | replies(Purpose.STOP_RING),
    remembers=FrameOfRing,
)
def lost_base(at: At[FrameOfRing]) -> Findings:
    ring = _ring(at)
    if ring is None:
        return
    if not at.message.reply:
        at.memory.frames[ring.index] = at.frame
        return
    started = ring.slots[Purpose.SET_KICK].epoch
    if ring.stopped_at == 0 and ring.base and started and not is_beginning(at.after, ring.base):
        set_in = at.memory.frames.get(ring.index)
        yield at.finding(
            f"ring {ring.index} started at {position_text(at.after, ring.base)} and is reported to have stopped at 0: "
            "the back-end lost its position, and old entries in the ring will be treated as new",
            frames=(set_in,) if set_in is not None else (),
        )


@RULES.rule(
    "VU-VRG-13",
    Severity.INFO,
    "every ring has a kick descriptor of its own",
    f"{SPEC}, SET_VRING_KICK",
    requests(Purpose.SET_KICK),
)
def shared_kick(at: At) -> Findings:
    ring = _ring(at)
    name = ring.kick if ring is not None else ""
    others = at.after.rings.kicks.get(name, 0) - (ring is not None and ring.started is Started.STARTED)
    if ring is None or not name or others < 1:
        return
    for other in at.after.rings.values():
        slot = other.slots[Purpose.SET_KICK]
        if other is not ring and slot.name == name and other.started is Started.STARTED:
            yield at.finding(
                f"rings {other.index} and {ring.index} share the kick descriptor {name}: a kick of one wakes both",
                frames=(slot.frame,),
            )
            return


@RULES.rule(
    "VU-VRG-14",
    Severity.ERROR,
    "rings are kicked and called by message only with INBAND_NOTIFICATIONS",
    f"{SPEC}, In-band notifications",
    messages(lambda row, reply: not reply and _IN_BAND in row.gate.protocol),
)
def in_band_descriptors(at: At) -> Findings:
    # VU-NEG-08 is about descriptors that are passed although it is negotiated, VU-INB-01 about using both.
    if at.after.lacks(_IN_BAND) and at.first(at.name):
        yield at.finding(
            f"{at.name} is sent for ring {at.fields.get('index', '?')}, but {_IN_BAND} is not negotiated: the receiver "
            "need not know this message"
        )


@memory
class _Early:
    """The last message before the features, as text, and its frame; 0 for none."""

    what: str = ""
    frame: int = 0


@RULES.rule(
    "VU-VRG-15",
    Severity.INFO,
    "a back-end accepts call and err descriptors before the features",
    "QEMU has always sent call descriptors this early, and since 7.1 (ae50ae0b91) err descriptors too",
    requests(Purpose.SET_CALL, Purpose.SET_ERR) | ending(),
    remembers=_Early,
)
def before_features(at: At[_Early]) -> Findings:
    # Every session with QEMU has it. It matters only if the back-end may have closed the connection because of it.
    if not at.over:
        if at.after.whole and at.after.features.acked is None:
            at.memory.what, at.memory.frame = f"{at.name} of ring {at.fields.get('index', '?')}", at.frame
    elif at.memory.frame and at.after.features.acked is None and left_by(at) == Side.BACK_END.label:
        yield at.finding(
            f"the back-end closed the connection after {at.memory.what} and before any features were acknowledged: it "
            "must accept this message that early",
            Blame.BACK_END,
            frame=at.memory.frame,
            severity=Severity.ERROR,
        )
