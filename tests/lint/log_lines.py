"""Real lines of logs with the program that wrote them and who is likely to blame, several for each program."""

from vudissect.lint.dictionary.entry import Suspect
from vudissect.lint.dictionary.program import Program

FRONT_END, BACK_END, EITHER = Suspect.FRONT_END, Suspect.BACK_END, Suspect.EITHER
SETTINGS, GUEST, OTHER, NOBODY = Suspect.SETTINGS, Suspect.GUEST, Suspect.OTHER, Suspect.NOBODY

OF_PUBLIC_REPORTS = (
    (Program.QEMU, BACK_END, "qemu-system-x86_64: vhost VQ 0 ring restore failed: -5: Input/output error (5)"),
    (
        Program.QEMU,
        BACK_END,
        "qemu-kvm: -device vhost-user-scsi-pci,chardev=scsi.1,id=scsi.1: vhost-user-scsi: vhost initialization failed: "
        "Operation not permitted",
    ),
    (
        Program.QEMU,
        BACK_END,
        "qemu-kvm: Error loading back-end state of virtio-user-fs device /machine/peripheral/fs0/virtio-backend "
        '(tag: "myfs"): Back-end failed to process its internal state',
    ),
    (
        Program.QEMU,
        BACK_END,
        "qemu-system-x86_64: -device vhost-user-fs-pci,chardev=char-f9b6,tag=kataShared: vhost_backend_init failed: "
        "Protocol error",
    ),
    (
        Program.DPDK,
        FRONT_END,
        "VHOST_CONFIG: last_used_idx (0) and vq->used->idx (61440) mismatches; some packets maybe resent for Tx and "
        "dropped for Rx",
    ),
    (Program.DPDK, OTHER, "2021-01-06T10:00:00.000Z|00123|dpdk|INFO|VHOST_CONFIG: vhost peer closed"),
    (
        Program.DPDK,
        SETTINGS,
        "VHOST_CONFIG: (/var/storage/vhost/vm_0) logging feature is disabled in async copy mode",
    ),
    (Program.SPDK, GUEST, "vhost.c: 629:vhost_vring_desc_payload_to_iov: *ERROR*: gpa_to_vva((nil)) == NULL"),
    (
        Program.SPDK,
        BACK_END,
        "May 26 18:39:01 node spdk[63948]: vhost.c: 980:wait_for_semaphore: *ERROR*: Timeout waiting for event: stop "
        "session.",
    ),
    (
        Program.RUST_VMM,
        NOBODY,
        "[2024-02-27T17:32:14Z DEBUG vhost::vhost_user::backend_req_handler] vhost-user: request Ok(SET_VRING_ENABLE)",
    ),
    (
        Program.CLOUD_HYPERVISOR,
        SETTINGS,
        "cloud-hypervisor: 60.13972213s: <vmm> ERROR:virtio-devices/src/vhost_user/vu_common_ctrl.rs:390 -- Failed "
        "connecting the backend after trying for 1 minute: VhostUserProtocol(SocketConnect(Os { code: 2, kind: "
        'NotFound, message: "No such file or directory" }))',
    ),
    (
        Program.CLOUD_HYPERVISOR,
        BACK_END,
        "ERROR:vmm/src/lib.rs:2035 -- Migration failed: Failed to start migration for migratable component: Error "
        "starting migration for vhost-user backend: MigrationNotSupported",
    ),
    (
        Program.CLOUD_HYPERVISOR,
        BACK_END,
        "thread 'vcpu3' panicked at 'Failed to activate device: "
        "VhostUserSetup(VhostUserMemoryRegion(NoMemoryRegion))', "
        "src/libcore/result.rs:1188:5",
    ),
    (Program.LIBVHOST_USER, FRONT_END, "libvhost-user: Invalid vhost_user_get_inflight_fd message:24"),
    (Program.VPP, FRONT_END, "vhost_user_socket_read: failed to map memory. errno is 12"),
    (
        Program.CROSVM,
        OTHER,
        "[2025-08-05T10:00:00.0+00:00 ERROR devices::virtio::vhost_user_frontend] vhost-user worker thread exited with "
        "an error: vhost_user_frontend worker failed: failed to handle vhost-user request: client closed the "
        "connection",
    ),
)

