"""The dirty log of a migration."""

from vudissect.check.model import ACCEPTED, Case

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
)
