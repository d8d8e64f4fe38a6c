"""Features, protocol features, and who acknowledges what."""

from vudissect.check.model import ACCEPTED, EITHER, REFUSED_BY_CUSTOM, Behaviour, Case, Verdict

_RINGS = "Ring states"

CASES = (
    Case(
        "NEG-01",
        "protocol features before SET_FEATURES",
        "It works: protocol features are negotiated as soon as the feature bit is offered, acknowledged or not.",
        "VHOST_USER_GET_PROTOCOL_FEATURES: must support this message even before VHOST_USER_SET_FEATURES was called",
        """
        F>B GET_FEATURES
        F>B GET_PROTOCOL_FEATURES
        F>B SET_PROTOCOL_FEATURES REPLY_ACK
        F>B SET_OWNER
        F>B SET_FEATURES VERSION_1 PROTOCOL_FEATURES
        """,
        rules=("VU-NEG-03",),
        needs=("PROTOCOL_FEATURES", "REPLY_ACK"),
    ),
    Case(
        "NEG-02",
        "SET_FEATURES with bit 63, which is not offered",
        "It is refused.",
        "VHOST_USER_SET_FEATURES; virtio specification, Feature Bits: the driver must not accept what was not offered",
        """
        * negotiate
        ? F>B SET_FEATURES VERSION_1 PROTOCOL_FEATURES bit 63
        """,
        rules=("VU-NEG-01",),
        meanings=REFUSED_BY_CUSTOM,
        ours=("VU-NEG-01",),
    ),
    Case(
        "NEG-03",
        "SET_PROTOCOL_FEATURES with bit 40, which is not offered",
        "It is refused.",
        "VHOST_USER_SET_PROTOCOL_FEATURES; no text on what the back-end does",
        """
        * negotiate
        ? F>B SET_PROTOCOL_FEATURES REPLY_ACK bit 40
        """,
        rules=("VU-NEG-02",),
        meanings=REFUSED_BY_CUSTOM,
        needs=("REPLY_ACK",),
        ours=("VU-NEG-02",),
    ),
    Case(
        "NEG-04",
        "INBAND_NOTIFICATIONS alone",
        "It is refused: it is an error without BACKEND_REQ and REPLY_ACK, and the connection should be closed.",
        "In-band notifications: the back-end should close the connection",
        """
        F>B GET_FEATURES
        F>B GET_PROTOCOL_FEATURES
        ? F>B SET_PROTOCOL_FEATURES bit 14
        """,
        rules=("VU-NEG-09",),
        meanings={**REFUSED_BY_CUSTOM, Behaviour.IGNORED: Verdict.NON_STRICT},
        needs=("PROTOCOL_FEATURES",),
        ours_perhaps=("VU-NEG-02", "VU-NEG-08", "VU-NEG-09"),
    ),
    Case(
        "NEG-05",
        "SET_OWNER twice",
        "It is accepted or refused.",
        "VHOST_USER_SET_OWNER: issued when a new connection is established",
        """
        * negotiate
        ? F>B SET_OWNER
        """,
        meanings=EITHER,
    ),
    Case(
        "NEG-06",
        "NEED_REPLY though REPLY_ACK is not acknowledged",
        "No answer comes: the flag means nothing then, and the next answer must be that of the next request.",
        "VHOST_USER_PROTOCOL_F_REPLY_ACK",
        """
        * negotiate without REPLY_ACK
        ? F>B SET_VRING_NUM ring 0 num=128 need_reply
        """,
        rules=("VU-HDR-06",),
        meanings={Behaviour.IGNORED: Verdict.PASS, Behaviour.CLOSED: Verdict.NON_STRICT},
        ours=("VU-HDR-06",),
    ),
    Case(
        "NEG-07",
        "NEED_REPLY on GET_FEATURES",
        "One answer comes, with flags 0x5: a message with an answer of its own is not acknowledged besides.",
        "VHOST_USER_PROTOCOL_F_REPLY_ACK",
        """
        * negotiate
        F>B GET_FEATURES need_reply
        * nothing more
        """,
        rules=("VU-HDR-05", "VU-RPL-07"),
        needs=("REPLY_ACK",),
        ours_perhaps=("VU-RPL-09",),
    ),
    Case(
        "NEG-08",
        "an acknowledgement is asked for of each message",
        "Each is acknowledged once, with 0 and flags 0x5.",
        "VHOST_USER_PROTOCOL_F_REPLY_ACK",
        """
        F>B GET_FEATURES
        F>B GET_PROTOCOL_FEATURES
        F>B SET_PROTOCOL_FEATURES REPLY_ACK
        F>B SET_OWNER need_reply
        B>F SET_OWNER ok
        F>B SET_FEATURES VERSION_1 PROTOCOL_FEATURES need_reply
        B>F SET_FEATURES ok
        F>B SET_VRING_NUM ring 0 num=128 need_reply
        B>F SET_VRING_NUM ok
        F>B SET_VRING_BASE ring 0 base 0 need_reply
        B>F SET_VRING_BASE ok
        F>B SET_VRING_CALL ring 0 evt#1 need_reply
        B>F SET_VRING_CALL ok
        F>B SET_VRING_ERR ring 0 evt#2 need_reply
        B>F SET_VRING_ERR ok
        F>B SET_VRING_ENABLE ring 0 enable need_reply
        B>F SET_VRING_ENABLE ok
        * nothing more
        """,
        rules=("VU-RPL-02", "VU-RPL-04", "VU-RPL-07"),
        needs=("PROTOCOL_FEATURES", "REPLY_ACK"),
    ),
    Case(
        "NEG-09",
        "GET_QUEUE_NUM though MQ is not acknowledged",
        "The number is answered: it is enough that MQ is offered.",
        "Multiple queue support: supported only when the protocol feature MQ is set",
        """
        * negotiate without MQ
        ? F>B GET_QUEUE_NUM
        """,
        rules=("VU-NEG-06",),
        meanings=ACCEPTED,
        needs=("MQ",),
    ),
    Case(
        "NEG-10",
        "PROTOCOL_FEATURES is not acknowledged",
        "A ring is enabled from the start, and works without SET_VRING_ENABLE.",
        f"{_RINGS}: if VHOST_USER_F_PROTOCOL_FEATURES has not been negotiated, the ring starts directly enabled",
        """
        * negotiate without PROTOCOL_FEATURES
        * memory
        * start
        * request
        """,
        rules=("VU-NEG-05",),
        needs=("data",),
    ),
    Case(
        "NEG-11",
        "LOG_ALL is switched on and off while a ring runs",
        "The ring goes on.",
        "Migration: to start/stop logging, the front-end may send VHOST_USER_SET_FEATURES with VHOST_F_LOG_ALL",
        """
        * ready
        * request
        F>B SET_LOG_BASE mmap_size=4096 mem#log (memfd log 4K)
        * log on
        * request
        * log off
        * request
        """,
        rules=("VU-NEG-11", "VU-LOG-03"),
        needs=("data", "LOG_ALL", "LOG_SHMFD", "PROTOCOL_FEATURES"),
    ),
    Case(
        "NEG-12",
        "SET_VRING_ENABLE though PROTOCOL_FEATURES is not acknowledged",
        "It is refused: the message belongs to this feature.",
        "VHOST_USER_SET_VRING_ENABLE: should be sent only when VHOST_USER_F_PROTOCOL_FEATURES has been negotiated",
        """
        F>B GET_FEATURES
        F>B GET_PROTOCOL_FEATURES
        F>B SET_PROTOCOL_FEATURES REPLY_ACK
        F>B SET_OWNER
        F>B SET_FEATURES VERSION_1
        ? F>B SET_VRING_ENABLE ring 0 enable
        """,
        rules=("VU-NEG-06",),
        meanings=REFUSED_BY_CUSTOM,
        needs=("PROTOCOL_FEATURES", "REPLY_ACK"),
        ours=("VU-NEG-06",),
        ours_perhaps=("VU-NEG-05",),
    ),
    Case(
        "NEG-13",
        "SET_FEATURES twice",
        "The second one replaces the first, and a ring works.",
        "VHOST_USER_SET_FEATURES",
        """
        * negotiate
        F>B SET_FEATURES VERSION_1 PROTOCOL_FEATURES
        * memory
        * start
        * request
        """,
        rules=("VU-NEG-11",),
        needs=("data", "PROTOCOL_FEATURES"),
    ),
)
