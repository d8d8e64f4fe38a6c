"""In-flight memory, in which requests outlive the back-end."""

from vudissect.check.model import EITHER, REFUSED, REFUSED_BY_CUSTOM, Case

_GET = "VHOST_USER_GET_INFLIGHT_FD"
_SET = "VHOST_USER_SET_INFLIGHT_FD"
_TRACKING = "Inflight I/O tracking"
_PACKED = ("INFLIGHT_SHMFD", "RING_PACKED", "data")

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
    Case(
        "INF-03",
        "SET_INFLIGHT_FD before any ring is configured",
        "It is accepted: this is where a front-end sends it.",
        _SET,
        """
        * negotiate with INFLIGHT_SHMFD
        * ask for in-flight memory
        * pass the in-flight memory
        * settled
        """,
        rules=("VU-INF-01",),
        needs=("INFLIGHT_SHMFD",),
        ours_perhaps=("VU-INF-02",),
    ),
    Case(
        "INF-04",
        "GET_INFLIGHT_FD for 0 queues",
        "It is refused, or answered with a size of 0; the process lives.",
        f"{_GET}: num queues; no text on numbers that no device has",
        """
        * negotiate with INFLIGHT_SHMFD
        ? F>B GET_INFLIGHT_FD num_queues=0 queue_size=128
        * settled
        """,
        rules=("VU-INF-02",),
        meanings=EITHER,
        needs=("INFLIGHT_SHMFD",),
        ours_perhaps=("VU-INF-02",),
    ),
    Case(
        "INF-05",
        "GET_INFLIGHT_FD for 65535 queues of 65535",
        "It is refused, or answered: 68 GB that nobody touches cost nothing. The process lives.",
        f"{_GET}: num queues, queue size; no text on numbers that no device has",
        """
        * negotiate with INFLIGHT_SHMFD
        ? F>B GET_INFLIGHT_FD num_queues=65535 queue_size=65535
        * settled
        """,
        rules=("VU-INF-02",),
        meanings=EITHER,
        needs=("INFLIGHT_SHMFD",),
        ours_perhaps=("VU-INF-02",),
    ),
    Case(
        "INF-06",
        "in-flight memory of a new device",
        "It is empty: nothing is in flight.",
        f"{_TRACKING}: zero value indicates an uninitialized buffer",
        """
        * negotiate with INFLIGHT_SHMFD
        * ask for in-flight memory
        * nothing is in flight
        """,
        rules=("VU-INF-01",),
        needs=("INFLIGHT_SHMFD",),
        ours_perhaps=("VU-INF-02",),
    ),
    Case(
        "INF-07",
        "a back-end was killed that had taken 3 requests, and given back the second one",
        "The two that are in flight are done, each once.",
        f"{_TRACKING}: resubmit inflight DescStateSplit entries in order of their counter value",
        """
        * negotiate with INFLIGHT_SHMFD
        * memory
        * ask for in-flight memory
        * submit 3
        * the second is done, the others are in flight
        * pass the in-flight memory
        * start
        * kick
        * served
        * request
        """,
        rules=("VU-INF-01",),
        needs=("INFLIGHT_SHMFD", "data"),
        device="blk",
        ours_perhaps=("VU-INF-02",),
    ),
    Case(
        "INF-08",
        "3 requests are done while in-flight memory is used",
        "Nothing is in flight any more, and the memory has the index of the used ring.",
        f"{_TRACKING}: set the inflight field of each entry in the batch to 0, set used_idx",
        """
        * negotiate with INFLIGHT_SHMFD
        * memory
        * ask for in-flight memory
        * pass the in-flight memory
        * start
        * request 3
        * stop
        * nothing is in flight, and the place in the ring is right
        """,
        rules=("VU-INF-01",),
        needs=("INFLIGHT_SHMFD", "data"),
        device="blk",
        ours_perhaps=("VU-INF-02",),
    ),
    Case(
        "INF-09",
        "SET_INFLIGHT_FD with more bytes than the memory has",
        "It is refused, as whoever writes what is not there is killed by SIGBUS; the process lives.",
        f"{_SET}; no text on what a back-end does with it",
        """
        * negotiate with INFLIGHT_SHMFD
        ? F>B SET_INFLIGHT_FD mmap_size=0x100000 num_queues=1 queue_size=128 mem#a (memfd a 4K)
        * settled
        """,
        rules=("VU-FD-10",),
        meanings=REFUSED_BY_CUSTOM,
        needs=("INFLIGHT_SHMFD",),
        ours_perhaps=("VU-FD-10", "VU-INF-01", "VU-INF-02"),
    ),
    Case(
        "INF-10",
        "SET_INFLIGHT_FD without a descriptor",
        "It is refused: there is no memory.",
        f"{_SET}: the shared inflight buffer is sent back",
        """
        * negotiate with INFLIGHT_SHMFD
        ? F>B SET_INFLIGHT_FD mmap_size=4096 num_queues=1 queue_size=128
        """,
        rules=("VU-FD-02",),
        meanings=REFUSED,
        needs=("INFLIGHT_SHMFD",),
        ours=("VU-FD-02",),
        ours_perhaps=("VU-INF-01", "VU-INF-02"),
    ),
    Case(
        "INF-11",
        "a packed ring, and a back-end was killed that had taken 3 requests, and given back the second one",
        "The two that are in flight are done, each once, with the descriptors that are kept of them.",
        f"{_TRACKING}: resubmit inflight DescStatePacked entries in order of their counter value",
        """
        * negotiate with INFLIGHT_SHMFD RING_PACKED
        * memory
        * ask for in-flight memory
        * submit 3
        * the second is done, the others are in flight
        * pass the in-flight memory
        * start
        * kick
        * served
        * request
        """,
        rules=("VU-INF-01",),
        needs=_PACKED,
        device="blk",
        ours_perhaps=("VU-INF-02",),
    ),
    Case(
        "INF-12",
        "3 requests are done in a packed ring while in-flight memory is used",
        "Nothing is in flight any more, and the memory has the place of the next used descriptor.",
        f"{_TRACKING}: set the inflight field of each head DescStatePacked entry in the batch to 0",
        """
        * negotiate with INFLIGHT_SHMFD RING_PACKED
        * memory
        * ask for in-flight memory
        * pass the in-flight memory
        * start
        * request 3
        * stop
        * nothing is in flight, and the place in the ring is right
        """,
        rules=("VU-INF-01",),
        needs=_PACKED,
        device="blk",
        ours_perhaps=("VU-INF-02",),
    ),
    Case(
        "INF-13",
        "a back-end was killed when a used request was in the ring, and not yet cleared in the in-flight memory",
        "This request is not done again, the two others are done once.",
        f"{_TRACKING}: set the inflight field of each DescStateSplit entry to 0 in last batch list",
        """
        * negotiate with INFLIGHT_SHMFD
        * memory
        * ask for in-flight memory
        * submit 3
        * the second is done, the others are in flight, and that was not written down yet
        * pass the in-flight memory
        * start
        * kick
        * served
        * request
        """,
        rules=("VU-INF-01",),
        needs=("INFLIGHT_SHMFD", "data"),
        device="blk",
        ours_perhaps=("VU-INF-02",),
    ),
    Case(
        "INF-14",
        "a packed ring, and a back-end was killed when a used request was in it, and not yet cleared in the memory",
        "This request is not done again, the two others are done once.",
        f"{_TRACKING}: d.flags is not equal to the calculated flags value (...) set old_free_head, old_used_idx",
        """
        * negotiate with INFLIGHT_SHMFD RING_PACKED
        * memory
        * ask for in-flight memory
        * submit 3
        * the second is done, the others are in flight, and that was not written down yet
        * pass the in-flight memory
        * start
        * kick
        * served
        * request
        """,
        rules=("VU-INF-01",),
        needs=_PACKED,
        device="blk",
        ours_perhaps=("VU-INF-02",),
    ),
    Case(
        "INF-15",
        "GET_VRING_BASE while 3 requests are in flight",
        "It is answered when they are done, and not before; the base is 3.",
        "VHOST_USER_GET_VRING_BASE: stops the vring; Suspended device state: it does not write to guest memory",
        """
        * negotiate
        * memory
        * start
        * the device holds requests
        * submit 3
        * kick
        * the base comes when the requests are done, and is 3
        """,
        rules=("VU-INF-03",),
        needs=("data", "directed"),
        device="blk",
    ),
    Case(
        "INF-16",
        "a back-end is killed that had done the last of 8 requests, and another one is started",
        "It does the other 7, each once.",
        f"{_TRACKING}: resubmit inflight DescStateSplit entries in order of their counter value",
        """
        * negotiate with INFLIGHT_SHMFD
        * memory
        * ask for in-flight memory
        * pass the in-flight memory
        * start
        * the device holds requests
        * submit 8
        * kick
        * 8 requests are in flight
        * the device lets the last one go
        * 7 requests are in flight
        * begun
        * kill it and start it again
        * negotiate with INFLIGHT_SHMFD
        * memory
        * pass the in-flight memory
        * start
        * kick
        * served
        * request
        """,
        rules=("VU-INF-01",),
        needs=("INFLIGHT_SHMFD", "data", "process", "directed"),
        device="blk",
        ours_perhaps=("VU-INF-02",),
    ),
)
