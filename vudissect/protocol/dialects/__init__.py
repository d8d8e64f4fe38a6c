"""The dialects: revisions, drafts and forks of the protocol, each as changes to the rows and bits of upstream.

They are in the other modules of this package, by family. Here they are in chronological order, except that upstream
comes first and each dialect comes after its base.
"""

from vudissect.protocol.dialects.crosvm import (
    CROSVM_2022,
    CROSVM_2023,
    CROSVM_2024,
    CROSVM_2026,
    CROSVM_SHMEM20,
    CROSVM_SHMEM21,
)
from vudissect.protocol.dialects.dialect import Dialect
from vudissect.protocol.dialects.drafts import (
    CONFIG_RFC,
    CRYPTO_RFC,
    INBAND_RFC,
    INPUT_RFC,
    MST_2015,
    REPLY_ACK_V1,
    SLAVE_RFC,
    STATUS_RFC,
    VFIO_RFC,
    XEN_RFC,
)
from vudissect.protocol.dialects.early import DOC_OFF_BY_ONE, MQ_V1, RESET_DEVICE_4, V1_BASE, VOS_RFC
from vudissect.protocol.dialects.forks import (
    FTL,
    PRESETUP_RFC,
    RUST_CFGFLAGS,
    SIZE_VARIANTS,
    SPDK_NVME_V1,
    SPDK_NVME_V2,
    UML_PIPE,
    VFE,
    YANDEX_SKIP_DRAIN,
)
from vudissect.protocol.dialects.probing import PROBE_V2, STANDALONE_V1
from vudissect.protocol.dialects.shmem import SHMEM_BIT20, SHMEM_BIT21, SHOBJ_BIT17
from vudissect.protocol.dialects.virtio_fs import FS_DAX, FS_DAX_2021, RUST_FS
from vudissect.protocol.table import UPSTREAM

UPSTREAM_DIALECT = Dialect(
    key=UPSTREAM.key,
    title="the newest published revision",
    when="2026-09-11",
    who="QEMU after 11.1",
    source="QEMU docs/interop/vhost-user.rst",
    living=True,
)

DIALECTS: tuple[Dialect, ...] = (
    UPSTREAM_DIALECT,
    V1_BASE,
    VOS_RFC,
    DOC_OFF_BY_ONE,
    MQ_V1,
    RESET_DEVICE_4,
    MST_2015,
    REPLY_ACK_V1,
    INPUT_RFC,
    SLAVE_RFC,
    CONFIG_RFC,
    CRYPTO_RFC,
    VFIO_RFC,
    SPDK_NVME_V1,
    SPDK_NVME_V2,
    FS_DAX,
    RUST_FS,
    RUST_CFGFLAGS,
    UML_PIPE,
    INBAND_RFC,
    STATUS_RFC,
    FS_DAX_2021,
    CROSVM_2022,
    CROSVM_2023,
    STANDALONE_V1,
    PROBE_V2,
    PRESETUP_RFC,
    VFE,
    SHOBJ_BIT17,
    CROSVM_2024,
    SHMEM_BIT20,
    CROSVM_SHMEM20,
    SHMEM_BIT21,
    CROSVM_SHMEM21,
    XEN_RFC,
    CROSVM_2026,
    FTL,
    YANDEX_SKIP_DRAIN,
    SIZE_VARIANTS,
)

_BY_KEY = {dialect.key: dialect for dialect in DIALECTS}


def dialect_by_name(key: str) -> Dialect | None:
    """The dialect with this key, in upper or lower case."""
    return _BY_KEY.get(key.lower())
