/* Connections: sockets, one epoll, what waits to be written, what is not understood yet. */
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ADDRESSES 64 /* of this machine, since each has ports for some 28,000 connections */
#define TRIES 5      /* a listen queue of ten lets connections fail */
#define READ_SIZE (1 << 18)

int lost;
size_t (*hear)(struct person *, char *, size_t);

static int poll_fd, server_port;
static char *came; /* what a connection held back, and what came after it */
static size_t came_room;

int64_t now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

_Noreturn void fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

void prepare_net(int port)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    server_port = port;
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (poll_fd < 0)
        fail("epoll");
    came_room = READ_SIZE * 2;
    came = malloc(came_room);
}

static void watch(struct person *p, int how, bool writes)
{
    struct epoll_event event = {.events = EPOLLIN | (writes ? EPOLLOUT : 0), .data.ptr = p};
    if (epoll_ctl(poll_fd, how, p->fd, &event))
        fail("epoll_ctl");
    p->waits_to_write = writes;
}

void connect_person(struct person *p)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    if (fd < 0)
        fail("socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + p->index % ADDRESSES);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(server_port);
    if (bind(fd, (struct sockaddr *)&from, sizeof from))
        fail("bind");
    if (connect(fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS)
        fail("connect");
    p->fd = fd;
    p->step = 0;
    p->is_in = false;
    p->rest.size = p->out.size = 0;
    watch(p, EPOLL_CTL_ADD, false);
    signing_in++;
    sign_in_step(p);
}

void disconnect(struct person *p)
{
    if (p->fd < 0)
        return;
    close(p->fd);
    p->fd = -1;
    if (p->is_in)
        signed_in--;
    else
        signing_in--;
    p->is_in = false;
}

static void append(struct bytes *to, const char *data, size_t size)
{
    if (to->size + size > to->room) {
        to->room = to->size + size + (to->size ? to->room : 0);
        to->data = realloc(to->data, to->room);
    }
    memcpy(to->data + to->size, data, size);
    to->size += size;
}

void say(struct person *p, const char *data, size_t size)
{
    append(&p->out, data, size);
}

static void is_lost(struct person *p)
{
    bool was_in = p->is_in;
    disconnect(p);
    if (was_in)
        lost++;
    else if (p->tries++ < TRIES)
        connect_person(p);
    else
        failed++;
}

void flush(struct person *p)
{
    size_t done = 0;
    if (p->fd < 0)
        return;
    while (done < p->out.size) {
        ssize_t size = send(p->fd, p->out.data + done, p->out.size - done, MSG_NOSIGNAL);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            break; /* if it is lost, reading will tell */
        done += size;
    }
    memmove(p->out.data, p->out.data + done, p->out.size - done);
    p->out.size -= done;
    if ((p->out.size > 0) != p->waits_to_write)
        watch(p, EPOLL_CTL_MOD, p->out.size > 0);
}

static void take(struct person *p)
{
    if (p->rest.size + READ_SIZE > came_room) {
        came_room = p->rest.size + 2 * READ_SIZE;
        came = realloc(came, came_room);
    }
    ssize_t size = recv(p->fd, came + p->rest.size, READ_SIZE, MSG_DONTWAIT);
    if (size <= 0) {
        if (size == 0 || (errno != EAGAIN && errno != EINTR))
            is_lost(p);
        return;
    }
    memcpy(came, p->rest.data, p->rest.size);
    size_t all = p->rest.size + size, used = 0;
    p->rest.size = 0;
    if (!p->is_in)
        used = hear_sign_in(p, came, all);
    if (p->is_in && p == bystander)
        used += hear_as_bystander(came + used, all - used);
    else if (p->is_in)
        used += hear(p, came + used, all - used);
    if (p->fd >= 0 && used < all)
        append(&p->rest, came + used, all - used);
}

/* With a bystander few are served between two looks for its answer, so that it waits for the server
 * and not for us. */
void turn(int64_t until)
{
    struct epoll_event events[512];
    int most = bystander ? 16 : 512;
    if (bystander) {
        speak_as_bystander();
        if (bystander_due() < until)
            until = bystander_due();
    }
    int64_t left = until - now();
    struct timespec wait = {0};
    if (left > 0)
        wait = (struct timespec){left / 1000000000, left % 1000000000};
    int count = epoll_pwait2(poll_fd, events, most, &wait, NULL);
    if (count < 0 && errno != EINTR)
        fail("epoll_wait");
    if (bystander && bystander->fd >= 0)
        take(bystander);
    for (int i = 0; i < count; i++) {
        struct person *p = events[i].data.ptr;
        if (p->fd >= 0 && events[i].events & EPOLLOUT)
            flush(p);
        if (p->fd >= 0 && events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
            take(p);
    }
}

void rest_until(int64_t until)
{
    while (now() < until)
        turn(until);
}
