"""`python -m benchmarks [NAME ...]`: run all benchmarks, or the named ones, and print a table for each."""

import argparse
import os
import platform
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from benchmarks import (
    attach,
    conformance,
    crowds,
    export,
    faults,
    flood,
    iotlb,
    page,
    replay,
    rings,
    rotation,
    roundtrip,
    show,
    startup,
    wireshark,
    wrapper,
)
from benchmarks.table import Row, as_text

BENCHMARKS: dict[str, Callable[[], list[Row]]] = {
    "roundtrip": roundtrip.run,
    "flood": flood.run,
    "rotation": rotation.run,
    "wrapper": wrapper.run,
    "attach": attach.run,
    "faults": faults.run,
    "page": page.run,
    "iotlb": iotlb.run,
    "rings": rings.run,
    "show": show.run,
    "export": export.run,
    "startup": startup.run,
    "wireshark": wireshark.run,
    "replay": replay.run,
    "crowds": crowds.run,
    "conformance": conformance.run,
}


def machine() -> str:
    """Processor, cores, kernel, interpreter and load of the machine, on one line."""
    models = (line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    model = next(models, "unknown processor").partition(": ")[2]
    return (
        f"{model}, {len(os.sched_getaffinity(0))} cores, Linux {platform.release()}, "
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"vudissect {metadata.version('vudissect')}, load {os.getloadavg()[0]:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)} (default: all)")
    names = parser.parse_args().names or list(BENCHMARKS)
    for name in names:
        if name not in BENCHMARKS:
            parser.error(f"unknown benchmark {name!r}; use {', '.join(BENCHMARKS)}")
    print(machine(), flush=True)
    for name in names:
        print(f"\n{name}\n{as_text(BENCHMARKS[name]())}", flush=True)


if __name__ == "__main__":
    main()
