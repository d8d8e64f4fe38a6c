"""The loop: derive a session, play it, look at the back-end, keep what is new, and make short what breaks it."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from random import Random
from threading import Lock
from typing import NamedTuple

from vudissect.capture.record import Record
from vudissect.check.discovery import Discovered
from vudissect.check.fate import Watch
from vudissect.check.outcome import Life
from vudissect.check.process import descriptors_of, memory_of, settled_descriptors
from vudissect.check.program import Program, last_lines
from vudissect.check.runner import Options, Runner
from vudissect.check.stage import Stage
from vudissect.fuzz.corpus import Corpus
from vudissect.fuzz.finding import Finding, Key, Trouble, key_of, log_words, without_leaks
from vudissect.fuzz.leaks import leak, may_leak
from vudissect.fuzz.minimise import minimise
from vudissect.fuzz.mutate import mutate
from vudissect.fuzz.play import Played, Player
from vudissect.fuzz.seeds import OWN, seeds_of
from vudissect.fuzz.steps import Steps, chained

# After so many sessions the process is started again, so that what one left behind is not blamed on others.
_FRESH_AFTER = 200
# A finding that needs more than the last session is looked for among so many.
_MOST_BEFORE = 8
_PATIENT = 2
_MOST_WAITS = 10
_FROM_CORPUS = 0.7
# Where a crash is noticed late, the same is seen after many messages.
_MOST_LOOKS = 3
_MOST_LEAKS = 30
_TRIES = 2
_MOST_TIMES = 4
# Seconds to make a finding short.
_LONGEST = 120.0
# So many seconds more if the time is over by then.
_EXTRA = 10.0
_LATEST = 30


class Backend:
    """A back-end that sessions are played with; it is started again when it has ended."""

    def __init__(self, program: Program, options: Options) -> None:
        self._program = program
        self._options = options
        self._runner = Runner(program, options)

    def discover(self) -> Discovered:
        """Find out what it is; `ProgramError`."""
        return self._runner.discover()

    def own_seeds(self) -> list[Steps]:
        """What the conformance suite does with it."""
        return [self.seed(self._runner.run_one(case).records) for case in OWN]

    def seed(self, records: Iterable[Record]) -> Steps:
        """The session in a capture, with the features that this back-end has."""
        return seeds_of(records, self._runner.discovered)

    def play(self, steps: Steps, *, fresh: bool = False, careful: bool = False) -> Played:
        """Play one session; `ProgramError` if the back-end cannot be started.

        `fresh`: with a process of its own. `careful`: step by step, and with more patience.
        """
        program, discovered = self._program, self._runner.discovered
        reconnects = "reconnect" in discovered.abilities
        if fresh or not reconnects:
            program.stop()
        program.start()
        written, before = len(program.output()), descriptors_of(program.pid)
        memory = self.memory
        device = self._options.device or discovered.device
        timeout = self._options.timeout * (_PATIENT if careful else 1)
        stage = Stage(program, device, timeout)
        try:
            session = Player(stage, program if careful else None).play(steps)
        finally:
            stage.close()
        session.records = tuple(stage.recorder.records)
        fate = Watch(program, device, timeout, reconnects, discovered.idle).fate(
            session.connection, before, silent=session.silent
        )
        output = program.output()[written:]
        if fate.life is not Life.ALIVE or fate.next_connection is False or fate.lost_descriptors:
            program.stop()
        return Played(session, fate, output, self.memory - memory if fate.life is Life.ALIVE else 0)

    @property
    def memory(self) -> int:
        """Bytes of its address space, -1 if that cannot be seen."""
        return memory_of(self._program.pid)

    def holds_more_than(self, most: int) -> bool:
        """Whether it holds more descriptors, and goes on to do so for a while."""
        program = self._program
        return all(settled_descriptors(program.pid, most, program.clock) > most for _ in range(_MOST_WAITS))

    def stop(self) -> None:
        """End it; it is started again when it is needed."""
        self._program.stop()


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

    def work(self, backend: Backend) -> None:
        """Play sessions until it is over; `ProgramError`."""
        history: deque[Steps] = deque(maxlen=_MOST_BEFORE)
        since_start = 0
        while (steps := self._next()) is not None:
            since_start += 1
            fresh = since_start > _FRESH_AFTER
            if fresh:
                history.clear()
                since_start = 1
            played = backend.play(steps, fresh=fresh)
            self._note(steps, played)
            history.append(steps)
            key = key_of(played)
            if key is not None or may_leak(played, since_start):
                self._look_closer(backend, steps, played, tuple(history))
                history.clear()
                since_start = 0

    def _next(self) -> Steps | None:
        """The next session, which depends on the seed, its number and the corpus only; None at the end."""
        with self._lock:
            if self._over:
                return None
            self.runs += 1
            if self._first:
                return self._first.popleft()
            random = Random(f"{self._seed} {self.runs}")
            entries = self.corpus.entries
            latest = entries[-_LATEST:] if random.random() < _FROM_CORPUS else entries
            # What leaks anyway takes long to look at, and hides what else is left over.
            return without_leaks(mutate(random.choice(latest), entries, random), self.findings)

    def _note(self, steps: Steps, played: Played) -> None:
        with self._lock:
            last, outcome = played.session.last, f"{played.fate.life} {played.fate.connection}"
            seen: set[tuple[str, ...]] = {*played.session.seen, (last, "fate", outcome)}
            seen |= {("log", words) for words in log_words(played.output)}
            # What is derived from a session that ends the back-end ends it, too, in nearly all cases.
            self.corpus.add(steps, seen, keep=key_of(played) is None)
            self._tick(self)

    def _look_closer(self, backend: Backend, steps: Steps, played: Played, history: tuple[Steps, ...]) -> None:
        key = key_of(played)
        with self._lock:
            self._looked[key] += 1
            if self._looked[key] > (_MOST_LOOKS if key is not None else _MOST_LEAKS):
                return
            known = set(self.findings)
        if key is None:
            # What is left over of what leaks anyway is not worth a look.
            steps = without_leaks(steps, known)
            history = ()
        again = self._again(backend, steps) or self._again(backend, chained(history))
        if again is not None:
            self._shorten(backend, again)
        elif key is not None:
            found = Finding(key, steps, played.session, played.fate, last_lines(played.output), reproduced=False)
            self._report(found)

    def _shorten(self, backend: Backend, found: Finding) -> None:
        with self._lock:
            if found.key in self.findings:
                return
            if found.key.trouble is not Trouble.LEAK:
                self.findings.add(found.key)
        test = _Test(backend, found.key, lambda: self._stopped or self.seconds >= self._limits.seconds + _EXTRA)
        test.settle(found.steps)
        test.fresh = False
        steps = minimise(found.steps, test)
        test.fresh = True
        if not test(steps):
            steps = minimise(found.steps, test)
        # Without time for a last look, the last one has to do.
        again = test(steps) or (test.over and test.played is not None)
        backend.stop()
        if again and test.played is not None:
            last = test.played
            found = Finding(test.key, steps, last.session, last.fate, last_lines(last.output))
        if found.key.trouble is not Trouble.LEAK:
            with self._lock:
                self._found(found._replace(reproduced=again))
        elif again:
            self._report(found)

    def _report(self, found: Finding) -> None:
        with self._lock:
            if found.key in self.findings:
                return
            self.findings.add(found.key)
            self._found(found)

    def _again(self, backend: Backend, steps: Steps) -> Finding | None:
        """The same session with a process that has seen nothing else, slowly, to see what it does not survive."""
        for _ in range(_TRIES):
            played = backend.play(steps, fresh=True, careful=True)
            key = key_of(played) or leak(backend, steps, played)
            if key is not None:
                return Finding(key, steps, played.session, played.fate, last_lines(played.output))
        return None


class _Test:
    """Whether a session does the same again; unless `fresh`, the process is kept as long as nothing happens."""

    def __init__(self, backend: Backend, key: Key, stopped: Callable[[], bool]) -> None:
        self._backend = backend
        self._wanted = self.key = key
        self._stopped = stopped
        self._until = time.monotonic() + _LONGEST
        self.played: Played | None = None
        self.fresh = True
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
        played = self._backend.play(steps, fresh=self.fresh, careful=True)
        key = key_of(played)
        if key is None and self._wanted.trouble is Trouble.LEAK:
            key = leak(self._backend, steps, played)
            # Of what it is follows from what is left of the session.
            same = key is not None and key.how == self._wanted.how
        else:
            same = key == self._wanted
        if same and key is not None:
            self.key, self.played = key, played
        return same
