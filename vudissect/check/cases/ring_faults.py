"""Rings that no driver may write, and messages about rings that no device has."""

from vudissect.check.cases.rings import absent
from vudissect.check.model import EITHER, REFUSED_BY_CUSTOM, Behaviour, Case, Verdict

_OFTEN = 25
"""One back-end dies of it in one session of four."""
_SURVIVES = "no text: a driver's fault must not end a process that serves others"
_NO_TEXT = "no text on what a back-end does with it"
_SETTLES = "The connection is closed, or the ring stops; the process lives, and does not spin."


def _broken(case: str, how: str, title: str = "", rules: tuple[str, ...] = ()) -> Case:
    return Case(
        case,
        title or how,
        _SETTLES,
        _SURVIVES,
        f"""
        * ready
        * request
        * break the ring: {how}
        * settled
        """,
        needs=("data",),
        rules=rules,
    )


def _absent(case: str, message: str, words: str, section: str, times: int = 1) -> Case:
    return Case(
        case,
        f"{message} of 16 rings from 192 to 252",
        "It is refused where there are fewer rings.",
        f"{section}; {_NO_TEXT}",
        f"""
        * negotiate
        * memory
        {absent(message, words)}
        """,
        rules=("VU-VRG-01",),
        meanings=REFUSED_BY_CUSTOM,
        ours_perhaps=("VU-VRG-01",),
        fresh=True,
        times=times,
    )


CASES = (
    _broken("RNG-21", "avail index beyond the ring", "the avail index jumps by more than the size of the ring"),
    _broken("RNG-22", "a chain without an end", "a descriptor chain that is a loop"),
    _broken("RNG-23", "a buffer outside of memory", "a buffer outside of all memory", rules=("VU-MEM-05",)),
    Case(
        "RNG-39",
        "a buffer outside of all memory, in a ring with an err descriptor",
        "The err descriptor is signalled. Most back-ends do not.",
        "VHOST_USER_SET_VRING_ERR: the event file descriptor to signal when error occurs",
        """
        * ready
        * give err descriptor
        * request
        * break the ring: a buffer outside of memory
        * settled
        ? * an error is signalled
        """,
        rules=("VU-MEM-05",),
        meanings={Behaviour.FAILED: Verdict.NON_STRICT},
        needs=("data",),
    ),
    _absent("RNG-41", "SET_VRING_ENABLE", "enable", "VHOST_USER_SET_VRING_ENABLE"),
    _absent("RNG-42", "SET_VRING_BASE", "base 0", "VHOST_USER_SET_VRING_BASE"),
    _absent(
        "RNG-43",
        "SET_VRING_ADDR",
        "desc=0x7f0000000000 avail=0x7f0000001000 used=0x7f0000002000",
        "VHOST_USER_SET_VRING_ADDR",
        times=_OFTEN,
    ),
    _absent("RNG-44", "SET_VRING_CALL", "evt#1", "VHOST_USER_SET_VRING_CALL"),
    _absent("RNG-45", "SET_VRING_ERR", "evt#1", "VHOST_USER_SET_VRING_ERR"),
    Case(
        "RNG-46",
        "SET_VRING_NUM of a running ring",
        "It is accepted or refused; the process lives.",
        f"VHOST_USER_SET_VRING_NUM; {_NO_TEXT}",
        """
        * ready
        * request
        ? F>B SET_VRING_NUM ring {ring} num=64
        * settled
        """,
        rules=("VU-VRG-22",),
        meanings=EITHER,
        needs=("data",),
        ours_perhaps=("VU-VRG-22",),
    ),
    _broken("RNG-47", "a head beyond the table", "the available ring names a descriptor beyond the table"),
    _broken("RNG-48", "a next beyond the table", "a chain that goes on beyond the descriptor table"),
    _broken("RNG-49", "an empty buffer", "a request that is one buffer of 0 bytes"),
    _broken("RNG-50", "a buffer of 4 GiB", "a buffer of 4 GiB, of which only the beginning is memory"),
    _broken("RNG-51", "a table outside of memory", "an indirect table outside of all memory"),
    _broken("RNG-52", "a table of 8 bytes", "an indirect table of 8 bytes, half a descriptor"),
    _broken("RNG-53", "a table within a table", "an indirect descriptor within an indirect table"),
)
