"""How rings are configured: sizes, addresses, descriptors and bases that no ring can have."""

from vudissect.check.model import (
    ACCEPTED,
    EITHER,
    REFUSED,
    REFUSED_BY_CUSTOM,
    Behaviour,
    Case,
    Verdict,
)

RINGS = range(192, 256, 4)
"""Where most devices have none. What one of them does to the memory of a process may depend on luck, many do not."""


def absent(message: str, words: str) -> str:
    """A talk about each of these rings; what is done with them is judged."""
    return "\n".join(f"? F>B {message} ring {ring} {words}" for ring in RINGS)


_NUM = "VHOST_USER_SET_VRING_NUM; virtio specification, Virtqueues: Queue Size is a power of 2, at most 32768"
_BASE = "VHOST_USER_GET_VRING_BASE"
_KICK = "VHOST_USER_SET_VRING_KICK"
_NO_TEXT = "no text on what a back-end does with it"
_ALLOWED = {**ACCEPTED, **REFUSED}

CASES = (
    Case(
        "RNG-02",
        "SET_VRING_NUM 0",
        "It is refused: a ring has at least one entry.",
        _NUM,
        """
        * negotiate
        ? F>B SET_VRING_NUM ring 0 num=0
        """,
        rules=("VU-VRG-02",),
        meanings=REFUSED,
        ours=("VU-VRG-02",),
    ),
    Case(
        "RNG-03",
        "SET_VRING_NUM 3 for a split ring",
        "It is refused: the size of a split ring is a power of 2.",
        _NUM,
        """
        * negotiate
        ? F>B SET_VRING_NUM ring 0 num=3
        """,
        rules=("VU-VRG-02",),
        meanings=REFUSED,
        ours=("VU-VRG-02",),
    ),
    Case(
        "RNG-04",
        "SET_VRING_NUM 65536",
        "It is refused: a ring has at most 32768 entries.",
        _NUM,
        """
        * negotiate
        ? F>B SET_VRING_NUM ring 0 num=65536
        """,
        rules=("VU-VRG-02",),
        meanings=REFUSED,
        ours=("VU-VRG-02",),
    ),
    Case(
        "RNG-05",
        "SET_VRING_NUM of 16 rings from 192 to 252",
        "It is refused where there are fewer rings. DPDK has room for 256 whatever it reports.",
        f"Multiple queue support; {_NO_TEXT}",
        f"""
        * negotiate
        {absent("SET_VRING_NUM", "num=128")}
        """,
        rules=("VU-VRG-01",),
        meanings=REFUSED_BY_CUSTOM,
        ours_perhaps=("VU-VRG-01",),
        fresh=True,
    ),
    Case(
        "RNG-06",
        "SET_VRING_NUM of ring 0x10000",
        "It is refused: no device has so many rings.",
        f"Multiple queue support; {_NO_TEXT}",
        """
        * negotiate
        ? F>B SET_VRING_NUM ring 0x10000 num=128
        """,
        rules=("VU-VRG-01",),
        meanings=REFUSED,
        ours_perhaps=("VU-VRG-01",),
    ),
    Case(
        "RNG-07",
        "GET_VRING_BASE of ring 200",
        "It is refused where there are fewer rings.",
        f"{_BASE}; {_NO_TEXT}",
        """
        * negotiate
        ? F>B GET_VRING_BASE ring 200
        """,
        rules=("VU-VRG-01",),
        meanings={**REFUSED, Behaviour.ANSWERED: Verdict.NON_STRICT, Behaviour.ACKNOWLEDGED: Verdict.FAIL},
        ours_perhaps=("VU-VRG-01",),
    ),
    Case(
        "RNG-08",
        "SET_VRING_KICK of 16 rings from 192 to 252",
        "It is refused where there are fewer rings.",
        f"{_KICK}; {_NO_TEXT}",
        f"""
        * negotiate
        {absent("SET_VRING_KICK", "evt#1")}
        """,
        rules=("VU-VRG-01",),
        meanings=REFUSED_BY_CUSTOM,
        ours_perhaps=("VU-VRG-01", "VU-VRG-04", "VU-VRG-09"),
        fresh=True,
    ),
    Case(
        "RNG-09",
        "SET_VRING_ADDR outside of all memory",
        "It is refused: there is no ring.",
        f"Memory access: user addresses map to the region containing that user address; {_NO_TEXT}",
        """
        * negotiate
        * memory
        F>B SET_VRING_NUM ring 0 num=128
        ? F>B SET_VRING_ADDR ring 0 desc=0x10000000 avail=0x10001000 used=0x10002000
        """,
        rules=("VU-MEM-05",),
        meanings=REFUSED_BY_CUSTOM,
        ours=("VU-MEM-05",),
    ),
    Case(
        "RNG-10",
        "SET_VRING_ADDR before any memory",
        "It is refused: there is no ring.",
        f"Memory access: user addresses map to the region containing that user address; {_NO_TEXT}",
        """
        * negotiate
        F>B SET_VRING_NUM ring 0 num=128
        ? F>B SET_VRING_ADDR ring 0 desc=0x7f0000000000 avail=0x7f0000001000 used=0x7f0000002000
        """,
        rules=("VU-VRG-05",),
        meanings=REFUSED_BY_CUSTOM,
        ours=("VU-VRG-05",),
        ours_perhaps=("VU-MEM-05",),
    ),
    Case(
        "RNG-11",
        "SET_VRING_ADDR that is not aligned",
        "It is refused: a descriptor table begins at a multiple of 16.",
        "virtio specification, Split Virtqueues: alignment of the parts",
        """
        * negotiate
        * memory
        F>B SET_VRING_NUM ring 0 num=128
        ? F>B SET_VRING_ADDR ring 0 desc=0x7f0000000001 avail=0x7f0000001000 used=0x7f0000002000
        """,
        rules=("VU-VRG-17",),
        meanings=REFUSED_BY_CUSTOM,
        ours=("VU-VRG-17",),
    ),
    Case(
        "RNG-12",
        "SET_VRING_ENABLE with 2",
        "It is refused: 0 disables, 1 enables.",
        "VHOST_USER_SET_VRING_ENABLE",
        """
        * negotiate
        ? F>B SET_VRING_ENABLE ring 0 num=2
        """,
        rules=("VU-VRG-03",),
        meanings=REFUSED_BY_CUSTOM,
        needs=("PROTOCOL_FEATURES",),
        ours=("VU-VRG-03",),
    ),
    Case(
        "RNG-24",
        "GET_VRING_BASE with num 1",
        "It is refused, or answered: num is 0 in a request. Yandex' back-end did not drain the ring then (2026).",
        f"{_BASE}; {_NO_TEXT}",
        """
        * negotiate
        F>B SET_VRING_NUM ring 0 num=128
        ? F>B GET_VRING_BASE ring 0 base 1
        """,
        rules=("VU-VRG-08",),
        meanings=_ALLOWED,
        ours=("VU-VRG-08",),
    ),
    Case(
        "RNG-25",
        "SET_VRING_BASE of a split ring with bits above the 16th",
        "It is refused, or they are ignored.",
        "Vring base index: for split virtqueues 16 bits",
        """
        * negotiate
        F>B SET_VRING_NUM ring 0 num=128
        ? F>B SET_VRING_BASE ring 0 base 0x10005
        F>B GET_VRING_BASE ring 0
        B>F GET_VRING_BASE ring 0 base 5
        """,
        rules=("VU-VRG-06",),
        meanings=_ALLOWED,
        ours=("VU-VRG-06",),
    ),
    Case(
        "RNG-26",
        "SET_VRING_KICK before the ring has a size and addresses",
        "It is accepted or refused.",
        f"{_KICK}; {_NO_TEXT}",
        """
        * negotiate
        * memory
        ? F>B SET_VRING_KICK ring 0 evt#1
        """,
        rules=("VU-VRG-04",),
        meanings=EITHER,
        ours=("VU-VRG-04",),
        ours_perhaps=("VU-VRG-09",),
    ),
    Case(
        "RNG-27",
        "guest memory is replaced by other memory, while a ring is configured in it",
        "It is accepted or refused, and the process lives.",
        "VHOST_USER_SET_MEM_TABLE",
        """
        * ready
        * request
        ? F>B SET_MEM_TABLE 0x40000000+16M at 0x7e0000000000 mem#other (memfd other 16M)
        * settled
        """,
        rules=("VU-MEM-08",),
        meanings=EITHER,
        needs=("data",),
        ours_perhaps=("VU-MEM-05", "VU-VRG-05"),
    ),
)
