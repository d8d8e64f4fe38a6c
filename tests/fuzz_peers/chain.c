/* A back-end with a fault after a chain of conditions. From outside, each step of the chain looks like any other session:
 * it answers what has an answer, and never refuses anything. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { GET_FEATURES = 1, SET_VRING_NUM = 8, SET_VRING_BASE = 10, GET_VRING_BASE = 11, SET_VRING_ERR = 14, SET_VRING_ENABLE = 18 };

struct header {
    uint32_t number, flags, size;
};

static int receive(int fd, char *to, size_t size) {
    while (size) {
        char control[CMSG_SPACE(253 * sizeof(int))];
        struct iovec piece = {to, size};
        struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
        ssize_t got = recvmsg(fd, &message, 0);
        if (got <= 0)
            return 0;
        for (struct cmsghdr *each = CMSG_FIRSTHDR(&message); each; each = CMSG_NXTHDR(&message, each))
            for (size_t at = 0; at + sizeof(int) <= each->cmsg_len - CMSG_LEN(0); at += sizeof(int))
                close(*(int *)(CMSG_DATA(each) + at));
        to += got;
        size -= got;
    }
    return 1;
}

static int answer(int fd, uint32_t number, uint64_t value) {
    struct {
        struct header header;
        uint64_t value;
    } reply = {{number, 5, sizeof(value)}, value};
    return send(fd, &reply, sizeof(reply.header) + sizeof(value), MSG_NOSIGNAL) > 0;
}

#ifdef IN_PROCESS
int faults;
static void fault(void) {
    faults++;
}
#else
static void fault(void) {
    abort();
}
#endif

static int links;

/* Each step needs the one before it, in the same session. */
static void look(uint32_t number, const uint32_t *words) {
    if ((words[0] | words[1]) < 64)
        return;
    if (number == SET_VRING_NUM) {
        if (links == 0)
            links = 1;
    }
    if (number == SET_VRING_BASE) {
        if (links == 1)
            links = 2;
    }
    if (number == SET_VRING_ENABLE) {
        if (links == 2)
            links = 3;
    }
    if (number == GET_VRING_BASE) {
        if (links == 3)
            fault();
    }
}

int serve(int fd) {
    static char payload[1024];
    struct header header;
    links = 0;
    while (receive(fd, (char *)&header, sizeof(header))) {
        if (header.flags != 1 || header.size > sizeof(payload) || !receive(fd, payload, header.size))
            break;
        if (header.size >= 8)
            look(header.number, (uint32_t *)payload);
        if (header.number > SET_VRING_ENABLE)
            break;
        if (header.number == GET_FEATURES || header.number == GET_VRING_BASE || header.number > SET_VRING_ERR)
            if (header.number != SET_VRING_ENABLE && !answer(fd, header.number, 1ull << 32 & -(header.number == 1)))
                break;
    }
    close(fd);
    return 0;
}

#ifndef IN_PROCESS
int main(int count, char **words) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listening = socket(AF_UNIX, SOCK_STREAM, 0);
    (void)count;
    strncpy(address.sun_path, words[1], sizeof(address.sun_path) - 1);
    if (bind(listening, (struct sockaddr *)&address, sizeof(address)) || listen(listening, 8))
        return perror(words[1]), 1;
    for (;;)
        serve(accept(listening, NULL, NULL));
}
#endif
