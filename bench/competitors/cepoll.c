/*
 * cepoll: the floor. One epoll loop that serves /plaintext without parsing
 * anything but the end of each request head, and /tokens with a heap of
 * deadlines. It shows what the kernel charges; it is not for serving.
 * Any POST is taken for one of OpenAI's chat completions, so that it is also
 * the upstream of gateways: a stream when the body says "stream":true, paced
 * by the same query as /tokens but with its first event at once. A POST to
 * /publish goes to each subscriber of /subscribe, of which there is one topic.
 *
 *   gcc -O2 -o cepoll cepoll.c && ./cepoll 0
 *
 * What it does not do: bodies without Content-Length, limits, timeouts, partial writes. A write that
 * comes back short closes the connection, since no load here fills a socket
 * buffer.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_EVENTS = 256, MAX_FRAME = 4096, READ_SIZE = 65536 };

/* conn lives from accept to close, or, when a stream's deadline is still in
 * the heap, until that deadline pops: fd is -1 in between. */
struct conn {
    int fd;
    int queued; /* its deadline is in the heap */
    int rest_len;
    char *rest; /* start of a request that came in pieces, else NULL */
    int left;   /* frames still to send; -1 when no stream runs */
    int size, stamp, chat;
    int subscribed; /* 1 + its place among the subscribers, else 0 */
    int64_t due, interval; /* ns, CLOCK_MONOTONIC */
};

static int epfd;
static struct conn **heap;
static int heap_len, heap_cap;
static struct conn **subscribers;
static int subscribers_len, subscribers_cap;
static char in[READ_SIZE * 2], out[READ_SIZE * 4];
static char plain[256], completion[1024];
static int plain_len, completion_len;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int64_t clock_ns(clockid_t id) {
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* --- deadlines: a binary heap, earliest first ------------------------------ */

static void heap_push(struct conn *c) {
    if (heap_len == heap_cap) {
        heap_cap = heap_cap ? heap_cap * 2 : 1024;
        heap = realloc(heap, heap_cap * sizeof *heap);
        if (!heap) die("realloc");
    }
    int i = heap_len++;
    for (; i > 0 && heap[(i - 1) / 2]->due > c->due; i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
    heap[i] = c;
    c->queued = 1;
}

static struct conn *heap_pop(void) {
    struct conn *top = heap[0], *last = heap[--heap_len];
    int i = 0;
    for (;;) {
        int kid = 2 * i + 1;
        if (kid >= heap_len) break;
        if (kid + 1 < heap_len && heap[kid + 1]->due < heap[kid]->due) kid++;
        if (heap[kid]->due >= last->due) break;
        heap[i] = heap[kid];
        i = kid;
    }
    if (heap_len) heap[i] = last;
    top->queued = 0;
    return top;
}

/* --- connections ----------------------------------------------------------- */

static void conn_close(struct conn *c) {
    if (c->subscribed) {
        struct conn *last = subscribers[--subscribers_len];
        subscribers[c->subscribed - 1] = last;
        last->subscribed = c->subscribed;
    }
    close(c->fd);
    c->fd = -1;
    free(c->rest);
    c->rest = NULL;
    if (!c->queued) free(c);
}

/* conn_write reports whether the connection is still there. */
static int conn_write(struct conn *c, const char *p, int n) {
    if (write(c->fd, p, n) == n) return 1;
    conn_close(c);
    return 0;
}

/* refresh_fixed rebuilds the fixed responses once a second, for their Date. */
static void refresh_fixed(void) {
    static const char json[] =
        "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"m\","
        "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hello, World!\"},"
        "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":4,\"total_tokens\":5}}";
    static time_t last;
    time_t now = time(NULL);
    if (now == last) return;
    last = now;
    char date[64];
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&now));
    plain_len = snprintf(plain, sizeof plain,
                         "HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                         "Content-Length: 13\r\n\r\nHello, World!",
                         date);
    completion_len = snprintf(completion, sizeof completion,
                              "HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Type: application/json\r\n"
                              "Content-Length: %d\r\n\r\n%s",
                              date, (int)sizeof json - 1, json);
}

/* --- streams --------------------------------------------------------------- */

