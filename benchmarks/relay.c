/*
 * The reference: the cost of a relay of vhost-user messages that is written in C and does nothing else.
 *
 *   relay LISTEN CONNECT
 *
 * It listens on one path. For each connection, one after another, it connects to the other path and forwards in both
 * directions with the framing of vuproxy: reads as large as the queue allows, one sendmsg per message, descriptors with
 * the first byte of the message in which the read that brought them ended. A body that does not fit into the queue is
 * streamed. If a receiver does not keep up, its queue fills and the relay stops reading from the sender. Nothing is
 * recorded, and sockets that are passed as descriptors are not interposed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HEADER 12
#define QUEUE_SIZE 65536
#define MAX_FDS 253

struct direction {
    int from, to;
    unsigned char queue[QUEUE_SIZE];
    size_t start, end;   /* bytes read and not yet sent */
    uint64_t streaming;  /* remaining bytes of a message that is too large for the queue */
    size_t fds_at;       /* queue offset at which the read that brought `fds` ended */
    int fds[MAX_FDS];
    size_t fd_count;
    int blocked;         /* the receiver accepts no more for now */
    int at_end;          /* the sender has closed */
    int finished;        /* and the socket to the receiver has been shut down */
};

union control {
    char room[CMSG_SPACE(MAX_FDS * sizeof(int))];
    struct cmsghdr align;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        die(path);
    }
    strcpy(address.sun_path, path);
    return address;
}

static int listen_on(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1) < 0)
        die(path);
    return fd;
}

static int dial(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        die(path);
    return fd;
}

static void close_fds(struct direction *d)
{
    for (size_t i = 0; i < d->fd_count; i++)
        close(d->fds[i]);
    d->fd_count = 0;
}

/* Bytes from the start of the queue to the end of the message there, if its header is complete. */
static uint64_t message_length(const struct direction *d)
{
    uint32_t size;
    if (d->end - d->start < HEADER)
        return HEADER;
    memcpy(&size, d->queue + d->start + 8, sizeof size);
    return HEADER + (uint64_t)size;
}

/*
 * One read after the queued bytes; nothing may be blocked. While descriptors wait for the rest of their message, it
 * stops at the end of that message, so that the descriptors of the next one are not mixed with them.
 */
static void fill(struct direction *d)
{
    union control control;
    size_t room = d->fd_count ? (size_t)message_length(d) - d->end : QUEUE_SIZE - d->end;
    struct iovec iov = {.iov_base = d->queue + d->end, .iov_len = room};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    ssize_t got = recvmsg(d->from, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) { /* a reset counts as the end */
        d->at_end = 1;
        return;
    }
    if (msg.msg_flags & MSG_CTRUNC) {
        errno = EMFILE;
        die("descriptors lost");
    }
    d->end += (size_t)got;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        if (d->fd_count + count > MAX_FDS) {
            errno = EMSGSIZE;
            die("descriptors of one message");
        }
        memcpy(d->fds + d->fd_count, CMSG_DATA(c), count * sizeof(int));
        d->fd_count += count;
        d->fds_at = d->end;
    }
}

/* One sendmsg. Returns the bytes sent, 0 if the receiver accepts none now, -1 if it is gone. */
static ssize_t send_some(struct direction *d, size_t length, int with_fds)
{
    union control control;
    struct iovec iov = {.iov_base = d->queue + d->start, .iov_len = length};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (with_fds) {
        msg.msg_control = control.room;
        msg.msg_controllen = CMSG_SPACE(d->fd_count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(d->fd_count * sizeof(int));
        memcpy(CMSG_DATA(c), d->fds, d->fd_count * sizeof(int));
    }
    ssize_t sent = sendmsg(d->to, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    if (with_fds)
        close_fds(d);
    d->start += (size_t)sent;
    return sent;
}

/*
 * Sends what can be sent: whole messages, the queued bytes of one that is streamed, and everything at the end of the
 * stream; the rest moves to the front of the queue. Returns -1 if the receiver is gone.
 */
static int flush(struct direction *d)
{
    d->blocked = 0;
    while (d->start < d->end) {
        size_t have = d->end - d->start;
        uint64_t length = d->streaming ? d->streaming : message_length(d);
        if (length > have && length <= QUEUE_SIZE && !d->streaming && !d->at_end)
            break;
        size_t now = length < have ? (size_t)length : have;
        ssize_t sent = send_some(d, now, d->fd_count && d->start + now >= d->fds_at);
        if (sent < 0)
            return -1;
        d->streaming = length - (uint64_t)sent;
        if ((size_t)sent < now) {
            d->blocked = 1;
            break;
        }
    }
    if (d->start) {
        memmove(d->queue, d->queue + d->start, d->end - d->start);
        d->end -= d->start;
        d->fds_at -= d->fd_count ? d->start : 0;
        d->start = 0;
    }
    if (d->at_end && d->end == 0 && !d->finished) {
        shutdown(d->to, SHUT_WR);
        d->finished = 1;
    }
    return 0;
}

static int may_read(const struct direction *d)
{
    return !d->at_end && !d->blocked;
}

static void watch(int epoll, int fd, uint32_t *watched, const struct direction *in, const struct direction *out)
{
    uint32_t wanted = (may_read(in) ? EPOLLIN : 0) | (out->blocked ? EPOLLOUT : 0);
    if (wanted == *watched)
        return;
    struct epoll_event event = {.events = wanted, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) < 0)
        die("epoll_ctl");
    *watched = wanted;
}

static void serve(int front, int back)
{
    static struct direction forth, reply;
    memset(&forth, 0, sizeof forth);
    memset(&reply, 0, sizeof reply);
    forth.from = reply.to = front;
    forth.to = reply.from = back;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    uint32_t watched_front = EPOLLIN, watched_back = EPOLLIN;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = front};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, front, &event) < 0)
        die("epoll");
    event.data.fd = back;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, back, &event) < 0)
        die("epoll");
    while (!(forth.finished && reply.finished)) {
        struct epoll_event ready[2];
        int count = epoll_wait(epoll, ready, 2, -1);
        if (count < 0 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < count; i++) {
            struct direction *in = ready[i].data.fd == front ? &forth : &reply;
            struct direction *out = in == &forth ? &reply : &forth;
            uint32_t events = ready[i].events;
            if ((events & EPOLLOUT) && out->blocked && flush(out) < 0)
                goto over;
            if (may_read(in) && (events & ~EPOLLOUT)) {
                fill(in);
                if (flush(in) < 0)
                    goto over;
            } else if (in->finished && (events & (EPOLLHUP | EPOLLERR)))
                goto over; /* this peer sends nothing more, and nothing can be sent to it */
        }
        watch(epoll, front, &watched_front, &forth, &reply);
        watch(epoll, back, &watched_back, &reply, &forth);
    }
over:
    close_fds(&forth);
    close_fds(&reply);
    close(epoll);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: relay LISTEN CONNECT\n");
        return 2;
    }
    int listener = listen_on(argv[1]);
    for (;;) {
        int front = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (front < 0)
            die("accept");
        int back = dial(argv[2]);
        serve(front, back);
        close(front);
        close(back);
    }
}
