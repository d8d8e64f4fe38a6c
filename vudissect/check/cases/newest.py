"""Messages that most back-ends do not have yet."""

from vudissect.check.model import Behaviour, Case, Verdict

_GATED = {
    Behaviour.ANSWERED: Verdict.PASS,
    Behaviour.CLOSED: Verdict.PASS,
    Behaviour.REFUSED: Verdict.PASS,
    Behaviour.IGNORED: Verdict.NON_STRICT,
}

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
        "VHOST_USER_GET_VRING_BASE_SKIP_DRAIN (QEMU, 2026-09)",
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
        "VHOST_USER_GET_VRING_BASE_SKIP_DRAIN (QEMU, 2026-09)",
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
)
