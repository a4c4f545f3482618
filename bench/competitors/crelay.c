/*
 * crelay: the floor of a gateway. One epoll loop that gives each client a
 * connection to the upstream and copies bytes both ways, one recv and one send
 * a piece, without looking at them. It shows what the kernel charges for a
 * relay; nothing that reads what it relays can cost less.
 *
 *   gcc -O2 -o crelay crelay.c && ./crelay 0 127.0.0.1:8000
 *
 * What it does not do: HTTP, limits, timeouts, partial writes. A send that
 * comes back short closes the pair, since no load here fills a socket buffer.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_EVENTS = 256, READ_SIZE = 65536 };

/* side is one connection of a pair. Both are freed after the round in which
 * they are closed: an event for the other one may be in it. */
struct side {
    int fd;
    struct side *other, *next_dead;
};

static int epfd;
static struct side *dead;
static struct sockaddr_in upstream;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static struct side *watch(int fd) {
    struct side *s = calloc(1, sizeof *s);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = s};
    int on = 1;
    if (!s) die("calloc");
    s->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) < 0) die("epoll_ctl");
    return s;
}

static void part(struct side *s) {
    struct side *pair[2] = {s, s->other};
    if (s->fd < 0) return;
    for (int i = 0; i < 2; i++) {
        close(pair[i]->fd);
        pair[i]->fd = -1;
        pair[i]->next_dead = dead;
        dead = pair[i];
    }
}

/* The upstream is on this machine: connecting takes no time. */
static void join(int client) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&upstream, sizeof upstream) < 0) die("connect");
    struct side *a = watch(client), *b = watch(fd);
    a->other = b;
    b->other = a;
}

static void copy(struct side *s) {
    static char buf[READ_SIZE];
    if (s->fd < 0) return;
    ssize_t n = recv(s->fd, buf, sizeof buf, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0 || send(s->other->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL) != n) part(s);
}

int main(int argc, char **argv) {
    char *colon = argc == 3 ? strchr(argv[2], ':') : NULL;
    if (!colon) {
        fprintf(stderr, "usage: crelay PORT UPSTREAM:PORT\n");
        return 2;
    }
    *colon = 0;
    upstream = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(colon + 1))};
    if (inet_pton(AF_INET, argv[2], &upstream.sin_addr) != 1) die("upstream");
    signal(SIGPIPE, SIG_IGN);

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&at, len) < 0 || listen(listener, 4096) < 0) die("listen");
    getsockname(listener, (struct sockaddr *)&at, &len);
    epfd = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL}, events[MAX_EVENTS];
    if (epoll_ctl(epfd, EPOLL_CTL_ADD, listener, &ev) < 0) die("epoll_ctl");
    printf("ready on http://127.0.0.1:%d\n", ntohs(at.sin_port));
    fflush(stdout);

    for (;;) {
        int n = epoll_wait(epfd, events, MAX_EVENTS, -1);
        for (int i = 0; i < n; i++) {
            int fd;
            if (events[i].data.ptr)
                copy(events[i].data.ptr);
            else
                while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) join(fd);
        }
        while (dead) {
            struct side *s = dead;
            dead = s->next_dead;
            free(s);
        }
    }
}