/* append_frame writes one SSE frame as one chunk at p and returns its length. */
static int append_frame(char *p, const struct conn *c) {
    char data[MAX_FRAME + 32];
    int n = c->size;
    memset(data, 'x', n);
    if (c->stamp) {
        char t[32];
        int len = snprintf(t, sizeof t, "t=%lld", (long long)clock_ns(CLOCK_REALTIME));
        if (n > len) memset(data + len, ' ', n - len);
        if (n < len) n = len;
        memcpy(data, t, len);
    }
    return sprintf(p, "%x\r\ndata: %.*s\n\n\r\n", n + 8, n, data);
}

/* append_event is append_frame for a chat: the stamp is a field of its JSON. */
static int append_event(char *p, const struct conn *c) {
    char event[MAX_FRAME + 256], text[MAX_FRAME];
    memset(text, 'x', c->size);
    int n = sprintf(event,
                    "data: {\"t\":%lld,\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"model\":\"m\","
                    "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%.*s\"},\"finish_reason\":null}]}\n\n",
                    (long long)clock_ns(CLOCK_REALTIME), c->size, text);
    return sprintf(p, "%x\r\n%.*s\r\n", n, n, event);
}

static const char stream_head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    "Transfer-Encoding: chunked\r\n\r\n";

static const char last_frames[] = "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";

/* stream_step reports whether the connection is still there. */
static int stream_step(struct conn *c) {
    char buf[MAX_FRAME + 512];
    int n;
    if (c->left-- > 0) {
        n = c->chat ? append_event(buf, c) : append_frame(buf, c);
    } else {
        n = sizeof last_frames - 1;
        memcpy(buf, last_frames, n);
    }
    if (!conn_write(c, buf, n)) return 0;
    if (c->left < 0) return 1;
    c->due += c->interval;
    heap_push(c);
    return 1;
}

static long query(const char *head, const char *name, long otherwise) {
    const char *p = strstr(head, name);
    return p ? atol(p + strlen(name)) : otherwise;
}

/* query_interval understands Go durations of one unit: 20ms, 1s, 500us. */
static int64_t query_interval(const char *head) {
    const char *p = strstr(head, "interval=");
    if (!p) return 20000000;
    char *unit;
    double n = strtod(p + 9, &unit);
    if (!strncmp(unit, "ms", 2)) return n * 1e6;
    if (!strncmp(unit, "us", 2)) return n * 1e3;
    if (*unit == 's') return n * 1e9;
    return 20000000;
}

/* stream_start reports whether the connection is still there. Head and first
 * event of a chat are two writes, as servers make them: a relay that waits for
 * an acknowledgement in between shows its 40 ms. */
static int stream_start(struct conn *c, int chat, char *head, int len) {
    char line[512];
    int n = len < (int)sizeof line ? len : (int)sizeof line - 1;
    memcpy(line, head, n);
    line[n] = 0;
    c->left = query(line, "n=", 64);
    c->size = query(line, "size=", 8);
    if (c->size < 0 || c->size > MAX_FRAME) c->size = MAX_FRAME;
    c->stamp = query(line, "stamp=", 0) == 1;
    c->interval = query_interval(line);
    c->chat = chat;
    c->due = clock_ns(CLOCK_MONOTONIC);
    if (!conn_write(c, stream_head, sizeof stream_head - 1)) return 0;
    if (chat) return stream_step(c);
    c->due += c->interval;
    heap_push(c);
    return 1;
}

/* subscribe reports whether the connection is still there. */
static int subscribe(struct conn *c) {
    if (subscribers_len == subscribers_cap) {
        subscribers_cap = subscribers_cap ? subscribers_cap * 2 : 1024;
        subscribers = realloc(subscribers, subscribers_cap * sizeof *subscribers);
        if (!subscribers) die("realloc");
    }
    subscribers[subscribers_len++] = c;
    c->subscribed = subscribers_len;
    return conn_write(c, stream_head, sizeof stream_head - 1);
}

/* publish writes one event to all subscribers. */
static void publish(const char *body, int n) {
    static int id;
    char event[MAX_FRAME + 64], chunk[MAX_FRAME + 128];
    int len = sprintf(event, "id: %d\ndata: %.*s\n\n", ++id, n < MAX_FRAME ? n : MAX_FRAME, body);
    len = sprintf(chunk, "%x\r\n%.*s\r\n", len, len, event);
    for (int i = subscribers_len; i-- > 0;) conn_write(subscribers[i], chunk, len); /* the last takes the place of one that is closed */
}

