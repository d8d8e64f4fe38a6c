"""What may have happened to a message in transit: the framer detects it, captures keep it, rules and views show it."""

from enum import IntFlag


class Mark(IntFlag):
    """What happened to a message in transit; the numbers are in captures and never change."""

    DESCRIPTORS_LOST = 0x01  # the kernel dropped descriptors (MSG_CTRUNC)
    CUT_SHORT = 0x02  # the peer closed before the message was complete
    NOT_FORWARDED = 0x04  # the receiver was gone
    SPLIT = 0x08  # it arrived in pieces
    GLUED = 0x10  # it arrived together with the previous message
    BIG_ENDIAN = 0x20  # the bytes of the message are big-endian
    LATE_DESCRIPTORS = 0x40  # descriptors arrived after the first byte of the header
    KEYS_MASKED = 0x80  # key material was replaced by zeros
    EARLIER = 0x100  # repeated from an earlier file of a rotated capture
    ANSWER_UNSEEN = 0x200  # made from a log that has no answers: whether there was one is unknown
    INJECTED = 0x400  # not from its sender: the recorder sent it in the sender's place
    WITHHELD = 0x800  # the receiver never got it, or got another message in its place: the recorder did that


MARK_TEXTS = {
    Mark.DESCRIPTORS_LOST: "DESCRIPTORS LOST",
    Mark.CUT_SHORT: "CUT SHORT",
    Mark.NOT_FORWARDED: "NOT FORWARDED",
    Mark.LATE_DESCRIPTORS: "descriptors not on the first byte",
    Mark.INJECTED: "INJECTED",
    Mark.WITHHELD: "WITHHELD",
}
"""What a line about a message reports; the other marks are usual."""
MARK_WORDS = MARK_TEXTS | {Mark.SPLIT: "in pieces", Mark.EARLIER: "earlier"}
"""The words of a transcript, which also has what is usual but not what its sender did."""