OF_QEMU = (
    (BACK_END, "qemu: Failed to read msg header. Read 0 instead of 12. Original request 1."),
    (BACK_END, "Failed to read msg header. Read -1 instead of 12. Original request 11."),
    (BACK_END, "Received unexpected msg type. Expected 22 received 40"),
    (BACK_END, "vhost_user_set_mem_table_postcopy: Received unexpected msg type.Expected 5 received 37"),
    (BACK_END, "Failed to read msg header. Flags 0xd instead of 0x5."),
    (BACK_END, "Failed to read msg header. Size 4096 exceeds the maximum 1072."),
    (BACK_END, "Failed to read msg payload. Read 0 instead of 8."),
    (BACK_END, "Received bad msg size."),
    (BACK_END, "qemu-system-x86_64: Failed to set msg fds."),
    (BACK_END, "qemu-system-aarch64: Failed to write msg. Wrote -1 instead of 20."),
    (BACK_END, "vhost VQ 0 ring restore failed: -22: Invalid argument (22)"),
    (BACK_END, "vhost VQ 1 ring restore failed: -1: Resource temporarily unavailable (11)"),
    (BACK_END, "vhost_set_vring_call failed 22"),
    (BACK_END, "2023-01-01T10:00:00.123456Z qemu-kvm: vhost_set_mem_table failed: Invalid argument (22)"),
    (BACK_END, "qemu-kvm: vhost_set_features failed: Protocol error (71)"),
    (BACK_END, "qemu-kvm: -netdev vhost-user,chardev=c,id=n: vhost_set_owner failed"),
    (
        SETTINGS,
        "Failed initializing vhost-user memory map, consider using -object memory-backend-file share=on",
    ),
    (SETTINGS, "you are asking more queues than supported: 128"),
    (SETTINGS, "The maximum number of queues supported by the backend is 1"),
    (BACK_END, "vhost_user_set_mem_table_postcopy: postcopy reply not fully consumed 1 vs 2"),
    (BACK_END, "Received unexpected msg type: 9."),
    (BACK_END, "Device expects VHOST_USER_PROTOCOL_F_CONFIG but backend does not support it."),
    (BACK_END, "IOMMU support requires reply-ack and backend-req protocol features."),
    (
        BACK_END,
        "The backend specified a max ram slots limit of 8, when the prior validated limit was 32. This limit should "
        "never decrease.",
    ),
    (BACK_END, "Migration disabled: vhost-user backend lacks VHOST_USER_PROTOCOL_F_LOG_SHMFD feature."),
    (BACK_END, "vhost lacks VHOST_F_LOG_ALL feature."),
    (
        BACK_END,
        "can't migrate vhost-user-blk device: backend doesn't support VHOST_USER_PROTOCOL_F_GET_VRING_BASE_SKIP_DRAIN "
        "protocol feature",
    ),
    (SETTINGS, "vhost backend memory slots limit is less than current number of present memory slots"),
    (
        SETTINGS,
        "vhost backend memory slots limit (8) is less than current number of used (9) and reserved (0) memory slots "
        "for "
        "memory devices.",
    ),
    (BACK_END, "vhost lacks feature mask 0x40000000 for backend"),
    (BACK_END, "qemu-kvm: unable to start vhost net: 22: falling back on userspace virtio"),
    (BACK_END, "qemu-system-x86_64: failed to init vhost_net for queue 0"),
    (BACK_END, "qemu-system-x86_64: vhost-user-blk: vhost start failed: Protocol error"),
    (BACK_END, "qemu-system-x86_64: Error starting vhost: 5"),
    (BACK_END, "qemu-system-x86_64: Error starting vhost-user-base: 71"),
    (BACK_END, "-device vhost-user-blk-pci,chardev=c: vhost-user-blk: get block config failed"),
    (BACK_END, "vhost-user-gpu: get device config space failed"),
    (BACK_END, "set device config space failed"),
    (BACK_END, "Error get inflight: 22"),
    (SETTINGS, "qemu-kvm: -chardev socket,id=c,path=/tmp/s: Failed to connect to '/tmp/s': No such file or directory"),
    (SETTINGS, "qemu-kvm: -chardev socket,id=c,path=/tmp/s: Failed to connect socket /tmp/s: Connection refused"),
    (
        NOBODY,
        "qemu-kvm: -chardev socket,id=c,path=/tmp/s,server=on: info: QEMU waiting for connection on: "
        "disconnected:unix:/tmp/s,server=on",
    ),
    (SETTINGS, 'chardev "c0" does not support FD passing'),
    (BACK_END, "VQ 0 size 0x80 < last_avail_idx 0x1f - used_idx 0x0"),
    (BACK_END, "VQ 2 size 0x100 Guest index 0x0 inconsistent with Host index 0x86: delta 0xff7a"),
    (SETTINGS, "Features 0x130afe7a2 unsupported. Allowed features: 0x1c0010178bfa6"),
    (EITHER, "error while loading state for instance 0x0 of device '0000:00:05.0/virtio-net'"),
    (EITHER, "qemu-kvm: load of migration failed: Invalid argument"),
    (BACK_END, "vhost-user backend not capable of postcopy"),
    (BACK_END, "Bad fd for map"),
    (BACK_END, "VIRTIO Shared Memory mapping overlap"),
    (BACK_END, "Received too many shared memory regions"),
    (BACK_END, 'Back-end of virtio-user-fs device /machine/x (tag: "fs") does not support migration through qemu'),
    (NOBODY, "vhost_user_write req:45 (GET_VRING_BASE_SKIP_DRAIN) flags:0x1"),
    (NOBODY, "12345@1700000000.123456:vhost_user_read req:15 flags:0x5"),
    (EITHER, "Fail to update device iotlb"),
    (BACK_END, "qemu-system-x86_64: Failed to read from slave."),
    (BACK_END, 'qemu-kvm: -netdev vhost-user,chardev=charnet0,id=n: chardev "charnet0" went down'),
    (FRONT_END, "qemu-system-x86_64: ../hw/virtio/vhost.c:1000: vhost_dev_cleanup: Assertion `!hdev->log' failed."),
    (SETTINGS, "qemu-kvm: unable to map backing store for guest RAM: Cannot allocate memory"),
    (BACK_END, "qemu-kvm: Unable to write to socket: Broken pipe"),
)

