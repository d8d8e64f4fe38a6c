"""The program for bpftrace that prints what processes send and receive on their Unix stream sockets.

It runs in the kernel at the entry and exit of system calls, and reads the kernel's structures for what a descriptor is
(they need BTF). `vudissect.sources.kernel_trace` reads its lines:

* `C THREAD END START PROCESS CALL RESULT FIRST SECOND`: a call with its first two arguments, times in ns since boot;
* `F THREAD END PLACE NUMBER MODE MAGIC INODE TYPE PEER NAME`: a descriptor that came along, in the order of `PLACE`;
* `V THREAD END PLACE LENGTH`: a buffer; `B THREAD END PLACE OFFSET BYTES`: a part of its content;
* `. THREAD END FLAGS DESCRIPTORS LINES SERIAL`: the end of a call that had so many lines `F`, `V` and `B`; SERIAL
  counts those of its thread, so that lost lines are noticed;
* `X PROCESS TIME`: a process has ended; `T TIME`: a tick, ten each second.
"""

from collections.abc import Sequence
from typing import Final

CHUNK: Final = 128
"""Bytes that are printed at once: the kernel allows 512 for all variables of a program."""
ENVIRONMENT: Final = {"BPFTRACE_STRLEN": str(CHUNK), "BPFTRACE_PERF_RB_PAGES": "1024"}

MOST_SHOWN: Final = 2048
"""Bytes of a buffer that are printed."""
# So many buffers of a call, and descriptors of a message, which has 8 at most.
_MOST_BUFFERS: Final = 3
_MOST_DESCRIPTORS: Final = 8

_BUFFERS: Final = (("read", "buf", "count"), ("write", "buf", "count"), ("recvfrom", "ubuf", "size"))
_SENT: Final = ("sendto", "buff", "len")
_VECTORS: Final = ("readv", "writev")
_MESSAGES: Final = ("sendmsg", "recvmsg")
# Calls that only make or end descriptors, with their arguments.
_OTHERS: Final = {
    "close": ("fd",),
    "close_range": ("fd", "max_fd"),
    "dup": ("fildes",),
    "dup2": ("oldfd", "newfd"),
    "dup3": ("oldfd", "newfd"),
    "fcntl": ("fd", "cmd"),
    "socket": ("family", "type"),
    "accept": ("fd",),
    "accept4": ("fd",),
    "connect": ("fd",),
}
_FILE: Final = "(struct file *)*(uint64 *)kptr((uint64)curtask->files->fdt->fd + 8 * (uint64){})"
_SOCKET: Final = "(struct unix_sock *)((struct socket *)$file->private_data)->sk"


def program(pids: Sequence[int]) -> str:
    """The program for these processes."""
    wanted = " || ".join(f"pid == {pid}" for pid in pids)
    parts = [_other(name, arguments, wanted) for name, arguments in _OTHERS.items()]
    for name, buffer, length in (*_BUFFERS, _SENT):
        parts += [_entry(name, buffer, length, wanted), _exit(name, _ONE)]
    for name in _VECTORS:
        parts += [_entry(name, "vec", "vlen", wanted), _exit(name, _SEVERAL)]
    for name in _MESSAGES:
        parts += [_entry(name, "msg", "flags", wanted), _exit(name, _MESSAGE)]
    parts.append(
        f"tracepoint:sched:sched_process_exit /({wanted}) && curtask->signal->live.counter == 0/\n"
        '{ printf("X %d %lu\\n", pid, nsecs); }\n'
    )
    parts.append('interval:ms:100 { printf("T %lu\\n", nsecs); }\n')
    return "".join(parts)


def _other(name: str, arguments: Sequence[str], wanted: str) -> str:
    first, second = (f"(uint64)args->{each}" for each in (*arguments, *arguments)[:2])
    return f"""\
tracepoint:syscalls:sys_enter_{name} /{wanted}/ {{ @other[tid] = (nsecs, {first}, {second}); }}
tracepoint:syscalls:sys_exit_{name} /@other[tid].0/ {{
  if (args->ret >= 0) {{
    printf("C %d %lu %lu %d {name} %d %d %d\\n",
      tid, nsecs, @other[tid].0, pid, args->ret, @other[tid].1, @other[tid].2);
  }}
  delete(@other[tid]);
}}
"""


