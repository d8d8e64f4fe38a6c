"""What the things that a front-end may do after a flaw say about it."""

from vudissect.check.model import Behaviour, Meanings, Verdict

_ENDS: Meanings = {
    Behaviour.GIVES_UP: Verdict.PASS,
    Behaviour.REPORTS: Verdict.PASS,
    Behaviour.RECONNECTS: Verdict.PASS,
    Behaviour.GIVES_UP_QUIETLY: Verdict.NON_STRICT,
    Behaviour.STAYS: Verdict.NON_STRICT,
}

NOTICED: Meanings = _ENDS
"""It must not go on as if nothing had happened: it says what is wrong, and does without the device or ends."""

NOTICED_BY_CUSTOM: Meanings = {**_ENDS, Behaviour.GOES_ON: Verdict.NON_STRICT}
"""It should notice, but to go on does no harm."""

TOLERATED: Meanings = {**_ENDS, Behaviour.GOES_ON: Verdict.PASS}
"""It may go on or give up; it must not crash, or wait for ever."""

HARMLESS: Meanings = {Behaviour.GOES_ON: Verdict.PASS}
"""Nothing is wrong: it goes on as it does without."""

SURVIVED: Meanings = {**TOLERATED, Behaviour.STAYS: Verdict.PASS, Behaviour.GIVES_UP_QUIETLY: Verdict.PASS}
"""What it does is up to its driver, or its guest; it must not crash, and can be ended."""

UNUSUAL: Meanings = {**dict.fromkeys(_ENDS, Verdict.NON_STRICT), Behaviour.GOES_ON: Verdict.PASS}
"""Nothing is wrong, but no back-end does it."""
