/*
 * What a relay has to do at the least: it reads as receivers read, a header and then its payload, and passes on each
 * read with the descriptors that it brought. Slow, and right.
 *
 *   reference LISTEN CONNECT
 *
 * One connection, both ways, until either peer has closed and everything is delivered.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HEADER 12
#define MOST_FDS 253

struct direction {
    int from, to;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int unix_socket(const char *path, struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    strncpy(address->sun_path, path, sizeof address->sun_path - 1);
    if (fd < 0)
        die("socket");
    return fd;
}

/* One read of at most `size` bytes, passed on with its descriptors; returns how many bytes, 0 at the end. */
static size_t pass(struct direction *d, unsigned char *data, size_t size)
{
    union {
        char room[CMSG_SPACE(MOST_FDS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {.iov_base = data, .iov_len = size};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    ssize_t got = recvmsg(d->from, &msg, 0);
    if (got <= 0)
        return 0;
    if (msg.msg_flags & MSG_CTRUNC)
        die("descriptors lost");
    iov.iov_len = (size_t)got;
    if (!msg.msg_controllen)
        msg.msg_control = NULL;
    ssize_t sent = sendmsg(d->to, &msg, MSG_NOSIGNAL);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
        int fds[MOST_FDS];
        memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++)
            close(fds[i]);
    }
    while (sent > 0 && sent < got) {
        ssize_t more = send(d->to, data + sent, (size_t)(got - sent), MSG_NOSIGNAL);
        sent = more < 0 ? more : sent + more;
    }
    return sent < 0 ? 0 : (size_t)got;
}

static void *run(void *argument)
{
    static __thread unsigned char payload[65536];
    struct direction *d = argument;
    for (;;) {
        unsigned char header[HEADER];
        size_t done = 0, got;
        while (done < HEADER && (got = pass(d, header + done, HEADER - done)))
            done += got;
        if (done < HEADER)
            break;
        uint32_t left;
        memcpy(&left, header + 8, sizeof left);
        while (left && (got = pass(d, payload, left < sizeof payload ? left : sizeof payload)))
            left -= (uint32_t)got;
        if (left)
            break;
    }
    shutdown(d->to, SHUT_WR);
    return NULL;
}

int main(int argc, char **argv)
{
    struct sockaddr_un address;
    if (argc != 3) {
        fprintf(stderr, "usage: reference LISTEN CONNECT\n");
        return 2;
    }
    int listener = unix_socket(argv[1], &address);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1))
        die(argv[1]);
    int front = accept(listener, NULL, NULL);
    int back = unix_socket(argv[2], &address);
    if (front < 0 || connect(back, (struct sockaddr *)&address, sizeof address))
        die(argv[2]);
    struct direction forth = {front, back}, reply = {back, front};
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, &forth))
        die("pthread_create");
    run(&reply);
    pthread_join(thread, NULL);
    return 0;
}
