"""The configuration space."""

from vudissect.check.model import ACCEPTED, EITHER, REFUSED, REFUSED_BY_CUSTOM, Behaviour, Case, Verdict

_GET = "VHOST_USER_GET_CONFIG; Virtio device config space: offset, size and payload"
_GET_ERROR = "VHOST_USER_GET_CONFIG: on error, the back-end replies with a payload size of 0"
_SET = "VHOST_USER_SET_CONFIG"
_REFUSED = {**REFUSED, Behaviour.CLOSED: Verdict.NON_STRICT}
_ALLOWED = {**ACCEPTED, **REFUSED}

CASES = (
    Case(
        "CFG-01",
        "GET_CONFIG of the whole configuration space",
        "It is answered with size, offset and flags as asked.",
        _GET,
        """
        * negotiate
        F>B GET_CONFIG offset=0 size={config}
        B>F GET_CONFIG offset=0 size={config} flags=0
        """,
        rules=("VU-CFG-02",),
        needs=("CONFIG",),
    ),
    Case(
        "CFG-02",
        "GET_CONFIG of 256 bytes, as SPDK sends it",
        "The bytes that there are come, or an error; it is not a dead end.",
        _GET_ERROR,
        """
        * negotiate
        ? F>B GET_CONFIG offset=0 size=256
        """,
        rules=("VU-CFG-03", "VU-CFG-08"),
        meanings={
            Behaviour.ANSWERED: Verdict.PASS,
            Behaviour.REFUSED: Verdict.PASS,
            Behaviour.CLOSED: Verdict.FAIL,
        },
        needs=("CONFIG",),
        ours_perhaps=("VU-CFG-03",),
    ),
    Case(
        "CFG-03",
        "GET_CONFIG at offset 0x100, as old versions of Cloud Hypervisor send it",
        "It is answered with an error, that is without a payload.",
        _GET_ERROR,
        """
        * negotiate
        ? F>B GET_CONFIG offset=0x100 size=8
        """,
        rules=("VU-CFG-03",),
        meanings=_REFUSED,
        needs=("CONFIG",),
        ours=("VU-CFG-03",),
    ),
    Case(
        "CFG-04",
        "GET_CONFIG of a part",
        "These bytes come: the same as in the whole.",
        _GET,
        """
        * negotiate
        F>B GET_CONFIG offset={half} size={rest}
        B>F GET_CONFIG offset={half} size={rest} contents={tail}
        """,
        rules=("VU-CFG-02",),
        needs=("CONFIG",),
    ),
    Case(
        "CFG-05",
        "GET_CONFIG of 4096 bytes",
        "It is refused: no device has so many.",
        _GET_ERROR,
        """
        * negotiate
        ? F>B GET_CONFIG offset=0 size=4096
        """,
        rules=("VU-CFG-03",),
        meanings=REFUSED,
        needs=("CONFIG",),
        ours_perhaps=("VU-CFG-03", "VU-HDR-08"),
    ),
    Case(
        "CFG-06",
        "GET_CONFIG though CONFIG is not acknowledged",
        "It is answered or refused.",
        "VHOST_USER_PROTOCOL_F_CONFIG; no text on what a back-end does without",
        """
        * negotiate without CONFIG
        ? F>B GET_CONFIG offset=0 size={config}
        """,
        rules=("VU-CFG-01",),
        meanings=EITHER,
        needs=("CONFIG",),
        ours=("VU-CFG-01",),
        ours_perhaps=("VU-NEG-06",),
    ),
    Case(
        "CFG-07",
        "SET_CONFIG of the capacity, which is read-only for a driver",
        "It is refused.",
        f"{_SET}; virtio specification, Block Device: capacity is read-only for the driver",
        """
        * negotiate
        ? F>B SET_CONFIG offset=0 size=8
        """,
        rules=("VU-CFG-04",),
        meanings=REFUSED,
        needs=("CONFIG",),
        device="blk",
        ours=("VU-CFG-04",),
    ),
    Case(
        "CFG-08",
        "SET_CONFIG of writeback, which a driver may write",
        "It is acknowledged with 0.",
        f"{_SET}; virtio specification, Block Device: writeback with CONFIG_WCE",
        """
        * negotiate with CONFIG_WCE
        F>B SET_CONFIG offset=32 size=1
        """,
        rules=("VU-CFG-05",),
        needs=("CONFIG", "CONFIG_WCE"),
        device="blk",
    ),
    Case(
        "CFG-09",
        "GET_CONFIG of 0 bytes",
        "It is answered with an error or with 0 bytes, or the connection is closed; the process lives.",
        _GET_ERROR,
        """
        * negotiate
        ? F>B GET_CONFIG offset=0 size=0
        """,
        rules=("VU-CFG-07",),
        meanings=_ALLOWED,
        needs=("CONFIG",),
        ours=("VU-CFG-07",),
    ),
    Case(
        "CFG-10",
        "GET_CONFIG whose offset and size exceed 32 bits together",
        "It is answered with an error: there are no such bytes.",
        _GET_ERROR,
        f"""
        * negotiate
        ? F>B GET_CONFIG payload=f8ffffff1000000000000000{"00" * 16}
        """,
        rules=("VU-CFG-03",),
        meanings=_REFUSED,
        needs=("CONFIG",),
        ours=("VU-CFG-03",),
    ),
    Case(
        "CFG-11",
        "GET_CONFIG of the last byte",
        "This byte comes: the same as in the whole.",
        _GET,
        """
        * negotiate
        F>B GET_CONFIG offset={last} size=1
        B>F GET_CONFIG offset={last} size=1 contents={last_byte}
        """,
        rules=("VU-CFG-02",),
        needs=("CONFIG",),
    ),
    Case(
        "CFG-12",
        "SET_CONFIG of single bytes",
        "They are accepted or refused; the process lives. vhost-device-input ended with the first (2026).",
        f"{_SET}; no text on parts of fields",
        """
        * negotiate
        ? F>B SET_CONFIG offset=0 contents={first_byte}
        ? F>B SET_CONFIG offset=1 contents={second_byte}
        ? F>B SET_CONFIG offset={last} contents={last_byte}
        * settled
        """,
        rules=("VU-CFG-04",),
        meanings=EITHER,
        needs=("CONFIG",),
        ours_perhaps=("VU-CFG-04",),
    ),
    Case(
        "CFG-13",
        "SET_CONFIG of the capacity for a migration (flags 1), with the value that it has",
        "It is accepted, as a destination sets all fields, or refused.",
        f"{_SET}: VHOST_SET_CONFIG_TYPE_MIGRATION; no text that a back-end must accept it",
        """
        * negotiate
        ? F>B SET_CONFIG offset=0 flags=1 contents={capacity}
        """,
        rules=("VU-CFG-05",),
        meanings=EITHER,
        needs=("CONFIG",),
        device="blk",
        ours_perhaps=("VU-CFG-05",),
    ),
    Case(
        "CFG-14",
        "SET_CONFIG with flags 7",
        "It is refused: flags are 0 or 1.",
        "Virtio device config space: flags is one of these values",
        """
        * negotiate with CONFIG_WCE
        ? F>B SET_CONFIG offset=32 flags=7 contents=01
        """,
        rules=("VU-CFG-05",),
        meanings=REFUSED_BY_CUSTOM,
        needs=("CONFIG", "CONFIG_WCE"),
        device="blk",
        ours=("VU-CFG-05",),
    ),
    Case(
        "CFG-15",
        "a disk grows while rings run",
        "CONFIG_CHANGE_MSG comes on the channel, and GET_CONFIG has the new size.",
        "VHOST_USER_BACKEND_CONFIG_CHANGE_MSG: the front-end reads the configuration space again",
        """
        * negotiate with BACKEND_REQ
        F>B SET_BACKEND_REQ_FD sock#1
        * memory
        * start
        * request
        * the device grows
        * CONFIG_CHANGE_MSG comes on the channel
        * the capacity is another one
        * request
        """,
        rules=("VU-CFG-06",),
        needs=("BACKEND_REQ", "CONFIG", "data", "directed"),
        device="blk",
        fresh=True,
    ),
    Case(
        "CFG-16",
        "GET_CONFIG while rings run",
        "It is answered.",
        _GET,
        """
        * ready
        * request
        F>B GET_CONFIG offset=0 size={config}
        B>F GET_CONFIG offset=0 size={config} flags=0
        * request
        """,
        rules=("VU-CFG-02",),
        needs=("data", "CONFIG"),
    ),
    Case(
        "CFG-17",
        "SET_CONFIG beyond the end of the configuration space",
        "It is refused.",
        f"{_SET}; no text on what a back-end does with it",
        """
        * negotiate
        ? F>B SET_CONFIG offset=240 contents=00000000
        """,
        rules=("VU-CFG-03",),
        meanings=REFUSED_BY_CUSTOM,
        needs=("CONFIG",),
        ours_perhaps=("VU-CFG-03", "VU-CFG-04"),
    ),
    Case(
        "CFG-18",
        "GET_CONFIG that announces 64 bytes and has none",
        "It is answered with an error, or the connection is closed; if it is answered, then with 64 bytes.",
        "Virtio device config space: size, payload",
        """
        * negotiate
        ? F>B GET_CONFIG payload=000000004000000000000000
        """,
        rules=("VU-HDR-07",),
        meanings=_ALLOWED,
        needs=("CONFIG",),
        ours_perhaps=("VU-HDR-07", "VU-CFG-02", "VU-CFG-03"),
    ),
    Case(
        "CFG-19",
        "SET_CONFIG that announces 64 bytes and has none",
        "It is refused: what would be written is not there.",
        "Virtio device config space: size, payload",
        """
        * negotiate
        ? F>B SET_CONFIG payload=000000004000000000000000
        """,
        rules=("VU-HDR-07",),
        meanings=REFUSED_BY_CUSTOM,
        needs=("CONFIG",),
        ours_perhaps=("VU-HDR-07", "VU-CFG-03", "VU-CFG-04"),
    ),
)
