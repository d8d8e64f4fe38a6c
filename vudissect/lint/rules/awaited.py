"""VU-LOG-06, -07, VU-SHM-03, VU-MEM-15: changes that a side relies on before anything confirms them."""

from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.memory import memory
from vudissect.lint.rule import SPEC, Findings, RuleBook, ending, requests
from vudissect.lint.runs import purpose_of, ring_of
from vudissect.protocol.features import F_LOG_ALL
from vudissect.protocol.purpose import Purpose
from vudissect.wire.header import NEED_REPLY

RULES = RuleBook()


@memory
class _Unconfirmed:
    """The last change that nothing has confirmed yet: its frame (0 for none) and its name."""

    frame: int = 0
    name: str = ""


@RULES.rule(
    "VU-LOG-06",
    Severity.WARNING,
    "a front-end waits until a running device logs writes before it copies memory",
    "QEMU 699f2e535d (6.2)",
    requests(Purpose.ACK_FEATURES, Purpose.SET_RING_ADDRESSES, Purpose.STOP_RING) | ending(),
    remembers=_Unconfirmed,
)
def logging_awaited(at: At[_Unconfirmed]) -> Findings:
    purpose, change = purpose_of(at), at.memory
    if purpose is Purpose.ACK_FEATURES:
        turned_on = at.after.features.has(F_LOG_ALL) and not at.before.features.has(F_LOG_ALL)
        if turned_on and at.before.rings.running:
            change.frame, change.name = at.frame, at.name
    elif purpose is Purpose.SET_RING_ADDRESSES:
        if change.frame:
            change.frame = at.frame
    elif change.frame:
        frame, change.frame = change.frame, 0
        # An answer to a later request shows that the back-end got this far.
        if at.after.has("REPLY_ACK") and at.waiting.answered < frame:
            yield at.finding(
                f"logging is turned on while rings run, and nothing confirms it up to #{frame}: neither {change.name} "
                "nor the addresses that follow ask for an acknowledgement (REPLY_ACK is negotiated); anything the "
                "back-end writes to pages already copied before it starts logging is lost at the destination",
                Blame.FRONT_END,
                frame=frame,
            )


@RULES.rule(
    "VU-LOG-07",
    Severity.WARNING,
    "the addresses of a ring are logged only once LOG_ALL is acknowledged",
    f"{SPEC}, Migration",
    requests(Purpose.SET_RING_ADDRESSES),
)
def logged_without_log_all(at: At) -> Findings:
    ring, features = ring_of(at), at.after.features
    if ring is None or ring.addresses is None or not ring.addresses.logged or features.acked is None:
        return
    if not features.has(F_LOG_ALL) and at.first():
        offered = features.offered is None or features.offered & F_LOG_ALL
        yield at.finding(
            f"{at.name} of ring {ring.index} has the LOG flag, but LOG_ALL was never acknowledged"
            f"{'' if offered else ' or even offered'}: the back-end may log writes to memory that it was not given, or "
            "refuse the addresses",
            frames=(features.acked_in,),
        )


@RULES.rule(
    "VU-SHM-03",
    Severity.WARNING,
    "the back-end waits until its mapping of shared memory is in place before the guest uses it",
    f"{SPEC}, SHMEM_MAP; crosvm 6ca0b55da, 17fa228cf",
    requests(Purpose.MAP_SHARED_MEMORY),
)
def mapping_awaited(at: At) -> Findings:
    if at.message.flags & NEED_REPLY or at.after.protocol_features.acked is None:
        return
    features, bit = at.after.protocol_features, at.after.protocol.protocol_features.known("REPLY_ACK")
    if features.has(bit):
        blame, why = Blame.BACK_END, "it does not set NEED_REPLY, though REPLY_ACK is negotiated"
    elif (features.offered or 0) & bit:
        blame, why = Blame.FRONT_END, "the front-end did not acknowledge REPLY_ACK, which the back-end offers"
    else:
        blame, why = Blame.BACK_END, "the back-end does not offer REPLY_ACK"
    if at.first():
        yield at.finding(
            f"nothing confirms that {at.name} took effect before the guest uses the window: {why}; a guest that "
            "touches it too early is killed",
            blame,
        )


@RULES.rule(
    "VU-MEM-15",
    Severity.INFO,
    "a front-end that removes memory while rings run waits until the back-end no longer uses it",
    f"{SPEC}, SET_MEM_TABLE, REM_MEM_REG",
    requests(Purpose.REPLACE_MEMORY, Purpose.REMOVE_MEMORY),
)
def removal_awaited(at: At) -> Findings:
    if at.message.flags & NEED_REPLY or not at.before.rings.running or not at.after.has("REPLY_ACK"):
        return
    still = {(region.guest_addr, region.size) for region in at.after.memory.regions}
    gone = [region for region in at.before.memory.regions if (region.guest_addr, region.size) not in still]
    if gone and at.first():
        yield at.finding(
            f"{at.name} removes guest memory at {gone[0].guest_addr:#x} while rings run, without NEED_REPLY: the "
            "front-end cannot know when the back-end has stopped using it"
        )
