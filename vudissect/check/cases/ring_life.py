"""How rings live: started, enabled, used, broken, stopped."""

from vudissect.check.model import Behaviour, Case, Verdict

_STATES = "Ring states"
_BASE = "VHOST_USER_GET_VRING_BASE"

_OFTEN = 8
"""One back-end loses nearly every such request, but not each."""

CASES = (
    Case(
        "RNG-01",
        "one request",
        "It is done, answered rightly, and signalled.",
        _STATES,
        """
        * ready
        * request
        """,
        rules=("VU-VRG-09",),
        needs=("data",),
    ),
    Case(
        "RNG-13",
        "a ring is enabled before it is configured, and kicked before its kick descriptor arrives",
        "The request is done: enabled and started are independent, and a descriptor that is readable is a kick.",
        f"{_STATES}: detecting that file descriptor is readable",
        """
        * negotiate
        * memory
        * enable
        * configure
        * submit
        * kick
        * give descriptors to a slow reader
        * served
        """,
        rules=("VU-VRG-19", "VU-VRG-20"),
        needs=("data", "PROTOCOL_FEATURES"),
        times=_OFTEN,
    ),
    Case(
        "RNG-14",
        "a request waits in a disabled ring",
        "It is left alone until the ring is enabled, and then taken without another kick.",
        f"{_STATES}: started but disabled",
        """
        * negotiate
        * memory
        * configure
        * give descriptors
        * submit
        * kick
        * untouched
        * enable
        * served
        """,
        rules=("VU-VRG-09",),
        needs=("data", "PROTOCOL_FEATURES"),
        not_device=("net",),
    ),
    Case(
        "RNG-15",
        "a request waits in a ring that is started, and nobody kicks",
        "Either. Up to QEMU 11.0 the text starts a ring with the first kick, from 11.1 on with SET_VRING_KICK.",
        f"{_STATES}: rings are started with VHOST_USER_SET_VRING_KICK (before 11.1: upon receiving a kick)",
        """
        * negotiate
        * memory
        * configure
        * enable
        * submit
        * give descriptors
        ? * served
        """,
        rules=("VU-VRG-09",),
        meanings={Behaviour.FAILED: Verdict.INFORMATIONAL},
        needs=("data", "PROTOCOL_FEATURES"),
    ),
    Case(
        "RNG-16",
        "GET_VRING_BASE after 3 requests",
        "The base is 3, and the ring goes on from there.",
        f"{_BASE}; Vring base index: the index of the next available ring entry",
        """
        * ready
        * request 3
        F>B GET_VRING_BASE ring {ring}
        B>F GET_VRING_BASE ring {ring} base 3
        * restart at the base
        * request
        """,
        rules=("VU-VRG-07", "VU-VRG-11"),
        needs=("data",),
    ),
    Case(
        "RNG-17",
        "GET_VRING_BASE of a ring that was never started",
        "The base is the one that was set.",
        _BASE,
        """
        * negotiate
        F>B SET_VRING_NUM ring 0 num=128
        F>B SET_VRING_BASE ring 0 base 5
        F>B GET_VRING_BASE ring 0
        B>F GET_VRING_BASE ring 0 base 5
        """,
        rules=("VU-VRG-11",),
    ),
    Case(
        "RNG-18",
        "a request after GET_VRING_BASE",
        "It is left alone: the ring is stopped.",
        f"{_STATES}: stop ring upon receiving VHOST_USER_GET_VRING_BASE",
        """
        * ready
        * request
        * stop
        * submit
        * kick
        * untouched
        """,
        rules=("VU-VRG-10",),
        needs=("data",),
    ),
    Case(
        "RNG-19",
        "GET_VRING_BASE twice",
        "The same answer comes twice.",
        _BASE,
        """
        * ready
        * request 2
        F>B GET_VRING_BASE ring {ring}
        B>F GET_VRING_BASE ring {ring} base 2
        F>B GET_VRING_BASE ring {ring}
        B>F GET_VRING_BASE ring {ring} base 2
        """,
        rules=("VU-VRG-11",),
        needs=("data",),
    ),
    Case(
        "RNG-20",
        "the call descriptor of a running ring is replaced",
        "The next request is signalled on the new one.",
        f"{_STATES}: the back-end must support changing some configuration aspects on the fly",
        """
        * ready
        * request
        * other call descriptor
        * request
        """,
        rules=("VU-VRG-12",),
        needs=("data",),
        ours_perhaps=("VU-VRG-12",),
    ),
    Case(
        "RNG-28",
        "the kick descriptor of a running ring is replaced",
        "The next request is taken when the new one is written to.",
        f"{_STATES}: the back-end must support changing some configuration aspects on the fly",
        """
        * ready
        * request
        * other kick descriptor
        * request
        """,
        rules=("VU-VRG-12",),
        needs=("data",),
    ),
)
