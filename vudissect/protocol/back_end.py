"""Messages that the back-end sends on the channel that SET_BACKEND_REQ_FD gave it.

Source, unless a row names another: QEMU docs/interop/vhost-user.rst, "Back-end message types".
"""

from functools import partial

from vudissect.protocol import payloads
from vudissect.protocol.model import Answer, Channel, Descriptors, FdKind, Gate, Row
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.since import qemu

_message = partial(
    Row,
    Channel.BACKEND,
    source="QEMU docs/interop/vhost-user.rst, Back-end message types",
    request=payloads.NOTHING,
)

MESSAGES: tuple[Row, ...] = (
    _message(
        id=1,
        name="IOTLB_MSG",
        summary="Reports a miss or a forbidden access in the device IOTLB.",
        request=(payloads.IOTLB,),
        gate=Gate(protocol=("BACKEND_REQ",), virtio=("ACCESS_PLATFORM",)),
        purpose=Purpose.UPDATE_IOTLB,
        since=qemu("2.10", "6dcdd06e3b"),
    ),
    _message(
        id=2,
        name="CONFIG_CHANGE_MSG",
        summary="Reports that the configuration space has changed.",
        gate=Gate(protocol=("BACKEND_REQ", "CONFIG")),
        purpose=Purpose.CHANGE_CONFIG,
        since=qemu("2.12", "4c3e257b5e"),
    ),
    _message(
        id=3,
        name="VRING_HOST_NOTIFIER_MSG",
        summary="Passes device memory that the guest may write to instead of kicking.",
        request=(payloads.VRING_AREA,),
        fds=Descriptors(FdKind.FILE, 0, 1, unless="nofd"),
        gate=Gate(protocol=("BACKEND_REQ", "HOST_NOTIFIER"), note="a descriptor also needs BACKEND_SEND_FD"),
        purpose=Purpose.PASS_NOTIFIER,
        since=qemu("3.0", "44866521bd"),
    ),
    _message(
        id=4,
        name="VRING_CALL",
        summary="Announces used buffers in-band instead of through the call eventfd.",
        request=(payloads.VRING_STATE,),
        gate=Gate(protocol=("BACKEND_REQ", "INBAND_NOTIFICATIONS")),
        purpose=Purpose.CALL_RING,
        since=qemu("5.0", "3348e7e34f"),
    ),
    _message(
        id=5,
        name="VRING_ERR",
        summary="Announces a ring error in-band instead of through the err eventfd.",
        request=(payloads.VRING_STATE,),
        gate=Gate(protocol=("BACKEND_REQ", "INBAND_NOTIFICATIONS")),
        purpose=Purpose.FAIL_RING,
        since=qemu("5.0", "3348e7e34f"),
    ),
    _message(
        id=6,
        name="SHARED_OBJECT_ADD",
        summary="Offers a shared object to other devices under a UUID.",
        request=(payloads.UUID,),
        gate=Gate(protocol=("BACKEND_REQ", "SHARED_OBJECT")),
        purpose=Purpose.ADD_OBJECT,
        since=qemu("8.2", "1609476662"),
    ),
    _message(
        id=7,
        name="SHARED_OBJECT_REMOVE",
        summary="Withdraws a shared object.",
        request=(payloads.UUID,),
        gate=Gate(protocol=("BACKEND_REQ", "SHARED_OBJECT")),
        purpose=Purpose.REMOVE_OBJECT,
        since=qemu("8.2", "1609476662"),
    ),
    _message(
        id=8,
        name="SHARED_OBJECT_LOOKUP",
        summary="Asks for the dma-buf of a shared object.",
        request=(payloads.UUID,),
        answer=Answer.ALWAYS,
        reply=(payloads.RESULT,),
        reply_fds=Descriptors(FdKind.DMABUF, 0, 1, note="when the result is 0"),
        gate=Gate(protocol=("BACKEND_REQ", "SHARED_OBJECT")),
        since=qemu("8.2", "1609476662"),
    ),
    _message(
        id=9,
        name="SHMEM_MAP",
        summary="Asks to map a file into one of the device's shared memory regions.",
        request=(payloads.SHMEM_MAP,),
        fds=Descriptors(FdKind.FILE, 1, 1),
        gate=Gate(protocol=("BACKEND_REQ", "SHMEM", "BACKEND_SEND_FD")),
        purpose=Purpose.MAP_SHARED_MEMORY,
        since=qemu("11.1", "588acb45c29f"),
    ),
    _message(
        id=10,
        name="SHMEM_UNMAP",
        summary="Asks to unmap a range of a shared memory region.",
        request=(payloads.SHMEM_MAP,),
        gate=Gate(protocol=("BACKEND_REQ", "SHMEM", "BACKEND_SEND_FD")),
        purpose=Purpose.UNMAP_SHARED_MEMORY,
        since=qemu("11.1", "588acb45c29f"),
    ),
)
