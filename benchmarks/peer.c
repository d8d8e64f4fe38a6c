/*
 * The two ends of a benchmark: a front-end that measures and a back-end that replies, in C so that they cost little.
 *
 *   peer echo  SOCKET REPLY                         reply to every message with REPLY, under the number of the message
 *   peer sink  SOCKET REPLY                         reply only to a message without payload, with the number of
 *                                                   messages so far
 *   peer ping  SOCKET REQUEST COUNT FDS             send REQUEST and wait for the reply, COUNT times
 *   peer pace  SOCKET REQUEST COUNT FDS PAUSE       the same, with so many microseconds before each
 *   peer turns SOCKET COUNT REQUEST...              as ping, with several messages in turn; those that end in + have a
 *                                                   descriptor
 *   peer burst SOCKET REQUEST QUESTION BURSTS SIZE  write SIZE requests at once, BURSTS times; then send QUESTION, the
 *                                                   message without payload, and wait for the reply
 *
 * The back-ends listen, serve one connection and close the descriptors that they receive; the front-ends connect, or go on
 * with a connection that they inherit if SOCKET is fd:NUMBER.
 * REQUEST, QUESTION and REPLY are whole messages in hexadecimal; the number replaces the first 8 bytes of REPLY's
 * payload. A front-end prints one JSON object when it is done; on any failure the program exits with status 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define HEADER 12
#define READ_SIZE 65536
#define MAX_FDS 253
#define WARM_UP 2000
#define PACED_WARM_UP 100

struct bytes {
    unsigned char data[256];
    size_t length;
};

static void die(const char *what)
{
    fprintf(stderr, "peer: %s: %s\n", what, errno ? strerror(errno) : "unexpected");
    exit(1);
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct bytes from_hex(const char *text)
{
    struct bytes b = {.length = strlen(text) / 2};
    if (b.length < HEADER || b.length > sizeof b.data)
        die("message length");
    for (size_t i = 0; i < b.length; i++)
        if (sscanf(text + 2 * i, "%2hhx", &b.data[i]) != 1)
            die("message digits");
    return b;
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        die("socket path too long");
    strcpy(address.sun_path, path);
    return address;
}

static int dial(const char *path)
{
    int inherited;
    if (sscanf(path, "fd:%d", &inherited) == 1)
        return inherited;
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        die(path);
    return fd;
}

static int serve(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1) < 0)
        die(path);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        die("accept");
    close(listener);
    return fd;
}

static void send_all(int fd, const unsigned char *data, size_t length, int descriptor)
{
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {.iov_base = (void *)data, .iov_len = length};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (descriptor >= 0) {
        msg.msg_control = control.room;
        msg.msg_controllen = sizeof control.room;
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &descriptor, sizeof descriptor);
    }
    while (iov.iov_len) {
        ssize_t sent = sendmsg(fd, &msg, MSG_NOSIGNAL);
        if (sent < 0)
            die("send");
        iov.iov_base = (char *)iov.iov_base + sent;
        iov.iov_len -= (size_t)sent;
        msg.msg_controllen = 0;
    }
}

/* One read; descriptors that come with it are counted and closed. Returns the number of bytes, 0 at the end. */
static size_t receive(int fd, unsigned char *data, size_t room, size_t *descriptors)
{
    static union {
        char room[CMSG_SPACE(MAX_FDS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {.iov_base = data, .iov_len = room};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    ssize_t got = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
    if (got < 0)
        die("receive");
    if (msg.msg_flags & MSG_CTRUNC)
        die("descriptors lost");
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(c) + i * sizeof(int), sizeof descriptor);
            close(descriptor);
        }
        *descriptors += count;
    }
    return (size_t)got;
}

/* Counts the messages in a stream that arrives in pieces. */
struct counter {
    unsigned char header[HEADER];
    size_t have;     /* bytes of `header` */
    size_t body;     /* bytes of the payload still to come */
    uint64_t messages;
    uint32_t size;   /* payload size of the last message */
};

static void count_messages(struct counter *c, const unsigned char *data, size_t length)
{
    while (length) {
        if (c->have < HEADER) {
            size_t take = HEADER - c->have < length ? HEADER - c->have : length;
            memcpy(c->header + c->have, data, take);
            c->have += take;
            data += take;
            length -= take;
            if (c->have < HEADER)
                return;
            memcpy(&c->size, c->header + 8, sizeof c->size);
            c->body = c->size;
        }
        size_t take = c->body < length ? c->body : length;
        c->body -= take;
        data += take;
        length -= take;
        if (c->body == 0) {
            c->messages++;
            c->have = 0;
        }
    }
}

static void echo(int fd, struct bytes reply)
{
    static unsigned char data[READ_SIZE];
    struct counter counter = {0};
    size_t descriptors = 0, got;
    while ((got = receive(fd, data, sizeof data, &descriptors))) {
        uint64_t before = counter.messages;
        count_messages(&counter, data, got);
        memcpy(reply.data, counter.header, sizeof(uint32_t));
        for (; before < counter.messages; before++)
            send_all(fd, reply.data, reply.length, -1);
    }
}

