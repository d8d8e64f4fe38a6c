"""Packed rings."""

from vudissect.check.model import Case

_PACKED = "virtio specification, Packed Virtqueues"
_STATES = "Ring states"
_BASE = "VHOST_USER_GET_VRING_BASE; Vring base index: for packed virtqueues 32 bits, with both wrap counters"
_SURVIVES = "no text: a driver's fault must not end a process that serves others"
_SETTLES = "The connection is closed, or the ring stops; the process lives, and does not spin."
_NEEDS = ("data", "RING_PACKED")


def _case(
    case: str,
    title: str,
    expected: str,
    section: str,
    talk: str,
    *features: str,
    rules: tuple[str, ...] = (),
    perhaps: tuple[str, ...] = (),
    size: str = "",
) -> Case:
    lines = [f"* negotiate with {' '.join(('RING_PACKED', *features))}", *([size] if size else []), "* memory"]
    return Case(
        case,
        title,
        expected,
        section,
        "\n".join([*lines, "* start", *talk.split("; ")]),
        rules=rules,
        needs=(*_NEEDS, *features),
        ours_perhaps=perhaps,
    )


def _broken(case: str, how: str, title: str) -> Case:
    return _case(
        case, title, _SETTLES, _SURVIVES, f"* request; * break the ring: {how}; * settled", rules=("VU-MEM-05",)
    )


CASES = (
    _case(
        "PKD-01", "one request", "It is done, answered rightly, and signalled.", f"{_PACKED}; {_STATES}", "* request"
    ),
    _case(
        "PKD-02",
        "GET_VRING_BASE after 3 requests, and on from there",
        "The ring goes on from the base that was answered.",
        _BASE,
        "* request 3; * restart at the base; * request",
        rules=("VU-VRG-07", "VU-VRG-11"),
    ),
    _case(
        "PKD-03",
        "GET_VRING_BASE after 3 requests",
        "The low half is the next place of the available ring, the high half that of the used ring, each with its wrap"
        " counter.",
        _BASE,
        "* request 3; * the base is where the driver is",
        rules=("VU-VRG-11",),
    ),
    _case(
        "PKD-04",
        "150 requests in a ring of 128",
        "All are done: both wrap counters turn.",
        f"{_PACKED}, Driver and Device Ring Wrap Counters",
        "* request 150",
    ),
    _case(
        "PKD-05",
        "150 requests, a stop, and on from there: the wrap counters have turned",
        "The base says so, and the ring goes on.",
        _BASE,
        "* request 150; * the base is where the driver is; * restart at the base; * request 2",
        rules=("VU-VRG-07", "VU-VRG-11"),
    ),
    _case(
        "PKD-06",
        "a ring of 100 entries",
        "It works: the size of a packed ring need not be a power of 2.",
        f"{_PACKED}: Queue Size is not restricted to be a power of 2",
        "* request 110",
        size="* rings of 100 entries",
        rules=("VU-VRG-02",),
    ),
    _case(
        "PKD-07",
        "a ring of 32768 entries",
        "It works: this is the largest size.",
        f"{_PACKED}: at most 2^15",
        "* request 3",
        size="* rings of 32768 entries",
        rules=("VU-VRG-02",),
    ),
    _case(
        "PKD-08",
        "a request while writes are logged, in a ring with VHOST_VRING_F_LOG",
        "The page of the descriptor ring is marked in the log: used descriptors are written there.",
        "Migration: when F_LOG_ALL is negotiated, the back-end must log all writes to guest memory; A vring address"
        " description: VHOST_VRING_F_LOG",
        "* request; F>B SET_LOG_BASE mmap_size=4096 {log}; * log on; * request; * the log has the used ring",
        "LOG_ALL",
        "LOG_SHMFD",
        rules=("VU-LOG-03",),
        perhaps=("VU-LOG-02", "VU-LOG-03", "VU-LOG-04"),
    ),
    _case(
        "PKD-09",
        "the driver wants no calls",
        "The request is done and not signalled.",
        f"{_PACKED}, Driver and Device Event Suppression: RING_EVENT_FLAGS_DISABLE",
        "* request; * no calls; * submit; * kick; * served, signalled or not; * not signalled",
    ),
    _case(
        "PKD-10",
        "a request in an indirect table",
        "It is done: INDIRECT_DESC is negotiated.",
        f"{_PACKED}, Indirect Flag",
        "* indirect request",
        "INDIRECT_DESC",
    ),
    _case(
        "PKD-11",
        "EVENT_IDX is negotiated, and the driver wants a call for the next request, 130 times",
        "Each is done and signalled, also where the wrap counter turns.",
        f"{_PACKED}, Driver and Device Event Suppression: RING_EVENT_FLAGS_DESC",
        "* request 130, with a call wanted for each",
        "EVENT_IDX",
    ),
    _broken("PKD-12", "a chain without an end", "a descriptor chain that goes on through the whole ring"),
    _broken("PKD-13", "a buffer outside of memory", "a buffer outside of all memory"),
    _broken("PKD-14", "a table outside of memory", "an indirect table outside of all memory"),
)
