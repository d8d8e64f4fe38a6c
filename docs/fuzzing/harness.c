/* A harness for libFuzzer and AFL++: plays a seed of `seeds.py` with a back-end in this process.
 *
 * A seed is a row of messages as they are on the wire, and before each one a byte with the number of its descriptors and
 * a letter for the kind of each. Replace `serve` by what your back-end does with a connection until it ends.
 */

#define _GNU_SOURCE
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

int serve(int connection);

enum { HEADER = 12, MOST_DESCRIPTORS = 32, MOST_MESSAGES = 100, MEMORY = 64 << 20 };

static int descriptor(char kind) {
    int ends[2];

    if (kind == 'm' || kind == 'f') {
        int memory = memfd_create("ram", 0);
        return ftruncate(memory, MEMORY) ? -1 : memory;
    }
    if (kind == 's' && !socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) {
        close(ends[1]);
        return ends[0];
    }
    return eventfd(0, EFD_NONBLOCK);
}

static void send_message(int to, const uint8_t *data, size_t size, const char *kinds, size_t count) {
    char control[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))] = {0};
    int descriptors[MOST_DESCRIPTORS];
    struct iovec bytes = {(void *)data, size};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};

    for (size_t at = 0; at < count; at++)
        descriptors[at] = descriptor(kinds[at]);
    if (count) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        CMSG_FIRSTHDR(&message)->cmsg_level = SOL_SOCKET;
        CMSG_FIRSTHDR(&message)->cmsg_type = SCM_RIGHTS;
        CMSG_FIRSTHDR(&message)->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), descriptors, count * sizeof(int));
    }
    sendmsg(to, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    for (size_t at = 0; at < count; at++)
        close(descriptors[at]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
        return 0;
    /* All of them before the back-end begins, few enough that neither they nor the answers fill the socket. */
    for (int number = 0; number < MOST_MESSAGES && size; number++) {
        size_t count = data[0], start = 1 + count, length;
        uint32_t payload;

        if (count > MOST_DESCRIPTORS || size < start + HEADER)
            break;
        memcpy(&payload, data + start + 8, sizeof(payload));
        length = payload < size - start - HEADER ? HEADER + payload : size - start;
        send_message(ends[0], data + start, length, (const char *)data + 1, count);
        data += start + length;
        size -= start + length;
    }
    shutdown(ends[0], SHUT_WR);
    serve(ends[1]); /* closes it */
    close(ends[0]);
    return 0;
}