static void sink(int fd, struct bytes reply)
{
    static unsigned char data[READ_SIZE];
    struct counter counter = {0};
    size_t descriptors = 0, got;
    while ((got = receive(fd, data, sizeof data, &descriptors))) {
        count_messages(&counter, data, got);
        if (counter.messages && counter.have == 0 && counter.size == 0) {
            memcpy(reply.data + HEADER, &counter.messages, sizeof counter.messages);
            send_all(fd, reply.data, reply.length, -1);
        }
    }
}

static void wait_reply(int fd, struct counter *counter, unsigned char *data, size_t room)
{
    size_t descriptors = 0;
    uint64_t before = counter->messages;
    while (counter->messages == before) {
        size_t got = receive(fd, data, room, &descriptors);
        if (got == 0)
            die("closed while waiting for an answer");
        count_messages(counter, data, got);
    }
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* A message that is sent again and again, and whether it has a descriptor. */
struct request {
    struct bytes message;
    int carries;
};

static void ping(int fd, const struct request *requests, size_t count, size_t round_trips, unsigned pause)
{
    unsigned char data[256];
    struct counter counter = {0};
    uint64_t *times = calloc(round_trips, sizeof *times);
    int descriptor = eventfd(0, EFD_CLOEXEC);
    if (!times || descriptor < 0)
        die("set-up");
    uint64_t begun = 0;
    size_t warm_up = pause ? PACED_WARM_UP : WARM_UP;
    for (size_t i = 0; i < warm_up + round_trips; i++) {
        if (pause)
            usleep(pause);
        uint64_t start = now();
        if (i == warm_up)
            begun = start;
        const struct request *request = &requests[i % count];
        send_all(fd, request->message.data, request->message.length, request->carries ? descriptor : -1);
        wait_reply(fd, &counter, data, sizeof data);
        if (i >= warm_up)
            times[i - warm_up] = now() - start;
    }
    uint64_t took = now() - begun;
    qsort(times, round_trips, sizeof *times, ascending);
    printf("{\"p50\": %lu, \"p99\": %lu, \"rate\": %.1f}\n", times[round_trips / 2], times[round_trips * 99 / 100],
           (double)round_trips * 1e9 / (double)took);
}

static void ping_one(int fd, const char *message, const char *round_trips, const char *carries, unsigned pause)
{
    struct request request = {from_hex(message), atoi(carries)};
    ping(fd, &request, 1, strtoul(round_trips, NULL, 10), pause);
}

static void turns(int fd, size_t round_trips, char **messages, size_t count)
{
    struct request *requests = calloc(count, sizeof *requests);
    if (!requests)
        die("set-up");
    for (size_t i = 0; i < count; i++) {
        requests[i].message = from_hex(messages[i]);
        requests[i].carries = messages[i][strlen(messages[i]) - 1] == '+';
    }
    ping(fd, requests, count, round_trips, 0);
}

static void burst(int fd, struct bytes request, struct bytes question, size_t bursts, size_t size)
{
    unsigned char data[256];
    struct counter counter = {0};
    unsigned char *batch = malloc(size * request.length);
    if (!batch)
        die("set-up");
    for (size_t i = 0; i < size; i++)
        memcpy(batch + i * request.length, request.data, request.length);
    uint64_t begun = now();
    for (size_t i = 0; i < bursts; i++)
        send_all(fd, batch, size * request.length, -1);
    send_all(fd, question.data, question.length, -1);
    wait_reply(fd, &counter, data, sizeof data);
    uint64_t took = now() - begun, arrived;
    memcpy(&arrived, data + HEADER, sizeof arrived);
    printf("{\"sent\": %zu, \"arrived\": %lu, \"rate\": %.1f}\n", bursts * size + 1, arrived,
           (double)(bursts * size + 1) * 1e9 / (double)took);
}

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "echo"))
        echo(serve(argv[2]), from_hex(argv[3]));
    else if (argc == 4 && !strcmp(argv[1], "sink"))
        sink(serve(argv[2]), from_hex(argv[3]));
    else if (argc == 6 && !strcmp(argv[1], "ping"))
        ping_one(dial(argv[2]), argv[3], argv[4], argv[5], 0);
    else if (argc == 7 && !strcmp(argv[1], "pace"))
        ping_one(dial(argv[2]), argv[3], argv[4], argv[5], (unsigned)strtoul(argv[6], NULL, 10));
    else if (argc >= 5 && !strcmp(argv[1], "turns"))
        turns(dial(argv[2]), strtoul(argv[3], NULL, 10), argv + 4, (size_t)argc - 4);
    else if (argc == 7 && !strcmp(argv[1], "burst"))
        burst(dial(argv[2]), from_hex(argv[3]), from_hex(argv[4]), strtoul(argv[5], NULL, 10),
              strtoul(argv[6], NULL, 10));
    else {
        fprintf(stderr, "usage: peer echo|sink|ping|pace|turns|burst SOCKET MESSAGE ...; see peer.c\n");
        return 2;
    }
    return 0;
}
