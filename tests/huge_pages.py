"""Huge pages of 2 MiB for a test, if the machine permits it; what was changed is undone."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HUGE = 2 << 20

_COUNT = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")


@contextmanager
def huge_pages(size: int) -> Iterator[None]:
    """As many more as `size` bytes need, for the block. The test is skipped where there are none."""
    try:
        before = int(_COUNT.read_text())
        wanted = before + -(-size // HUGE)
        _COUNT.write_text(str(wanted))
    except OSError as error:
        pytest.skip(f"the number of huge pages cannot be changed here: {error}")
    try:
        if int(_COUNT.read_text()) < wanted:
            pytest.skip("there is no memory for huge pages")
        yield
    finally:
        _COUNT.write_text(str(before))


@contextmanager
def hugetlbfs(folder: Path) -> Iterator[Path]:
    """A file system of huge pages in a new folder, for the block. The test is skipped where it cannot be mounted."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "hugetlbfs", "none", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"hugetlbfs cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        # Lazily: a peer may have files open.
        subprocess.run(["umount", "-l", folder], check=True)


def huge_memfd(name: str) -> int:
    """A memfd of huge pages."""
    return os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_HUGETLB | os.MFD_HUGE_2MB)
