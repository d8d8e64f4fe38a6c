"""Which of the names that exist was meant by one that does not."""

from collections.abc import Iterable

_SIMILAR = 0.55
# How much less similar than the nearest name another may be.
_LEEWAY = 0.05


def did_you_mean(text: str, known: Iterable[str], otherwise: str = "", *, most: int = 3) -> str:
    """`did you mean X, Y?`, at most so many, whatever the case of the letters; `otherwise` if nothing is similar."""
    from difflib import SequenceMatcher  # only needed for errors

    matcher: SequenceMatcher[str] = SequenceMatcher()
    matcher.set_seq2(text.lower())
    scores: dict[str, float] = {}
    for name in known:
        matcher.set_seq1(name.lower())
        # The first two are cheap upper bounds of the third.
        if matcher.real_quick_ratio() >= _SIMILAR and matcher.quick_ratio() >= _SIMILAR:
            scores[name] = matcher.ratio()
    least = max(_SIMILAR, max(scores.values(), default=0.0) - _LEEWAY)
    near = sorted((name for name, score in scores.items() if score >= least), key=lambda name: -scores[name])
    return f"did you mean {', '.join(near[:most])}?" if near else otherwise
