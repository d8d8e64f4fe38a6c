"""Looking into the rings of a session that runs, with its capture and the descriptors of its sides. Only on Linux."""

from collections.abc import Iterable, Iterator, Sequence
from time import monotonic_ns, sleep

from vudissect.analysis import Analysis
from vudissect.cli.errors import fail
from vudissect.host.process_files import ProcessFiles
from vudissect.proxy.rings import RingWatch, Seen
from vudissect.render.ring_table import Sample

_INTERVAL_NS = 1_000_000_000


def probe(file: str, pids: Sequence[int], analysis: Analysis, *, follow: bool) -> Iterator[Sample]:
    """What is in the rings now and a second later, or until interrupted. Exit 2 if there is nothing to look into."""
    files = ProcessFiles()
    for pid in pids:
        try:
            files.add(pid)
        except PermissionError:
            fail(f"--pid {pid}: not permitted: try as root, or as the user of the process (kernel.yama.ptrace_scope)")
        except OSError as error:
            fail(f"--pid {pid}: {error.strerror}")
    watch = RingWatch(files, requests=True)
    try:
        latest: dict[tuple[int, int], Seen] = {}
        frame = 0
        for event, _ in analysis:
            latest |= _by_ring(watch.see(event))
            frame = event.record.frame
        states = analysis.session.states
        if analysis.records.has_messages and not states:
            fail(f"{file}: no connection is open at its end: the session is over")
        start = monotonic_ns()
        latest |= _by_ring(watch.look(start))
        while True:
            for number, seen in latest.values():
                if number in states:
                    yield Sample(frame, max(0, seen.time - start), states[number], seen)
            if not follow and monotonic_ns() - start >= _INTERVAL_NS:
                return
            sleep(_INTERVAL_NS / 1e9)
            latest = _by_ring(watch.look(monotonic_ns()))
    finally:
        watch.close()


def _by_ring(found: Iterable[Seen]) -> dict[tuple[int, int], Seen]:
    return {(seen.connection, seen.observation.ring): seen for seen in found}
