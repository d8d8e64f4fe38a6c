"""Record the captures in this folder again: python captures/make.py [NAME…], without a name all of them.

`vuproxy` records each between real programs, which the code of the tests starts (tests/peers/situations/).
tests/peers/captures.py lists them. A page for each capture describes how it was made. Exit status: 0 if all were made,
1 if some could not be made, 2 for an unknown name.
"""

import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.peers.captures import CAPTURES, path_of, provenance_of
from tests.peers.processes import PeerError
from tests.peers.provenance import check_packages, page, write_overview

_RECORDING = "recorded.pcapng"


def make(name: str) -> Path:
    """Record one capture and replace its file if everything went well; `PeerError` if not."""
    capture = CAPTURES[name]
    check_packages(capture)
    with tempfile.TemporaryDirectory() as created:
        folder = Path(created).resolve()
        capture.situation.record(folder, folder / _RECORDING, capture.options)
        provenance = page(name, folder, datetime.now(UTC).date())
        path = Path(shutil.copyfile(folder / _RECORDING, path_of(name)))
    provenance_of(name).write_text(provenance)
    return path


def main(names: list[str]) -> int:
    """Record the captures with these names, or all; returns the exit status."""
    unknown = [name for name in names if name not in CAPTURES]
    if unknown:
        print(f"unknown capture {unknown[0]!r}; use {', '.join(CAPTURES)}", file=sys.stderr)
        return 2
    failed = 0
    for name in names or CAPTURES:
        try:
            print(make(name))
        except PeerError as error:
            failed += 1
            print(f"{name}: cannot be made: {error}", file=sys.stderr)
    write_overview()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main([Path(name).name.removesuffix(".pcapng") for name in sys.argv[1:]]))
