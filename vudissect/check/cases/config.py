"""The configuration space."""

from vudissect.check.model import EITHER, REFUSED, Behaviour, Case, Verdict

_GET = "VHOST_USER_GET_CONFIG: on error, the back-end replies with a payload size of 0"
_SET = "VHOST_USER_SET_CONFIG"
_REFUSED = {**REFUSED, Behaviour.CLOSED: Verdict.NON_STRICT}

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
        _GET,
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
        _GET,
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
        _GET,
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
)