def _entry(name: str, buffer: str, length: str, wanted: str) -> str:
    """Keep the time, the descriptor, its inode, and where the data is, if it is a Unix stream socket."""
    peeks = " && (args->flags & 2) == 0" if name in ("recvfrom", "recvmsg") else ""
    return f"""\
tracepoint:syscalls:sys_enter_{name} /{wanted}/ {{
  $file = {_FILE.format("args->fd")};
  if (($file->f_inode->i_mode & 0170000) == 0140000{peeks}) {{
    $unix = {_SOCKET};
    if ($unix->sk.__sk_common.skc_family == 1 && $unix->sk.sk_type == 1) {{
      @call[tid] = (nsecs, (uint64)args->fd, (uint64)$file->f_inode->i_ino, (uint64)args->{buffer},
        (uint64)args->{length}, (uint64)((struct unix_sock *)$unix->peer)->sk.sk_socket->file->f_inode->i_ino);
    }}
  }}
}}
"""


def _exit(name: str, data: str) -> str:
    return f"""\
tracepoint:syscalls:sys_exit_{name} /@call[tid].0/ {{
  $end = nsecs;
  $call = @call[tid];
  $flags = (uint64)0;
  $passed = (uint64)0;
  $lines = (uint64)1;
  @serial[tid] += 1;
  printf("C %d %lu %lu %d {name} %d %d %lu\\n", tid, $end, $call.0, pid, args->ret, $call.1, $call.4);
  printf("F %d %lu -1 %d 140000 0 %lu 257 %lu \\n", tid, $end, $call.1, $call.2, $call.5);
  if (args->ret >= 0) {{
{data}  }}
  printf(". %d %lu %d %d %d %d\\n", tid, $end, $flags, $passed, $lines, @serial[tid]);
  delete(@call[tid]);
}}
"""


_BUFFER: Final = f"""\
      printf("V %d %lu %d %lu\\n", tid, $end, $place, $size);
      $lines += 1;
      if ($size > (uint64)args->ret) {{ $size = (uint64)args->ret; }}
      $offset = (uint64)0;
      while ($offset < $size && $offset < {MOST_SHOWN}) {{
        printf("B %d %lu %d %d %rx\\n", tid, $end, $place, $offset, buf(uptr($at + $offset), $size - $offset));
        $offset += {CHUNK};
        $lines += 1;
      }}
"""
_ONE: Final = f"""\
      $place = (uint64)0;
      $at = $call.3;
      $size = $call.4;
{_BUFFER}"""
_EACH: Final = f"""\
    $place = (uint64)0;
    while ($place < $count && $place < {_MOST_BUFFERS}) {{
      $at = *(uint64 *)uptr($vectors + 16 * $place);
      $size = *(uint64 *)uptr($vectors + 16 * $place + 8);
{_BUFFER}      $place += 1;
    }}
"""
_SEVERAL: Final = f"""\
    $vectors = $call.3;
    $count = $call.4;
{_EACH}"""
_MESSAGE: Final = f"""\
    $message = (struct user_msghdr *)uptr($call.3);
    $vectors = (uint64)$message->msg_iov;
    $count = (uint64)$message->msg_iovlen;
    $flags = (uint64)$message->msg_flags;
    $control = (uint64)$message->msg_control;
    if ((uint64)$message->msg_controllen >= 20 && *(int32 *)uptr($control + 12) == 1) {{
      $passed = (*(uint64 *)uptr($control) - 16) / 4;
    }}
{_EACH}\
    $place = (uint64)0;
    while ($place < $passed && $place < {_MOST_DESCRIPTORS}) {{
      $number = *(int32 *)uptr($control + 16 + 4 * $place);
      $file = {_FILE.format("$number")};
      $node = $file->f_inode;
      $name = $file->f_path.dentry->d_name;
      $type = (uint64)0;
      $peer = (uint64)0;
      if (($node->i_mode & 0170000) == 0140000) {{
        $unix = {_SOCKET};
        $type = (uint64)$unix->sk.__sk_common.skc_family * 256 + (uint64)$unix->sk.sk_type;
        $peer = (uint64)((struct unix_sock *)$unix->peer)->sk.sk_socket->file->f_inode->i_ino;
      }}
      printf("F %d %lu %d %d %o %x %lu %d %lu %rx\\n", tid, $end, $place, $number, $node->i_mode,
        $node->i_sb->s_magic, $node->i_ino, $type, $peer, buf($name.name, $name.len));
      $lines += 1;
      $place += 1;
    }}
"""
