"""Lines of QEMU's vhost-user code: messages and their answers, memory, postcopy, requests of the back-end."""

from functools import partial

from vudissect.lint.dictionary.entry import Fate, LogLine, Suspect
from vudissect.lint.dictionary.program import Program
from vudissect.protocol.model import Channel
from vudissect.protocol.purpose import Purpose

_line = partial(LogLine, Program.QEMU, "QEMU hw/virtio/vhost-user.c")
_LAST = "the last message before it and the log of the back-end: why did it close the connection?"

LINES = (
    _line(
        ("Failed to read msg header. Read 0 instead of {n}. Original request {request}",),
        "The back-end closed the connection, or died, instead of answering this request.",
        Suspect.BACK_END,
        "the log of the back-end: it exits at this request or at the message before it",
        ("VU-RPL-08",),
        fate=Fate.CLOSED,
    ),
    _line(
        ("Failed to read msg header. Read {n} instead of {n}. Original request {request}",),
        "The answer to this request could not be read: an I/O error, or the connection broke in the middle of a "
        "header.",
        Suspect.BACK_END,
        _LAST,
        ("VU-RPL-08",),
        fate=Fate.CLOSED,
    ),
    _line(
        ("Failed to read msg header. Flags {n} instead of {n}",),
        "The flags of an answer are not exactly version 1 and REPLY. 0xd is an answer that echoes NEED_REPLY, 0x1 or "
        "0x9 is a "
        "request where an answer should be.",
        Suspect.BACK_END,
        "the flags of the back-end's answers",
        ("VU-HDR-05", "VU-HDR-03", "VU-HDR-04"),
    ),
    _line(
        ("Failed to read msg header. Size {n} exceeds the maximum {n}",),
        "The header of a message from the back-end announces more bytes than QEMU has room for: usually the two are "
        "out of step, "
        "or the back-end uses another layout of a long message.",
        Suspect.BACK_END,
        "the message before it, and whether both sides mean the same message",
        ("VU-HDR-08", "VU-CRY-01"),
    ),
    _line(
        ("Failed to read msg payload. Read {n} instead of {n}",),
        "An answer has fewer bytes than its header announces: the connection broke in the middle of it.",
        Suspect.BACK_END,
        _LAST,
        ("VU-HDR-07", "VU-RPL-08"),
        fate=Fate.CLOSED,
    ),
    _line(
        (
            "Received unexpected msg type. Expected {expected} received {received}",
            "Received unexpected msg type.Expected {expected} received {received}",
            "Unexpected msg type. Expected {expected} received {received}",
            "Received unexpected message type, expected {expected}, received {received}",
        ),
        "The answer is not for the request that QEMU waits for: something was answered twice, or "
        "with the wrong "
        "number, and all answers since are off by one.",
        Suspect.BACK_END,
        "the first answer that nothing asked for; often a message with NEED_REPLY that has an answer of its own as "
        "well",
        ("VU-RPL-01", "VU-RPL-02", "VU-RPL-07", "VU-RPL-12"),
    ),
    _line(
        ("Received unexpected msg type: {request}",),
        "A request on the back-end channel that this QEMU does not know; it answers with a failure and continues.",
        Suspect.BACK_END,
        "which feature the back-end needs for this request, and whether QEMU acknowledged it",
        ("VU-HDR-01", "VU-NEG-06"),
        channel=Channel.BACKEND,
    ),
    _line(
        ("Received bad msg size", "Received bad message size, expected {n}, received {n}"),
        "The contents of an answer do not have the size that this message has.",
        Suspect.BACK_END,
        "the size of the answer to the last request",
        ("VU-RPL-06", "VU-CFG-02"),
    ),
    _line(
        ("Failed to set msg fds",),
        "The connection was already closed when QEMU tried to pass descriptors: a consequence, the cause is before it.",
        Suspect.BACK_END,
        _LAST,
        ("VU-RPL-08", "VU-TIM-02"),
        fate=Fate.CLOSED,
    ),
    _line(
        ("Failed to write msg. Wrote {n} instead of {n}",),
        "The connection was already closed when QEMU tried to write: a consequence, the cause is before it.",
        Suspect.BACK_END,
        _LAST,
        ("VU-RPL-08", "VU-TIM-02"),
        fate=Fate.CLOSED,
    ),
    _line(
        ("Failed initializing vhost-user memory map",),
        "No region of the guest's memory can be shared, so there is nothing to send to the back-end.",
        Suspect.SETTINGS,
        "-object memory-backend-memfd,id=mem,share=on (or a file on hugetlbfs) and -numa node,memdev=mem or -machine "
        "memory-backend=mem",
        ("VU-MEM-01", "VU-FD-06"),
        (Purpose.REPLACE_MEMORY,),
    ),
    _line(
        ("Failed preparing vhost-user memory table msg",),
        "The guest has more memory regions with a file than one table holds (8).",
        Suspect.SETTINGS,
        "fewer memory devices, or a back-end that offers CONFIGURE_MEM_SLOTS",
        ("VU-MEM-01", "VU-MEM-06"),
        (Purpose.REPLACE_MEMORY,),
    ),
    _line(
        ("postcopy reply not fully consumed",),
        "The back-end's answer to a memory table in postcopy does not have the regions that were sent, or an "
        "acknowledgement came "
        "in its place.",
        Suspect.BACK_END,
        "the answer to the memory table after postcopy began",
        ("VU-PCP-02", "VU-RPL-02"),
        (Purpose.REPLACE_MEMORY,),
    ),
    _line(
        ("Unexpected size for postcopy reply", "invalid postcopy reply for region"),
        "In postcopy a memory region is answered with the same message, with the back-end's address in it; this "
        "answer is another.",
        Suspect.BACK_END,
        "the answer to the region or table after postcopy began",
        ("VU-PCP-01", "VU-PCP-02"),
        (Purpose.REPLACE_MEMORY, Purpose.ADD_MEMORY),
    ),
    _line(
        (
            "Failed to send postcopy_{any} to vhost",
            "Failed to get postcopy_advise reply from vhost",
            "Failed to receive reply to postcopy_",
            ": Failed to get ufd",
        ),
        "A step of postcopy migration failed: the back-end refused it, passed no userfaultfd, or is gone.",
        Suspect.BACK_END,
        "vm.unprivileged_userfaultfd and seccomp of the back-end, and its log",
        ("VU-PCP-01", "VU-PCP-04", "VU-RPL-08"),
        (Purpose.ADVISE_POSTCOPY, Purpose.START_POSTCOPY, Purpose.END_POSTCOPY),
        Fate.REFUSED,
    ),
    _line(
        ("vhost-user backend not capable of postcopy", "Failed to find region for fault"),
        "Postcopy migration needs PAGEFAULT, and a back-end that reports where it has mapped the guest's memory.",
        Suspect.BACK_END,
        "which protocol features the back-end offers",
        ("VU-PCP-01",),
        (Purpose.OFFER_PROTOCOL_FEATURES,),
    ),
    _line(
        ("vhost-user trying to send unhandled ioctl",),
        "QEMU needs a message whose feature is not negotiated (another byte order for a legacy device, a crypto "
        "session).",
        Suspect.BACK_END,
        "which protocol features the back-end offers",
        ("VU-NEG-06",),
        (Purpose.OFFER_PROTOCOL_FEATURES,),
    ),
    _line(
        (
            "Device expects VHOST_USER_PROTOCOL_F_CONFIG but backend does not support it",
            "VHOST_USER_PROTOCOL_F_CONFIG not supported",
        ),
        "This device reads its configuration from the back-end, which does not offer CONFIG.",
        Suspect.BACK_END,
        "whether the back-end is one for this type of device, and what it offers",
        ("VU-CFG-01",),
        (Purpose.OFFER_PROTOCOL_FEATURES,),
    ),
    _line(
        ("IOMMU support requires reply-ack and {any} protocol features",),
        "A virtual IOMMU (iommu_platform=on) needs a back-end with REPLY_ACK and BACKEND_REQ.",
        Suspect.BACK_END,
        "DPDK: iommu-support=1; Open vSwitch: vhost-iommu-support=true; or no iommu_platform",
        ("VU-IOT-01",),
        (Purpose.OFFER_PROTOCOL_FEATURES,),
    ),
    _line(
        ("The backend specified a max ram slots limit of {n}, when the prior validated limit was {n}",),
        "After a reconnect the back-end reports fewer memory slots than before.",
        Suspect.BACK_END,
        "whether another program or version took its place",
        ("VU-MEM-09",),
        (Purpose.COUNT_MEMORY_SLOTS,),
    ),
    _line(
        ("Migration disabled: vhost-user backend lacks VHOST_USER_PROTOCOL_F_LOG_SHMFD feature",),
        "The VM cannot be migrated live: the back-end cannot write into a log that is shared by descriptor.",
        Suspect.BACK_END,
        "a back-end that offers LOG_SHMFD and LOG_ALL",
        ("VU-LOG-01",),
        (Purpose.OFFER_PROTOCOL_FEATURES, Purpose.OFFER_FEATURES),
    ),
    _line(
        ("backend doesn't support VHOST_USER_PROTOCOL_F_{word} protocol feature",),
        "What QEMU is asked to do needs a protocol feature that the back-end does not offer.",
        Suspect.BACK_END,
        "a newer back-end, or the option that asks for it switched off",
        ("VU-NEG-02",),
        (Purpose.OFFER_PROTOCOL_FEATURES,),
    ),
    _line(
        (
            "The maximum number of queues supported by the backend is {n}",
            "you are asking more queues than supported: {n}",
        ),
        "The device has more queues than the back-end reports; network devices count pairs.",
        Suspect.SETTINGS,
        "queues= or num-queues= in QEMU, and the number of queues of the back-end; without MQ it is 1",
        ("VU-VRG-01",),
        (Purpose.COUNT_QUEUES,),
    ),
    _line(
        (
            "vhost_user_{word} return {errno}, {any} session failed",
            "Bad session id",
            "Unsupported cipher key size",
            "Unsupported auth key size",
            "Unsupported asymmetric key size",
        ),
        "A crypto session could not be made or closed: the back-end refused it, lays the message out differently, or "
        "is gone.",
        Suspect.BACK_END,
        "the size of the message: QEMU changed the layout in 8.1 and 11.1",
        ("VU-CRY-01", "VU-RPL-08"),
        fate=Fate.REFUSED,
    ),
    _line(
        ("Failed to get mem fd", "Failed to mmap mem fd"),
        "The back-end's memory for requests in flight did not come with the answer, or cannot be mapped.",
        Suspect.BACK_END,
        "the descriptor and size of the answer",
        ("VU-INF-01", "VU-FD-02"),
        (Purpose.OFFER_INFLIGHT,),
    ),
    _line(
        ("Cannot initialize vhost-user state",),
        "Two devices use the same chardev: a connection serves one device.",
        Suspect.SETTINGS,
        "a chardev and socket of its own for each device",
    ),
    _line(
        (
            "Back-end does not support migration state transfer",
            "vhost transport does not support migration state transfer",
        ),
        "The back-end does not offer DEVICE_STATE, so its internal state cannot be migrated.",
        Suspect.BACK_END,
        "virtiofsd 1.11 or newer, or --migration-on-error; or no migration of this device",
        ("VU-DST-01",),
        (Purpose.OFFER_PROTOCOL_FEATURES,),
    ),
    _line(
        (
            "Back-end did not accept migration state transfer",
            "Failed to get back-end-provided transfer pipe FD",
            "Failed to initiate state transfer",
        ),
        "The transfer of the back-end's internal state could not start: the back-end refused, passed no pipe, or is "
        "gone.",
        Suspect.BACK_END,
        "the log of the back-end, and whether all rings were stopped before",
        ("VU-DST-01", "VU-DST-02"),
        (Purpose.START_STATE_TRANSFER,),
        Fate.REFUSED,
    ),
    _line(
        (
            "Back-end failed to process its internal state",
            "Failed to send {message} message",
            "Failed to receive {message} reply",
        ),
        "The back-end could not save or load its internal state. The reason is in its own log.",
        Suspect.BACK_END,
        "the log of the back-end at that time; for virtiofsd the shared directory, --migration-mode and versions of "
        "both ends",
        ("VU-DST-01", "VU-RPL-05"),
        (Purpose.CHECK_STATE_TRANSFER,),
        Fate.REFUSED,
    ),
    _line(
        ("Error {word} back-end state of {any} device",),
        "Migration of the back-end's internal state failed.",
        Suspect.BACK_END,
        "what follows on this line, and the log of the back-end on this host",
        ("VU-DST-01", "VU-RPL-05"),
        (Purpose.START_STATE_TRANSFER, Purpose.CHECK_STATE_TRANSFER),
        Fate.REFUSED,
    ),
    _line(
        (
            "Failed to set up state transfer pipe",
            "Failed to receive state",
            "Failed to send state",
            "Failed to read state",
        ),
        "The pipe for the back-end's internal state broke, or the migration stream did.",
        Suspect.EITHER,
        "the log of the back-end, and whether the other QEMU gave up first",
        ("VU-DST-01",),
        (Purpose.START_STATE_TRANSFER, Purpose.CHECK_STATE_TRANSFER),
        named=True,
    ),
    _line(
        ("Back-end of {any} device {any} does not support migration through qemu",),
        "The back-end does not offer DEVICE_STATE, so QEMU refuses to migrate the device.",
        Suspect.BACK_END,
        "a newer back-end, or migration=external where its state is moved in another way",
        ("VU-DST-01",),
        (Purpose.OFFER_PROTOCOL_FEATURES,),
    ),
    _line(
        ("vhost_user_write req:{request} ", "vhost_user_write req:{request}\n"),
        "QEMU's trace: this request was sent to the back-end.",
        Suspect.NOBODY,
        "the vhost_user_read line after it, if it has an answer",
    ),
    _line(
        ("vhost_user_read req:{request} ",),
        "QEMU's trace: the back-end sent this answer.",
        Suspect.NOBODY,
        "whether it has the number of the request before it",
    ),
    _line(
        (
            "Bad fd for map",
            "Bad offset/len for mmap",
            "VIRTIO Shared Memory mapping overlap",
            "Failed to map shared memory",
        ),
        "The back-end asked for a mapping in a shared memory region that QEMU refuses: no descriptor, not in whole "
        "pages, beyond "
        "the region, or over another mapping.",
        Suspect.BACK_END,
        "offset, length and descriptor of the request, and what is mapped there already",
        ("VU-SHM-01",),
        (Purpose.MAP_SHARED_MEMORY,),
        Fate.REFUSED,
        channel=Channel.BACKEND,
    ),
    _line(
        ("Received too many shared memory regions", "Shared memory region {n} size"),
        "The back-end reports shared memory regions that QEMU has no room for, or with sizes that it cannot use.",
        Suspect.BACK_END,
        "the answer that lists the regions",
        ("VU-SHM-02",),
        (Purpose.COUNT_SHARED_MEMORY,),
    ),
    _line(
        (
            "lookup requires UUID",
            "Failed to lookup dmabuf",
            "Failed to add dmabuf",
            "Failed to remove dmabuf",
            "Invalid file descriptor for shared object",
        ),
        "A shared object (dma-buf) is asked for, offered or withdrawn that QEMU does not have, or has already.",
        Suspect.BACK_END,
        "the UUID, and who offered it first",
        ("VU-SHO-01", "VU-SHO-02"),
        (Purpose.ADD_OBJECT, Purpose.REMOVE_OBJECT),
        channel=Channel.BACKEND,
    ),
    _line(
        ("socketpair() failed",),
        "QEMU could not make the socket of the back-end channel: no more descriptors.",
        Suspect.SETTINGS,
        "ulimit -n of QEMU",
        (),
        (Purpose.OPEN_CHANNEL,),
    ),
)
