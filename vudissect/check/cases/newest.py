"""Messages that most back-ends do not have yet."""

from vudissect.check.model import Behaviour, Case, Verdict

_GATED = {
    Behaviour.ANSWERED: Verdict.PASS,
    Behaviour.CLOSED: Verdict.PASS,
    Behaviour.REFUSED: Verdict.PASS,
    Behaviour.IGNORED: Verdict.NON_STRICT,
}
_SKIP = "VHOST_USER_GET_VRING_BASE_SKIP_DRAIN (QEMU, 2026-09)"
_SKIPS = ("GET_VRING_BASE_INFLIGHT", "GET_VRING_BASE_SKIP_DRAIN", "INFLIGHT_SHMFD", "data", "directed")
_HELD = """* negotiate with GET_VRING_BASE_INFLIGHT GET_VRING_BASE_SKIP_DRAIN INFLIGHT_SHMFD
        * memory
        * ask for in-flight memory
        * pass the in-flight memory
        * start
        * the device holds requests
        * submit 3
        * kick
        * 3 requests are in flight"""

CASES = (
    Case(
        "NEW-01",
        "GET_SHMEM_CONFIG",
        "It is answered if SHMEM is offered; else the connection is closed, as an answer is waited for.",
        "VHOST_USER_GET_SHMEM_CONFIG (QEMU 11.1)",
        """
        * negotiate with SHMEM
        ? F>B GET_SHMEM_CONFIG
        """,
        rules=("VU-SHM-01",),
        meanings=_GATED,
        ours_perhaps=("VU-NEG-06", "VU-HDR-01"),
    ),
    Case(
        "NEW-02",
        "GET_VRING_BASE_SKIP_DRAIN (45), though it is not offered",
        "The connection is closed, as an answer is waited for.",
        _SKIP,
        """
        * negotiate
        ? F>B message 45 payload=0000000000000000
        """,
        rules=("VU-NEG-10",),
        meanings=_GATED,
        needs=("without GET_VRING_BASE_SKIP_DRAIN",),
        ours_perhaps=("VU-HDR-01", "VU-NEG-06"),
    ),
    Case(
        "NEW-03",
        "GET_VRING_BASE_SKIP_DRAIN after 3 requests",
        "The base is 3, and the ring goes on from it.",
        _SKIP,
        """
        * negotiate with GET_VRING_BASE_INFLIGHT GET_VRING_BASE_SKIP_DRAIN INFLIGHT_SHMFD
        * memory
        * start
        * request 3
        F>B GET_VRING_BASE_SKIP_DRAIN ring {ring}
        B>F GET_VRING_BASE_SKIP_DRAIN -> ring {ring} base 3
        """,
        rules=("VU-VRG-11",),
        needs=("GET_VRING_BASE_INFLIGHT", "GET_VRING_BASE_SKIP_DRAIN", "INFLIGHT_SHMFD", "data"),
    ),
    Case(
        "NEW-04",
        "GET_VRING_BASE_SKIP_DRAIN while 3 requests are in flight",
        "It is answered though they are not done; the base is 3.",
        f"{_SKIP}: without waiting for in-flight requests",
        f"""
        {_HELD}
        F>B GET_VRING_BASE_SKIP_DRAIN ring {{ring}}
        B>F GET_VRING_BASE_SKIP_DRAIN -> ring {{ring}} base 3
        """,
        rules=("VU-VRG-11",),
        needs=_SKIPS,
        device="blk",
        ours_perhaps=("VU-INF-02",),
    ),
    Case(
        "NEW-05",
        "the in-flight memory after GET_VRING_BASE_SKIP_DRAIN with 3 requests in flight",
        "They are still marked in it: who goes on with the ring does them.",
        f"{_SKIP}: what is in flight stays in the in-flight memory",
        f"""
        {_HELD}
        F>B GET_VRING_BASE_SKIP_DRAIN ring {{ring}}
        * 3 requests are in flight
        """,
        rules=("VU-INF-01",),
        needs=_SKIPS,
        device="blk",
        ours_perhaps=("VU-INF-02",),
    ),
    Case(
        "NEW-06",
        "requests could be done after GET_VRING_BASE_SKIP_DRAIN",
        "The ring is left alone: it is stopped, and its memory may be that of another host by now.",
        f"{_SKIP}; Suspended device state: it does not write to guest memory",
        f"""
        {_HELD}
        F>B GET_VRING_BASE_SKIP_DRAIN ring {{ring}}
        * the device lets them go
        * untouched
        """,
        rules=("VU-VRG-10",),
        needs=_SKIPS,
        device="blk",
        ours_perhaps=("VU-INF-02",),
    ),
    Case(
        "NEW-07",
        "the ring is started again after GET_VRING_BASE_SKIP_DRAIN with 3 requests in flight",
        "The 3 are done, each once.",
        f"{_SKIP}; Inflight I/O tracking: resubmit inflight entries",
        f"""
        {_HELD}
        F>B GET_VRING_BASE_SKIP_DRAIN ring {{ring}}
        * the device lets them go
        * pass the in-flight memory
        * configure
        F>B SET_VRING_BASE index={{ring}} num=3
        * give descriptors
        * enable
        * kick
        * served
        * request
        """,
        rules=("VU-INF-01",),
        needs=_SKIPS,
        device="blk",
        ours_perhaps=("VU-INF-02",),
    ),
)
