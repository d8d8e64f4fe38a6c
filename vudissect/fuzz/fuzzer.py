"""The loop: derive a session, play it, look at the program, keep what is new, and make short what breaks it."""

import time
from collections import Counter, deque
from collections.abc import Callable
from random import Random
from threading import Lock
from typing import NamedTuple

from vudissect.check.program import last_lines
from vudissect.fuzz.corpus import Corpus
from vudissect.fuzz.finding import Finding, Key, Trouble, key_of, log_words, without_leaks
from vudissect.fuzz.leaks import goes_on, leak, may_leak
from vudissect.fuzz.minimise import minimise
from vudissect.fuzz.play import Played
from vudissect.fuzz.steps import Steps
from vudissect.fuzz.target import Target

# After so many sessions the process is started again, so that what one left behind is not blamed on others.
_FRESH_AFTER = 200
# A finding that needs more than the last session is looked for among so many.
_MOST_BEFORE, _FEW_BEFORE = 8, 2
# Where a crash is noticed late, the same is seen after many messages.
_MOST_LOOKS = 3
_MOST_LEAKS = 30
_TRIES = 2
_MOST_TIMES = 4
# Seconds to make a finding short.
_LONGEST = 120.0
# So many seconds more if the time is over by then.
_EXTRA = 10.0


class Limits(NamedTuple):
    """When to stop: after so many seconds, or so many sessions."""

    seconds: float
    runs: int | None = None


class Fuzzer:
    """What all workers share. `found` is called with each new finding, `tick` after each session."""

    def __init__(
        self,
        corpus: Corpus,
        seed: int,
        limits: Limits,
        found: Callable[[Finding], None],
        tick: Callable[["Fuzzer"], None] = lambda _: None,
    ) -> None:
        self.corpus = corpus
        self.runs = 0
        self.findings: set[Key] = set()
        self._looked: Counter[Key | None] = Counter()
        self._seed = seed
        self._limits = limits
        self._found = found
        self._tick = tick
        self._lock = Lock()
        self._began = time.monotonic()
        self._stopped = False
        self._first = deque(corpus.entries)

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    def stop(self) -> None:
        """Let the workers come to an end after what they are doing."""
        self._stopped = True

    @property
    def _over(self) -> bool:
        limits = self._limits
        return self._stopped or self.seconds >= limits.seconds or (limits.runs is not None and self.runs >= limits.runs)

    def work(self, target: Target) -> None:
        """Play sessions until it is over; `ProgramError`."""
        history: deque[Steps] = deque(maxlen=_MOST_BEFORE)
        since_start = 0
        while (steps := self._next(target)) is not None:
            since_start += 1
            fresh = since_start > _FRESH_AFTER
            if fresh:
                history.clear()
                since_start = 1
            played = target.play(steps, fresh=fresh)
            self._note(steps, played)
            history.append(steps)
            key = key_of(played)
            if key is not None or may_leak(played, since_start):
                self._look_closer(target, steps, played, tuple(history))
                history.clear()
                since_start = 0

    def _next(self, target: Target) -> Steps | None:
        """The next session, which depends on the seed, its number and the corpus only; None at the end."""
        with self._lock:
            if self._over:
                return None
            self.runs += 1
            if self._first:
                return self._first.popleft()
            random = Random(f"{self._seed} {self.runs}")
            # What leaks anyway takes long to look at, and hides what else is left over.
            return without_leaks(target.derive(self.corpus.choose(random), self.corpus.entries, random), self.findings)

    def _note(self, steps: Steps, played: Played) -> None:
        with self._lock:
            last, outcome = played.session.last, f"{played.fate.life} {played.fate.connection}"
            seen: set[tuple[str, ...]] = {*played.session.seen, (last, "fate", outcome)}
            seen |= {("log", words) for words in log_words(played.output)}
            # What is derived from a session that ends the program ends it, too, in nearly all cases.
            self.corpus.add(steps, seen, played.edges, keep=key_of(played) is None)
            self._tick(self)

    def _look_closer(self, target: Target, steps: Steps, played: Played, history: tuple[Steps, ...]) -> None:
        key = key_of(played)
        # A hang takes long to look at, and the last message before it says little about its cause.
        kind = key._replace(where="") if key is not None and key.trouble in (Trouble.HANG, Trouble.SPIN) else key
        with self._lock:
            self._looked[kind] += 1
            if self._looked[kind] > (_MOST_LOOKS if key is not None else _MOST_LEAKS):
                return
            known = set(self.findings)
        if key is None:
            if not goes_on(target, steps, played):
                return
            # What is left over of what leaks anyway is not worth a look.
            steps = without_leaks(steps, known)
            history = ()
        again = self._again(target, steps)
        # What needs the session before it seldom needs more of them.
        for count in (_FEW_BEFORE, _MOST_BEFORE) if history else ():
            again = again or self._again(target, target.chain(history[-count:]))
        if again is not None:
            self._shorten(target, again)
        elif key is not None:
            found = Finding(key, steps, played.session, played.fate, last_lines(played.output), reproduced=False)
            self._report(found)

    def _shorten(self, target: Target, found: Finding) -> None:
        with self._lock:
            if found.key in self.findings:
                return
            if found.key.trouble is not Trouble.LEAK:
                self.findings.add(found.key)
            known = frozenset(self.findings)
        test = _Test(target, found, known, lambda: self._stopped or self.seconds >= self._limits.seconds + _EXTRA)
        test.settle(found.steps)
        test.fresh = not target.forgets
        steps = minimise(found.steps, test)
        test.fresh = True
        if target.forgets and not test(steps):
            steps = minimise(found.steps, test)
        if found.key.trouble is Trouble.CRASH:
            test.exact = False
            steps = minimise(steps, test)
        # Without time for a last look, the last one has to do.
        again = test(steps) or test.over
        target.stop()
        last = test.found
        if last.key.trouble is Trouble.LEAK:
            if again:
                self._report(last)
            return
        with self._lock:
            if last.key != found.key:
                # What it was at first may be a fault of its own.
                self.findings.discard(found.key)
                if last.key in self.findings:
                    return
                self.findings.add(last.key)
            self._found(last._replace(reproduced=again))

    def _report(self, found: Finding) -> None:
        with self._lock:
            if found.key in self.findings:
                return
            self.findings.add(found.key)
            self._found(found)

    def _again(self, target: Target, steps: Steps) -> Finding | None:
        """The same session with a process that has seen nothing else, slowly, to see what it does not survive."""
        for _ in range(_TRIES):
            played = target.play(steps, fresh=True, careful=True)
            key = key_of(played) or leak(target, steps, played)
            if key is not None:
                return Finding(key, steps, played.session, played.fate, last_lines(played.output))
        return None