/* body_len returns the Content-Length of a head, 0 without one. */
static int body_len(const char *head, int len) {
    static const char name[] = "content-length:";
    for (int i = 0; i + (int)sizeof name < len; i++)
        if (!strncasecmp(head + i, name, sizeof name - 1)) return atoi(head + i + sizeof name - 1);
    return 0;
}

/* --- the loop -------------------------------------------------------------- */

/* put appends a fixed response to out, which holds len bytes, if it fits. */
static int put(int len, const char *answer, int n) {
    if (len + n > (int)sizeof out) return len;
    memcpy(out + len, answer, n);
    return len + n;
}

static void conn_read(struct conn *c) {
    int have = c->rest_len;
    if (have) memcpy(in, c->rest, have);
    ssize_t n = read(c->fd, in + have, READ_SIZE);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) conn_close(c);
        return;
    }
    have += n;
    char *p = in, *end = in + have, *stop;
    int len = 0;
    while ((stop = memmem(p, end - p, "\r\n\r\n", 4))) {
        char *body = stop + 4, *next = body;
        if (!memcmp(p, "POST", 4)) {
            next += body_len(p, body - p);
            if (next > end) break;
        }
        if (!memcmp(p, "POST /publish", 13)) {
            publish(body, next - body);
            len = put(len, plain, plain_len);
        } else if (!memcmp(p, "GET /subscribe", 14)) {
            if (!c->subscribed && !subscribe(c)) return;
        } else if (next != body && memmem(body, next - body, "\"stream\":true", 13)) {
            if (c->left < 0 && !stream_start(c, 1, p, stop - p)) return;
        } else if (next != body) {
            len = put(len, completion, completion_len);
        } else if (!memcmp(p, "GET /tokens", 11)) {
            if (c->left < 0 && !stream_start(c, 0, p, stop - p)) return;
        } else {
            len = put(len, plain, plain_len);
        }
        p = next;
    }
    if (c->rest_len || p != end) {
        free(c->rest);
        c->rest = NULL;
        c->rest_len = end - p;
        if (c->rest_len > READ_SIZE) return conn_close(c);
        if (c->rest_len && !(c->rest = malloc(c->rest_len))) die("malloc");
        if (c->rest_len) memcpy(c->rest, p, c->rest_len);
    }
    if (len) conn_write(c, out, len);
}

static void accept_all(int listener) {
    int one = 1, fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct conn *c = calloc(1, sizeof *c);
        if (!c) die("calloc");
        c->fd = fd;
        c->left = -1;
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
        if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev)) die("epoll_ctl");
    }
}

static int listen_on(int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t len = sizeof a;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 4096)) die("listen");
    getsockname(fd, (struct sockaddr *)&a, &len);
    printf("cepoll: ready on http://127.0.0.1:%d\n", ntohs(a.sin_port));
    fflush(stdout);
    return fd;
}

/* run_due sends every frame whose time has come. */
static void run_due(void) {
    while (heap_len && heap[0]->due <= clock_ns(CLOCK_MONOTONIC)) {
        struct conn *c = heap_pop();
        if (c->fd < 0)
            free(c);
        else
            stream_step(c);
    }
}

/* wait_events rounds deadlines to whole milliseconds as Go's poller does: a
 * timer of its own for every frame costs more than sending it. */
static int wait_events(struct epoll_event *events) {
    int millis = -1;
    if (heap_len) {
        int64_t left = heap[0]->due - clock_ns(CLOCK_MONOTONIC);
        millis = left <= 0 ? 0 : left < 1000000 ? 1 : left / 1000000;
    }
    return epoll_wait(epfd, events, MAX_EVENTS, millis);
}

int main(int argc, char **argv) {
    struct epoll_event events[MAX_EVENTS];
    signal(SIGPIPE, SIG_IGN);
    epfd = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_on(argc > 1 ? atoi(argv[1]) : 0);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(epfd, EPOLL_CTL_ADD, listener, &ev)) die("epoll_ctl");
    for (;;) {
        int n = wait_events(events);
        refresh_fixed();
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                conn_read(events[i].data.ptr);
            else
                accept_all(listener);
        }
        run_due();
    }
}
