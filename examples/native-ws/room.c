/*
 * room: a chat room of WebSockets. What one member says is sent to all, and a
 * thread of the plugin's own says every few seconds how many there are.
 *
 *   c-room/chat   a WebSocket: text messages; "/quit" leaves
 */
#include "weir_plugin.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    MAX_MEMBERS = 1000,
    MAX_NAME = 32,
    MAX_LINE = 1000, /* of what a member says */
    PACE_S = 5,
};

static const weir_host *host;

/* A member is one WebSocket. */
typedef struct member {
    weir_call call;
    struct member *next;
    char name[MAX_NAME + 1];
} member;

/* lock guards all members. It is held while a message is sent to all, so that everyone sees the same order. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static member *members;
static int members_n;

/*
 * say sends a line to all; the lock is held. It never waits: a member that does not
 * read misses the line, and delays no other. One that has disconnected is removed
 * by leave.
 */
static void say(const char *line, size_t n)
{
    for (const member *m = members; m != NULL; m = m->next)
        host->ws_try_send(m->call, WEIR_TEXT, line, n);
}

/* copy_name takes ?name= from the request, as far as it can be part of a line. */
static void copy_name(weir_call call, char *name)
{
    weir_view v = {"", 0};
    size_t n = 0;
    if (host->query(call, "name", 4, &v) == WEIR_OK)
        for (size_t i = 0; i < v.length && n < MAX_NAME; i++)
            if (v.data[i] > ' ' && v.data[i] < 0x7f)
                name[n++] = v.data[i];
    if (n == 0)
        n = (size_t)snprintf(name, MAX_NAME, "guest-%04x", (unsigned)(call * 2654435761u >> 16 & 0xffff));
    name[n] = '\0';
}

static int32_t join(void *user, weir_call call, const weir_request *req, void **socket)
{
    (void)user, (void)req;
    member *m = calloc(1, sizeof *m);
    if (m == NULL)
        return 1;
    m->call = call;
    copy_name(call, m->name);
    char line[MAX_NAME + 32];
    int n = snprintf(line, sizeof line, "* %s joins", m->name);
    pthread_mutex_lock(&lock);
    m->next = members;
    members = m;
    members_n++;
    say(line, (size_t)n);
    pthread_mutex_unlock(&lock);
    *socket = m;
    return WEIR_OK;
}

static int32_t hear(void *socket, weir_call call, int32_t kind, const void *p, size_t n)
{
    const member *m = socket;
    if (kind != WEIR_TEXT)
        return host->ws_close(call, 1003, "text only", 9);
    if (n > MAX_LINE)
        return host->ws_close(call, 1009, "too long", 8);
    if (n == 5 && memcmp(p, "/quit", 5) == 0)
        return host->ws_close(call, 1000, "bye", 3);
    char line[MAX_NAME + 2 + MAX_LINE + 1];
    int name_n = snprintf(line, sizeof line, "%s: ", m->name);
    memcpy(line + name_n, p, n);
    pthread_mutex_lock(&lock);
    say(line, (size_t)name_n + n);
    pthread_mutex_unlock(&lock);
    return WEIR_OK;
}

static void leave(void *socket, weir_call call, int32_t code, const char *reason, size_t n)
{
    (void)call, (void)code, (void)reason, (void)n;
    member *gone = socket;
    char line[MAX_NAME + 32];
    int line_n = snprintf(line, sizeof line, "* %s leaves", gone->name);
    pthread_mutex_lock(&lock);
    for (member **m = &members; *m != NULL; m = &(*m)->next)
        if (*m == gone) {
            *m = gone->next;
            break;
        }
    members_n--;
    say(line, (size_t)line_n);
    pthread_mutex_unlock(&lock);
    free(gone);
}

/* count says how many members there are, as long as the process runs. */
static void *count(void *unused)
{
    (void)unused;
    const struct timespec pace = {.tv_sec = PACE_S};
    for (;;) {
        nanosleep(&pace, NULL);
        char line[32];
        pthread_mutex_lock(&lock);
        int n = snprintf(line, sizeof line, "* %d here", members_n);
        say(line, (size_t)n);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static const weir_plugin_handler handlers[] = {
    {.struct_size = sizeof handlers[0],
     .name = "c-room/chat",
     .doc = "a chat room of WebSockets",
     .limit = MAX_MEMBERS,
     .open = join,
     .message = hear,
     .closed = leave,
     .subprotocols = "chat"},
};

uint32_t weir_plugin_abi(void) { return WEIR_PLUGIN_ABI; }

int32_t weir_plugin_init(const weir_host *h)
{
    host = h;
    if (h->struct_size < offsetof(weir_host, ws_close) + sizeof h->ws_close)
        return 1; /* an older weir, without WebSockets */
    pthread_t id;
    if (pthread_create(&id, NULL, count, NULL) != 0)
        return 2;
    pthread_detach(id);
    return WEIR_OK;
}

const weir_plugin_handler *weir_plugin_handlers(size_t *n)
{
    *n = sizeof handlers / sizeof *handlers;
    return handlers;
}