OF_OTHERS = (
    (Program.STORAGE_DAEMON, FRONT_END, "qemu-storage-daemon: vu_panic: virtio: too many descriptors"),
    (Program.STORAGE_DAEMON, SETTINGS, "Only one vhost-user client is allowed to connect the server one time"),
    (Program.LIBVHOST_USER, FRONT_END, "Unhandled request: 34"),
    (Program.LIBVHOST_USER, FRONT_END, "vu_panic: remapping queue 0 during setmemtable"),
    (Program.LIBVHOST_USER, FRONT_END, "fv_panic: libvhost-user: Invalid vring_addr message"),
    (Program.LIBVHOST_USER, GUEST, "vu_panic: Guest says index 61440 is available"),
    (Program.LIBVHOST_USER, GUEST, "vu_panic: virtio legacy devices aren't supported by libvhost-user"),
    (Program.LIBVHOST_USER, FRONT_END, "virtiofsd: vu_message_read: Assertion `vmsg->fd_num <= 8' failed."),
    (Program.LIBVHOST_USER, FRONT_END, "vu_panic: region mmap error: Cannot allocate memory"),
    (Program.LIBVHOST_USER, FRONT_END, "vu_panic: Error while recvmsg: Connection reset by peer"),
    (Program.DPDK, FRONT_END, "VHOST_CONFIG: (/tmp/s) processing VHOST_USER_SET_MEM_TABLE failed."),
    (Program.DPDK, FRONT_END, "VHOST_CONFIG: Processing VHOST_USER_SET_VRING_ENABLE failed."),
    (Program.DPDK, FRONT_END, "VHOST_CONFIG: (/tmp/s) vhost message handling failed."),
    (Program.DPDK, FRONT_END, "VHOST_CONFIG: (/tmp/s) vhost message (req: 80) was not handled."),
    (Program.DPDK, FRONT_END, "VHOST_CONFIG: expect 0 FDs for request VHOST_USER_REM_MEM_REG, received 1"),
    (Program.DPDK, FRONT_END, "VHOST_CONFIG: (/tmp/s) received invalid negotiated features."),
    (Program.DPDK, FRONT_END, "VHOST_CONFIG: (0) received invalid negotiated features."),
    (Program.DPDK, FRONT_END, "VHOST_CONFIG: mmap region 0 failed."),
    (Program.DPDK, FRONT_END, "VHOST_CONFIG: (/tmp/s) mmap failed (Cannot allocate memory)."),
    (Program.DPDK, EITHER, "VHOST_CONFIG: truncted msg"),
    (Program.DPDK, FRONT_END, "VHOST_CONFIG: recvmsg failed on fd 61 (Connection reset by peer)"),
    (Program.DPDK, SETTINGS, "VHOST_CONFIG: /tmp/s: reconnecting..."),
    (Program.DPDK, SETTINGS, "VHOST_CONFIG: failed to connect to /tmp/s: Connection refused"),
    (Program.DPDK, SETTINGS, "VHOST_CONFIG: (/tmp/s) failed to bind: Address already in use; remove it and try again"),
    (Program.DPDK, FRONT_END, "VHOST_CONFIG: (/tmp/s) IOTLB miss req failed for IOVA 0xfff00000"),
    (Program.DPDK, GUEST, "VHOST_DATA: (/tmp/s) failed to copy desc to mbuf."),
    (Program.DPDK, EITHER, "VHOST_CRYPTO: vhost_crypto_create_sess() line 400: Invalid cipher key length"),
    (Program.DPDK, NOBODY, "VHOST_CONFIG: (/tmp/s) virtio is now ready for processing."),
    (Program.DPDK, NOBODY, "VHOST_CONFIG: (/tmp/s)          guest virtual  addr: 0x7fc600000000"),
    (Program.DPDK, NOBODY, "VHOST_CONFIG: not implemented"),
    (Program.SPDK, BACK_END, "vhost: rte_vhost_compat.c:103: vhost_session_mem_unregister: Assertion `false' failed."),
    (
        Program.CLOUD_HYPERVISOR,
        BACK_END,
        "VmBoot(DeviceManager(CreateVhostUserNet(VhostUserOpen(VhostUserProtocol(x)))))",
    ),
    (Program.KERNEL, BACK_END, "INFO: task jbd2/vda1-8:231 blocked for more than 120 seconds."),
    (Program.VIRTIO_USER, BACK_END, "virtio_user_dev: vhost_user_read(): Failed to recv msg hdr: 0 instead of 12."),
    (
        Program.VIRTIO_USER,
        BACK_END,
        "VIRTIO_DRIVER: vhost_user_check_reply_ack(): Slave replied NACK to request type (5)",
    ),
    (Program.VIRTIO_USER, SETTINGS, "vhost_user_setup(): virtio_user0: connect error, No such file or directory"),
    (Program.SPDK, SETTINGS, "vhost_blk.c: *ERROR*: Guest memory size is not a 2MB multiple"),
    (
        Program.SPDK,
        GUEST,
        "vhost_blk.c: 700:process_vq: *ERROR*: vm.0:1: request idx '300' exceeds virtqueue size (128).",
    ),
    (Program.SPDK, BACK_END, "rte_vhost_user.c: 1200: *ERROR*: Couldn't stop device with vid 0."),
    (Program.SPDK, SETTINGS, "vhost_user.c: 900: *ERROR*: Controller vhost.0 has still valid connection."),
    (Program.RUST_VMM, FRONT_END, 'Error: "HandleRequest(InvalidParam)"'),
    (Program.RUST_VMM, OTHER, "failed to handle request: peer disconnected"),
    (Program.RUST_VMM, BACK_END, "Failed to set features: VhostUserProtocol(BackendInternalError)"),
    (Program.RUST_VMM, OTHER, 'SocketBroken(Os { code: 32, kind: BrokenPipe, message: "Broken pipe" })'),
    (Program.RUST_VMM, FRONT_END, 'Error: "FindMemoryRegion"'),
    (Program.RUST_VMM, BACK_END, "thread '<unnamed>' panicked at 'index out of bounds'"),
    (Program.RUST_DAEMON, BACK_END, "[ERROR vhost_device_vsock] Could not create daemon: NewVhostUserHandler"),
    (Program.RUST_DAEMON, GUEST, "[ERROR vhost_device_sound] Descriptor not found"),
    (Program.VIRTIOFSD, OTHER, "[2022-12-20T12:01:27Z INFO  virtiofsd] Client disconnected, shutting down"),
    (Program.VIRTIOFSD, NOBODY, "[2022-12-20T12:01:27Z INFO  virtiofsd] Waiting for vhost-user socket connection..."),
    (Program.VIRTIOFSD, FRONT_END, "[ERROR virtiofsd] Waiting for daemon failed: HandleRequest(InvalidMessage)"),
    (
        Program.VIRTIOFSD,
        BACK_END,
        "[ERROR virtiofsd] Migration failed: Failed to load state: Inode 2: Opening /x: No such file or directory",
    ),
    (Program.VIRTIOFSD, OTHER, "virtio_loop: vu_dispatch failed"),
    (
        Program.OPEN_VSWITCH,
        OTHER,
        "2024-01-01T00:00:00.000Z|00077|netdev_dpdk|INFO|vHost Device '/tmp/s' has been removed",
    ),
    (
        Program.OPEN_VSWITCH,
        FRONT_END,
        "|netdev_dpdk(vhost_evt)|WARN|Connection on socket '/tmp/s' closed during initialization.",
    ),
    (Program.OPEN_VSWITCH, BACK_END, "netdev_dpdk|ERR|Removing port 'vh0' while vhost device still attached."),
    (
        Program.OPEN_VSWITCH,
        NOBODY,
        "netdev_dpdk|INFO|State of queue 0 ( tx_qid 0 ) of vhost device '/tmp/s' changed to 'enabled'",
    ),
    (Program.VPP, FRONT_END, "unknown vhost-user message 20 received. closing socket"),
    (Program.VPP, FRONT_END, "vpp[123]: vhost_user_socket_read:900: number of mem regions must be between 1 and 8"),
    (
        Program.CLOUD_HYPERVISOR,
        SETTINGS,
        "vhost-user-net requested too many queues (4) since the backend only supports 2",
    ),
    (Program.CLOUD_HYPERVISOR, SETTINGS, "Using vhost-user requires using shared memory or huge pages"),
    (Program.CLOUD_HYPERVISOR, BACK_END, "cloud-hypervisor: 3.5s: <vmm> ERROR: Set vring kick failed"),
    (Program.CROSVM, BACK_END, "[ERROR devices::virtio::vhost_user_frontend] failed to set features: client closed"),
    (Program.CROSVM, FRONT_END, "[ERROR vmm_vhost::backend_server] protocol feature is not negotiated: CONFIG"),
    (Program.FIRECRACKER, BACK_END, "firecracker: Vhost-user error: Get features failed: PartialMessage"),
    (Program.PASST, FRONT_END, "passt: EOF on vhost-user message receive"),
    (Program.PASST, FRONT_END, "passt: vhost-user region mmap error: Cannot allocate memory"),
    (Program.LIBVIRT, SETTINGS, "error: internal error: virtiofsd died unexpectedly"),
    (
        Program.KATA,
        BACK_END,
        'time="2024-01-01T00:00:00Z" level=warning msg="The virtiofsd had stopped" source=virtcontainers',
    ),
    (Program.YC_LIBVHOST, FRONT_END, "[disk] vring is already started"),
    (Program.SNABB, FRONT_END, "lib/virtio/net_device.lua:404: attempt to index a nil value"),
    (Program.KERNEL, BACK_END, "kernel: virtiofsd[123]: segfault at 0 ip 000055d0 sp 00007ffc error 4 in virtiofsd"),
)
