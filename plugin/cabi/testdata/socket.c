// WebSockets.
#include "weir_plugin.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const weir_host *host;

// One WebSocket, and what became of the last one that was closed.
typedef struct peer {
    weir_call call;
    pthread_t thread;
    int32_t code; // with which the thread ended
} peer;

static struct {
    pthread_mutex_t lock;
    int opened, closed;
    int32_t code;
    char reason[128];
    weir_call call;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int32_t text(weir_call call, const char *s) { return host->ws_send(call, WEIR_TEXT, s, strlen(s)); }

static int is(const void *p, size_t n, const char *s) { return n == strlen(s) && memcmp(p, s, n) == 0; }

static int32_t open_peer(void *user, weir_call call, const weir_request *req, void **socket)
{
    (void)user, (void)req;
    peer *p = calloc(1, sizeof *p);
    if (p == NULL)
        return 12;
    p->call = call;
    *socket = p;
    pthread_mutex_lock(&seen.lock);
    seen.opened++;
    pthread_mutex_unlock(&seen.lock);
    return WEIR_OK;
}

static void note(weir_call call, int32_t code, const char *reason, size_t n)
{
    pthread_mutex_lock(&seen.lock);
    seen.closed++;
    seen.code = code;
    seen.call = call;
    snprintf(seen.reason, sizeof seen.reason, "%.*s", (int)n, reason);
    pthread_mutex_unlock(&seen.lock);
}

static void free_peer(void *socket, weir_call call, int32_t code, const char *reason, size_t n)
{
    peer *p = socket;
    if (p->call != call)
        abort();
    note(call, code, reason, n);
    free(p);
}

// Echoes; "bye" closes, "fail" fails, "again" closes twice and sends.
static int32_t echo(void *socket, weir_call call, int32_t kind, const void *p, size_t n)
{
    if (((peer *)socket)->call != call)
        abort();
    if (is(p, n, "fail"))
        return 7;
    if (is(p, n, "bye"))
        return host->ws_close(call, 4001, "bye", 3);
    if (is(p, n, "again")) {
        int32_t first = host->ws_close(call, 1000, NULL, 0), second = host->ws_close(call, 1001, "x", 1);
        int32_t sent = text(call, "late"), tried = host->ws_try_send(call, WEIR_BINARY, "late", 4);
        return first == WEIR_OK && second == WEIR_OK && sent == WEIR_ECLOSED && tried == WEIR_ECLOSED ? WEIR_OK : 9;
    }
    return host->ws_send(call, kind, p, n);
}

// Greets with what the request has, and with what is not for a WebSocket.
static int32_t greet(void *user, weir_call call, const weir_request *req, void **socket)
{
    weir_view path, query, field;
    char line[512];
    host->path_value(call, "id", 2, &path);
    host->query(call, "q", 1, &query);
    host->header(call, "X-Test", 6, &field);
    snprintf(line, sizeof line, "%.*s %.*s %.*s %.*s %.*s %zu", (int)req->method.length, req->method.data,
             (int)req->path.length, req->path.data, (int)path.length, path.data, (int)query.length, query.data,
             (int)field.length, field.data, req->body.length);
    int32_t code = text(call, line);
    if (code != WEIR_OK)
        return code;
    weir_item item = {.call = call, .data = "x", .length = 1};
    host->send_batch(&item, 1);
    snprintf(line, sizeof line, "%d %d %d %d %d %d %d %d %d %d | %d %d %d %d %d %d | %d", host->send(call, "x", 1),
             host->try_send(call, "x", 1), host->flush(call), host->close(call), host->abort(call, "x", 1),
             host->detach(call), host->set_status(call, 404), host->set_header(call, "X", 1, "y", 1), item.result,
             host->is_cancelled(call), host->ws_send(call, 0, "x", 1), host->ws_send(call, 9, "x", 1),
             host->ws_send(call, WEIR_TEXT, NULL, 1), host->ws_try_send(call, WEIR_TEXT, "\xff", 1),
             host->ws_close(call, 1006, NULL, 0), host->ws_close(call, 1000, line, 124),
             host->ws_send(call, WEIR_BINARY, "", 0));
    if ((code = text(call, line)) != WEIR_OK)
        return code;
    return open_peer(user, call, req, socket);
}

// The request is over when open has returned.
static int32_t look_late(void *socket, weir_call call, int32_t kind, const void *p, size_t n)
{
    (void)socket, (void)kind, (void)p, (void)n;
    weir_view v;
    char line[32];
    snprintf(line, sizeof line, "%d", host->query(call, "q", 1, &v));
    return text(call, line);
}

static int32_t refuse(void *user, weir_call call, const weir_request *req, void **socket)
{
    (void)user, (void)socket;
    weir_view v;
    (void)req;
    if (host->query(call, "q", 1, &v) == WEIR_OK && is(v.data, v.length, "policy"))
        host->ws_close(call, 1008, "not you", 7);
    return 5;
}

static void *push(void *arg)
{
    peer *p = arg;
    while (p->code == WEIR_OK)
        p->code = host->ws_send(p->call, WEIR_TEXT, "tick", 4);
    return NULL;
}

static int32_t open_pushed(void *user, weir_call call, const weir_request *req, void **socket)
{
    int32_t code = open_peer(user, call, req, socket);
    if (code == WEIR_OK && pthread_create(&((peer *)*socket)->thread, NULL, push, *socket) != 0)
        abort();
    return code;
}

// Joins the thread, whose send has failed, or fails now.
static void join(void *socket, weir_call call, int32_t code, const char *reason, size_t n)
{
    peer *p = socket;
    pthread_join(p->thread, NULL);
    if (p->code != WEIR_EGONE && p->code != WEIR_ECLOSED)
        abort();
    free_peer(socket, call, code, reason, n);
}

// The threads of haunted WebSockets. They know its number alone, and outlive it.
static struct {
    pthread_mutex_t lock;
    pthread_t threads[100];
    int n;
} ghosts = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *haunt(void *arg)
{
    weir_call call = *(weir_call *)arg;
    free(arg);
    char word[64];
    snprintf(word, sizeof word, "ghost of %llu", (unsigned long long)call);
    while (text(call, word) != WEIR_EHANDLE)
        ;
    return host->ws_close(call, 1000, NULL, 0) == WEIR_EHANDLE && text(call, word) == WEIR_EHANDLE ? NULL : (void *)1;
}

static int32_t open_haunted(void *user, weir_call call, const weir_request *req, void **socket)
{
    (void)user, (void)req, (void)socket;
    weir_call *arg = malloc(sizeof *arg);
    if (arg == NULL)
        return 12;
    *arg = call;
    pthread_mutex_lock(&ghosts.lock);
    int32_t code = pthread_create(&ghosts.threads[ghosts.n++], NULL, haunt, arg);
    pthread_mutex_unlock(&ghosts.lock);
    return code;
}

// Waits for the ghosts, and says how many there were, and how many found their number alive again.
static int32_t lay(void *user, weir_call call, const weir_request *req)
{
    (void)user, (void)req;
    int wrong = 0;
    for (int i = 0; i < ghosts.n; i++) {
        void *found;
        pthread_join(ghosts.threads[i], &found);
        wrong += found != NULL;
    }
    char line[32];
    int n = snprintf(line, sizeof line, "%d %d", ghosts.n, wrong);
    ghosts.n = 0;
    return host->send(call, line, (size_t)n);
}

// Sends once, and needs neither message nor closed. *socket stays as it was.
static int32_t once(void *user, weir_call call, const weir_request *req, void **socket)
{
    (void)user, (void)req;
    if (*socket != NULL)
        abort();
    *socket = (void *)1; // not a pointer at all
    return text(call, "once");
}

// Says what became of the others, as a unary handler: how many were opened and closed, the last one's code and reason,
// and that its number is not alive.
static int32_t tell(void *user, weir_call call, const weir_request *req)
{
    (void)user, (void)req;
    char line[256];
    pthread_mutex_lock(&seen.lock);
    int n = snprintf(line, sizeof line, "%d %d %d %s %d %d %d", seen.opened, seen.closed, seen.code, seen.reason,
                     text(seen.call, "late"), host->ws_close(seen.call, 1000, NULL, 0), host->is_cancelled(seen.call));
    pthread_mutex_unlock(&seen.lock);
    return host->send(call, line, (size_t)n);
}

// A unary handler has no WebSocket.
static int32_t not_one(void *user, weir_call call, const weir_request *req)
{
    (void)user, (void)req;
    char line[64];
    int n = snprintf(line, sizeof line, "%d %d %d", text(call, "x"), host->ws_try_send(call, WEIR_TEXT, "x", 1),
                     host->ws_close(call, 1000, NULL, 0));
    return host->send(call, line, (size_t)n);
}

#define HANDLER(nm, o, m, c) \
    {.struct_size = sizeof(weir_plugin_handler), .name = "socket/" nm, .open = o, .message = m, .closed = c}

static const weir_plugin_handler handlers[] = {
    {.struct_size = sizeof(weir_plugin_handler), .name = "socket/echo", .doc = "echoes", .limit = 100, .open = open_peer,
     .message = echo, .closed = free_peer, .subprotocols = "v2.chat, chat"},
    HANDLER("greet", greet, look_late, free_peer),
    HANDLER("refuse", refuse, echo, free_peer),
    HANDLER("pushed", open_pushed, NULL, join),
    HANDLER("haunted", open_haunted, NULL, NULL),
    HANDLER("once", once, NULL, NULL),
    {.struct_size = sizeof(weir_plugin_handler), .name = "socket/tell", .unary = tell},
    {.struct_size = sizeof(weir_plugin_handler), .name = "socket/not", .unary = not_one},
    {.struct_size = sizeof(weir_plugin_handler), .name = "socket/lay", .unary = lay},
};

uint32_t weir_plugin_abi(void) { return WEIR_PLUGIN_ABI; }

int32_t weir_plugin_init(const weir_host *h)
{
    host = h;
    return WEIR_OK;
}

const weir_plugin_handler *weir_plugin_handlers(size_t *n)
{
    *n = sizeof handlers / sizeof *handlers;
    return handlers;
}
