"""The dirty log of a migration."""

from vudissect.check.model import ACCEPTED, EITHER, REFUSED, REFUSED_BY_CUSTOM, Behaviour, Case, Verdict

_MARKS = "Migration: when F_LOG_ALL is negotiated, the back-end must log all writes to guest memory"
_BASE = "VHOST_USER_SET_LOG_BASE: with VHOST_USER_PROTOCOL_F_LOG_SHMFD it is always answered"

CASES = (
    Case(
        "LOG-01",
        "SET_LOG_BASE with 16 bytes and a memfd",
        "It is answered, with 8 or 16 bytes.",
        _BASE,
        """
        * negotiate
        * memory
        ? F>B SET_LOG_BASE mmap_size=4096 mem#log (memfd log 4K)
        """,
        rules=("VU-RPL-06",),
        meanings=ACCEPTED,
        needs=("LOG_SHMFD", "LOG_ALL"),
        ours_perhaps=("VU-LOG-02",),
    ),
    Case(
        "LOG-02",
        "SET_LOG_BASE that asks for an acknowledgement",
        "One answer comes, with flags 0x5: the message is answered anyway.",
        "VHOST_USER_PROTOCOL_F_REPLY_ACK",
        """
        * negotiate
        * memory
        ? F>B SET_LOG_BASE mmap_size=4096 mem#log (memfd log 4K) need_reply
        * nothing more
        """,
        rules=("VU-HDR-05", "VU-RPL-07"),
        meanings=ACCEPTED,
        needs=("LOG_SHMFD", "LOG_ALL", "REPLY_ACK"),
        ours_perhaps=("VU-LOG-02", "VU-RPL-09"),
    ),
    Case(
        "LOG-03",
        "a request while writes are logged",
        "The pages of its buffers that are written to are marked in the log.",
        _MARKS,
        """
        * negotiate with LOG_ALL
        * memory
        * start
        * request
        F>B SET_LOG_BASE mmap_size=4096 {log}
        * log on
        * request
        * the log has what was written
        """,
        rules=("VU-LOG-03",),
        needs=("data", "LOG_SHMFD", "LOG_ALL"),
        not_device=("net",),
        ours_perhaps=("VU-LOG-02", "VU-LOG-04"),
    ),
    Case(
        "LOG-04",
        "a request while writes are logged, in a ring with VHOST_VRING_F_LOG",
        "The page of the used ring is marked in the log.",
        f"{_MARKS}; A vring address description: VHOST_VRING_F_LOG",
        """
        * negotiate with LOG_ALL
        * memory
        * start
        * request
        F>B SET_LOG_BASE mmap_size=4096 {log}
        * log on
        * request
        * the log has the used ring
        """,
        rules=("VU-LOG-03",),
        needs=("data", "LOG_SHMFD", "LOG_ALL"),
        ours_perhaps=("VU-LOG-02", "VU-LOG-04"),
    ),
    Case(
        "LOG-05",
        "a request after LOG_ALL was taken back",
        "Nothing is marked in the log any more.",
        "Migration: to start/stop logging, the front-end may send VHOST_USER_SET_FEATURES; no text on marks after that",
        """
        * negotiate with LOG_ALL
        * memory
        * start
        F>B SET_LOG_BASE mmap_size=4096 {log}
        * log on
        * request
        * log off
        * clear the log
        * request
        ? * the log is empty
        """,
        rules=("VU-LOG-03",),
        meanings={Behaviour.FAILED: Verdict.NON_STRICT},
        needs=("data", "LOG_SHMFD", "LOG_ALL"),
        ours_perhaps=("VU-LOG-02", "VU-LOG-04"),
    ),
    Case(
        "LOG-06",
        "SET_LOG_BASE without a descriptor, though LOG_SHMFD is negotiated",
        "It is refused: there is nothing to mark.",
        "VHOST_USER_SET_LOG_BASE: the log memory fd is provided in the ancillary data",
        """
        * negotiate
        * memory
        ? F>B SET_LOG_BASE mmap_size=4096
        """,
        rules=("VU-FD-02",),
        meanings=REFUSED,
        needs=("LOG_SHMFD", "LOG_ALL"),
        ours_perhaps=("VU-FD-02", "VU-LOG-02", "VU-LOG-01"),
    ),
    Case(
        "LOG-07",
        "SET_LOG_BASE with more bytes than the memfd has",
        "It is refused, as whoever marks what is not there is killed by SIGBUS; the process lives.",
        "VHOST_USER_SET_LOG_BASE; no text on what a back-end does with it",
        """
        * negotiate
        * memory
        ? F>B SET_LOG_BASE mmap_size=0x100000 mem#log (memfd log 4K)
        * settled
        """,
        rules=("VU-FD-10",),
        meanings={**REFUSED_BY_CUSTOM, Behaviour.ANSWERED: Verdict.NON_STRICT},
        needs=("LOG_SHMFD", "LOG_ALL"),
        ours_perhaps=("VU-FD-10", "VU-LOG-02"),
    ),
    Case(
        "LOG-08",
        "a log that is too small for the memory, and a request beyond what it covers",
        "The log is refused, or the request is done and not marked; the process lives.",
        "Migration: the log must cover all known guest addresses; no text on what a back-end does with less",
        """
        * negotiate with LOG_ALL
        * memory
        * start
        * request
        ? F>B SET_LOG_BASE mmap_size=8 {log}
        * log on
        * submit
        * kick
        * settled
        """,
        rules=("VU-LOG-02",),
        meanings={**ACCEPTED, **REFUSED},
        needs=("data", "LOG_SHMFD", "LOG_ALL"),
        ours=("VU-LOG-02",),
        ours_perhaps=("VU-LOG-03", "VU-LOG-04"),
    ),
    Case(
        "LOG-09",
        "SET_LOG_FD",
        "It is accepted or refused: no front-end sends it.",
        "VHOST_USER_SET_LOG_FD",
        """
        * negotiate
        ? F>B SET_LOG_FD evt#1
        """,
        meanings=EITHER,
        needs=("LOG_ALL",),
        ours_perhaps=("VU-LOG-01", "VU-NEG-06"),
    ),
)
