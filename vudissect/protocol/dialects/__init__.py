"""The dialects: revisions, drafts and forks of the protocol, each as changes to the rows and bits of upstream.

They are in the other modules of this package, by family. Here they are in chronological order, except that upstream
comes first and each dialect comes after its base.
"""

from itertools import chain

from vudissect.protocol.dialects import crosvm, drafts, early, forks, probing, shmem, virtio_fs
from vudissect.protocol.dialects.dialect import Dialect
from vudissect.protocol.table import UPSTREAM

_FAMILIES = (early, drafts, shmem, virtio_fs, crosvm, forks, probing)

UPSTREAM_DIALECT = Dialect(
    key=UPSTREAM.key,
    title="the newest published revision",
    when="2026-09-11",
    who="QEMU after 11.1",
    source="QEMU docs/interop/vhost-user.rst",
    living=True,
)


def _age(dialect: Dialect) -> tuple[str, int]:
    """Sorts dialects by the day on which they began; a base comes before what is built on it."""
    began = dialect.when.removeprefix("since ").split()[0]
    if not began[0].isdigit():
        began = "9999"  # unknown, or always
    if dialect.base is None:
        return began, 0
    base, depth = _age(dialect.base)
    return max(began, base), depth + 1


DIALECTS: tuple[Dialect, ...] = (
    UPSTREAM_DIALECT,
    *sorted(chain.from_iterable(family.DIALECTS for family in _FAMILIES), key=_age),
)

_BY_KEY = {dialect.key: dialect for dialect in DIALECTS}


def dialect_by_name(key: str) -> Dialect | None:
    """The dialect with this key, in upper or lower case."""
    return _BY_KEY.get(key.lower())
