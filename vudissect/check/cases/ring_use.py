"""Rings as drivers use them: several of them, full ones, stopped and started, moved, notified in all ways."""

from vudissect.check.model import EITHER, Behaviour, Case, Verdict

_STATES = "Ring states"
_FLY = f"{_STATES}: the back-end must support changing some configuration aspects on the fly"
_BASE = "VHOST_USER_GET_VRING_BASE"
_NO_TEXT = "no text on what a back-end does with it"
_SPLIT = "virtio specification, Split Virtqueues"

CASES = (
    Case(
        "RNG-29",
        "a ring is kicked before it is enabled, and before its kick descriptor arrives",
        "The request is done once the ring is enabled: the kick is not lost.",
        f"{_STATES}: started but disabled",
        """
        * negotiate
        * memory
        * configure
        * submit
        * kick
        * give descriptors to a slow reader
        * enable
        * served
        """,
        rules=("VU-VRG-09", "VU-VRG-19"),
        needs=("data", "PROTOCOL_FEATURES"),
    ),
    Case(
        "RNG-30",
        "only another ring than the first is used",
        "It works: rings are independent of each other.",
        f"{_STATES}: each ring is started and enabled on its own",
        """
        * negotiate
        * memory
        F>B SET_VRING_NUM ring {other} num=128
        * use only the other ring
        * start
        * request on the other ring
        """,
        rules=("VU-VRG-09",),
        needs=("data", "other ring"),
    ),
    Case(
        "RNG-31",
        "one ring is configured and enabled after the other",
        "Both work.",
        f"{_STATES}: each ring is started and enabled on its own",
        """
        * negotiate
        * memory
        * use the other ring
        * start one ring after the other
        * request
        * request on the other ring
        """,
        rules=("VU-VRG-09",),
        needs=("data", "other ring"),
        ours_perhaps=("VU-VRG-19",),
    ),
    Case(
        "RNG-32",
        "another ring is stopped and started while a request waits in a ring",
        "The ring is not disturbed, and both go on.",
        f"{_STATES}: stop ring upon receiving VHOST_USER_GET_VRING_BASE",
        """
        * use the other ring
        * ready
        * request
        * request on the other ring
        * submit
        F>B GET_VRING_BASE ring {other}
        B>F GET_VRING_BASE ring {other} base 1
        * kick
        * served
        * restart the other ring at the base
        * request on the other ring
        * request
        """,
        rules=("VU-VRG-10", "VU-VRG-11"),
        needs=("data", "other ring"),
    ),
    Case(
        "RNG-33",
        "the counter of the call descriptor is full",
        "The back-end does not wait for somebody to read it: it answers, and the request is done.",
        "no text: a descriptor that nobody reads must not block a process that serves others",
        """
        * ready
        * request
        * fill the call descriptor
        * submit
        * kick
        * served, signalled or not
        F>B GET_VRING_BASE ring {ring}
        B>F GET_VRING_BASE ring {ring} base 2
        """,
        rules=("VU-TIM-01",),
        needs=("data",),
    ),
    Case(
        "RNG-34",
        "two rings share a kick descriptor",
        "A kick is for both. No front-end does this; the back-end may see it in one of them only, but does not hang.",
        f"VHOST_USER_SET_VRING_KICK; {_NO_TEXT}",
        """
        * use the other ring
        * share the kick descriptor
        * ready
        * submit
        * submit on the other ring
        * kick
        ? * served
        ? * served on the other ring
        * settled
        """,
        meanings={Behaviour.FAILED: Verdict.INFORMATIONAL, Behaviour.CLOSED: Verdict.INFORMATIONAL},
        needs=("data", "other ring"),
    ),
    Case(
        "RNG-35",
        "SET_VRING_CALL with bit 8: no call descriptor any more",
        "Requests are done, and the old descriptor is not signalled.",
        "VHOST_USER_SET_VRING_CALL: this signals that polling will be used instead of waiting for the call",
        """
        * ready
        * request
        F>B SET_VRING_CALL ring {ring} nofd
        * submit
        * kick
        * served, signalled or not
        * not signalled
        """,
        rules=("VU-VRG-12",),
        needs=("data",),
        ours_perhaps=("VU-VRG-12",),
    ),
    Case(
        "RNG-36",
        "the memory moves to other user addresses while the ring is stopped",
        "The ring works with its new addresses.",
        "VHOST_USER_SET_MEM_TABLE; VHOST_USER_SET_VRING_ADDR: user addresses are those of the memory table",
        """
        * ready
        * request
        * stop
        * memory at 0x7d0000000000
        * start again
        * request
        """,
        rules=("VU-MEM-08", "VU-MEM-05"),
        needs=("data",),
        ours_perhaps=("VU-VRG-07", "VU-MEM-08", "VU-MEM-05"),
    ),
    Case(
        "RNG-37",
        "50 times: a request, GET_VRING_BASE, and on from there",
        "The base is exact each time, and every request is done.",
        f"{_BASE}; Vring base index: the index of the next available ring entry",
        """
        * ready
        * stop and go 50 times
        """,
        rules=("VU-VRG-07", "VU-VRG-11"),
        needs=("data",),
    ),
    Case(
        "RNG-38",
        "a ring is disabled and enabled while 20 requests are in it",
        "All of them are done, each once.",
        f"{_STATES}: started but disabled",
        """
        * ready
        * submit 20
        * kick
        * begun
        * disable
        * enable
        * served
        * request
        """,
        rules=("VU-VRG-09",),
        needs=("data", "PROTOCOL_FEATURES"),
        not_device=("net",),
    ),
    Case(
        "RNG-40",
        "a kick without a request",
        "Nothing comes of it, and the next request is done.",
        "no text: a driver may notify more often than it must",
        """
        * ready
        * kick
        * settled
        * request
        """,
        rules=("VU-VRG-09",),
        needs=("data",),
    ),
    Case(
        "RNG-54",
        "the driver wants no calls",
        "The request is done and not signalled.",
        f"{_SPLIT}, Used Buffer Notification Suppression: the device SHOULD NOT send a notification if flags is 1",
        """
        * ready
        * request
        * no calls
        * submit
        * kick
        * served, signalled or not
        ? * not signalled
        """,
        meanings={Behaviour.FAILED: Verdict.NON_STRICT},
        needs=("data",),
    ),
    Case(
        "RNG-55",
        "EVENT_IDX is negotiated, and 3 requests are made",
        "Each is done and signalled: the driver moves used_event on.",
        f"{_SPLIT}, Used Buffer Notification Suppression: used_event",
        """
        * negotiate with EVENT_IDX
        * memory
        * start
        * request 3
        """,
        needs=("data", "EVENT_IDX"),
    ),
    Case(
        "RNG-56",
        "a request in an indirect table",
        "It is done: INDIRECT_DESC is negotiated.",
        f"{_SPLIT}, Indirect Descriptors",
        """
        * negotiate with INDIRECT_DESC
        * memory
        * start
        * indirect request
        """,
        needs=("data", "INDIRECT_DESC"),
    ),
    Case(
        "RNG-57",
        "a full ring, and one kick",
        "All requests are done.",
        f"{_STATES}: until the ring is stopped, the back-end processes it",
        """
        * ready
        * fill the ring
        * kick
        * served
        """,
        rules=("VU-VRG-09",),
        needs=("data",),
    ),
    Case(
        "RNG-58",
        "the ring begins at 65530, and 10 requests are made",
        "All are done, and the base is 4: it counts modulo 65536.",
        "Vring base index: for split virtqueues 16 bits",
        """
        * negotiate
        * memory
        * begin at 65530
        * start
        * request 10
        F>B GET_VRING_BASE ring {ring}
        B>F GET_VRING_BASE ring {ring} base 4
        """,
        rules=("VU-VRG-06", "VU-VRG-11"),
        needs=("data",),
    ),
    Case(
        "RNG-59",
        "a ring is disabled that was never configured",
        "It is accepted or refused; the ring works afterwards.",
        f"{_STATES}; {_NO_TEXT}",
        """
        * negotiate
        ? F>B SET_VRING_ENABLE ring {ring} disable
        * memory
        * start
        * request
        """,
        rules=("VU-VRG-20",),
        meanings=EITHER,
        needs=("data", "PROTOCOL_FEATURES"),
    ),
    Case(
        "RNG-60",
        "a ring is enabled twice",
        "It works: to enable what is enabled changes nothing.",
        f"VHOST_USER_SET_VRING_ENABLE; {_NO_TEXT}",
        """
        * ready
        * request
        * enable
        * request
        """,
        rules=("VU-VRG-20",),
        needs=("data", "PROTOCOL_FEATURES"),
    ),
    Case(
        "RNG-61",
        "the same call and kick descriptors again, on a running ring",
        "The ring goes on.",
        _FLY,
        """
        * ready
        * request
        * give descriptors
        * request
        """,
        rules=("VU-VRG-12",),
        needs=("data",),
        ours_perhaps=("VU-VRG-12",),
    ),
    Case(
        "RNG-62",
        "a ring of 32768 entries",
        "It works: this is the largest size.",
        "virtio specification, Virtqueues: the maximum Queue Size value is 32768",
        """
        * negotiate
        * rings of 32768 entries
        * memory
        * start
        * request 3
        """,
        rules=("VU-VRG-02",),
        needs=("data",),
    ),
)
