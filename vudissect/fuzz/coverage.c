/* Shows `vudissect fuzz` which edges of its code a back-end passes; see docs/fuzz.md, "Coverage of the code".
 *
 * Compile it without coverage, and link it into the program, and into each shared library that has coverage of its own:
 *
 *     cc -O2 -fPIC -c coverage.c
 *     gcc -fsanitize-coverage=trace-pc ... coverage.o
 *     clang -fsanitize-coverage=trace-pc-guard ... coverage.o
 *
 * It marks a byte for each edge in the memory that AFL has for this, and does nothing in a program that is started
 * otherwise. Its names are those that the compilers call; they are hidden, so that each library has its own copy.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/shm.h>

#define HIDDEN __attribute__((visibility("hidden")))

/* The linker's: where this program or library begins, wherever it is loaded. */
extern const char __ehdr_start[] HIDDEN;

static unsigned char nothing;
static unsigned char *map = &nothing;
static size_t last;                    /* one less than the size of the map, which is a power of two */
static __thread uint64_t previous;

static uint64_t mixed(uint64_t value) {
    value *= 0x9e3779b97f4a7c15u;
    return value >> 32 ^ value;
}

/* Differs from library to library, and is the same in each run. */
static uint64_t own(void) {
    return mixed((uintptr_t)&map - (uintptr_t)__ehdr_start);
}

__attribute__((constructor(101))) static void attach(void) {
    const char *number = getenv("__AFL_SHM_ID");
    struct shmid_ds about;
    void *memory;

    if (!number || shmctl(atoi(number), IPC_STAT, &about) || about.shm_segsz < 2)
        return;
    memory = shmat(atoi(number), NULL, 0);
    if (memory == (void *)-1)
        return;
    map = memory;
    while (last * 2 + 1 < about.shm_segsz)
        last = last * 2 + 1;
}

/* trace-pc: at the beginning of each block. An edge is this block and the one before it in this thread. */
HIDDEN void __sanitizer_cov_trace_pc(void) {
    uint64_t here = mixed((uintptr_t)__builtin_return_address(0) - (uintptr_t)__ehdr_start + own());

    map[(here ^ previous) & last] = 1;
    previous = here >> 1;
}

/* trace-pc-guard: once for each library, and then at each edge. */
HIDDEN void __sanitizer_cov_trace_pc_guard_init(uint32_t *start, uint32_t *stop) {
    static uint32_t count;

    if (start == stop || *start)
        return;
    while (start < stop)
        *start++ = ((uint32_t)own() + count++) | 0x80000000u; /* 0 is for edges that do not count */
}

HIDDEN void __sanitizer_cov_trace_pc_guard(uint32_t *guard) {
    map[*guard & last] = 1;
}
