"""In-flight memory, in which requests outlive the back-end."""

from vudissect.check.model import REFUSED, Case

_GET = "VHOST_USER_GET_INFLIGHT_FD"

CASES = (
    Case(
        "INF-01",
        "GET_INFLIGHT_FD for 2 queues of 16",
        "A descriptor comes, with its size and offset.",
        _GET,
        """
        * negotiate with INFLIGHT_SHMFD
        F>B GET_INFLIGHT_FD num_queues=2 queue_size=16
        * a descriptor came
        """,
        rules=("VU-INF-01",),
        needs=("INFLIGHT_SHMFD",),
        ours_perhaps=("VU-INF-02",),
    ),
    Case(
        "INF-02",
        "GET_INFLIGHT_FD without a payload",
        "It is refused: 24 bytes say how large the memory has to be.",
        f"{_GET}: Inflight description",
        """
        * negotiate with INFLIGHT_SHMFD
        ? F>B GET_INFLIGHT_FD payload=
        """,
        rules=("VU-HDR-07",),
        meanings=REFUSED,
        needs=("INFLIGHT_SHMFD",),
        ours=("VU-HDR-07",),
    ),
)
