/* User-Mode Linux before 6.13 knows the extended state of older processors only: it sets the beginning of it, which
 * newer kernels refuse. This gives them all of it, the rest as it was. For LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

long ptrace(enum __ptrace_request request, ...)
{
    static long (*real)(int, int, void *, void *);
    static _Thread_local char whole[1 << 16];
    va_list rest;

    va_start(rest, request);
    int pid = va_arg(rest, int);
    void *address = va_arg(rest, void *), *data = va_arg(rest, void *);
    va_end(rest);
    if (!real)
        real = (long (*)(int, int, void *, void *))dlsym(RTLD_NEXT, "ptrace");
    if (request == PTRACE_SETREGSET && (long)address == NT_X86_XSTATE) {
        struct iovec given = *(struct iovec *)data, all = {whole, sizeof whole};
        if (real(PTRACE_GETREGSET, pid, address, &all) == 0 && all.iov_len > given.iov_len) {
            memcpy(whole, given.iov_base, given.iov_len);
            return real(request, pid, address, &all);
        }
    }
    return real(request, pid, address, data);
}