class _Test:
    """Whether a session does the same again; unless `fresh`, the process is kept as long as nothing happens.

    A kept process may have been damaged by the sessions before: `found` is the last one that a fresh one does not
    survive. Unless `exact`, a crash that is like the one that is wanted counts, too, if it is not one of `known`.
    """

    def __init__(self, target: Target, found: Finding, known: frozenset[Key], stopped: Callable[[], bool]) -> None:
        self._target = target
        self._wanted = found.key
        self._known = known
        self._stopped = stopped
        self._until = time.monotonic() + _LONGEST
        self.found = found
        self.fresh = True
        self.exact = True
        self._times = 1

    def settle(self, steps: Steps) -> None:
        """Find out whether it happens each time, or must be tried several times."""
        if not (self(steps) and self(steps)):
            self._times = _MOST_TIMES

    @property
    def over(self) -> bool:
        """Whether there is no more time."""
        return self._stopped() or time.monotonic() >= self._until

    def __call__(self, steps: Steps) -> bool:
        return not self.over and any(self._once(steps) for _ in range(self._times))

    def _once(self, steps: Steps) -> bool:
        played = self._target.play(steps, fresh=self.fresh, careful=True)
        key = key_of(played)
        if key is None and self._wanted.trouble is Trouble.LEAK:
            key = leak(self._target, steps, played)
            # Of what it is follows from what is left of the session.
            same = key is not None and key.how == self._wanted.how
        else:
            same = key == self._wanted or (not self.exact and key is not None and self._is_like(key))
        if same and key is not None and self.fresh:
            self.found = Finding(key, steps, played.session, played.fate, last_lines(played.output))
        return same

    def _is_like(self, key: Key) -> bool:
        return key not in self._known and key.is_like(self._wanted)
