// Detached calls, each with a thread of the plugin's own.
#include "weir_plugin.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const weir_host *host;

typedef struct work {
    weir_call call;
    long tokens;
    char end;
} work;

// pushes tokens, ends the call as told, and uses it once more.
static void *push(void *arg)
{
    work w = *(work *)arg;
    free(arg);
    weir_view v;
    int32_t code = WEIR_OK;
    for (long i = 0; i < w.tokens && code == WEIR_OK; i++)
        code = host->send(w.call, "tok ", 4);
    if (w.end == 'a')
        host->abort(w.call, "the model fell over", 19);
    else
        host->close(w.call);
    // The handler may still run, then the handle lives and the stream is closed. Either way nothing is sent.
    code = host->send(w.call, "LATE", 4);
    if (code != WEIR_EHANDLE && code != WEIR_ECLOSED)
        abort();
    host->query(w.call, "q", 1, &v);
    return NULL;
}

static int32_t start(weir_call call, const weir_request *req, char end)
{
    char digits[20] = "";
    memcpy(digits, req->body.data, req->body.length < 19 ? req->body.length : 19);
    work *w = malloc(sizeof *w);
    if (w == NULL)
        return 12;
    *w = (work){call, strtol(digits, NULL, 10), end};
    int32_t code = host->detach(call);
    pthread_t id;
    if (code == WEIR_OK && pthread_create(&id, NULL, push, w) == 0)
        return pthread_detach(id) == 0 ? WEIR_OK : 1;
    free(w);
    return code != WEIR_OK ? code : 11;
}

static int32_t detached(void *user, weir_call call, const weir_request *req)
{
    (void)user;
    return start(call, req, 'c');
}

static int32_t detached_abort(void *user, weir_call call, const weir_request *req)
{
    (void)user;
    return start(call, req, 'a');
}

// Detaches and fails: the call must not live on.
static int32_t changed_mind(void *user, weir_call call, const weir_request *req)
{
    (void)user, (void)req;
    host->detach(call);
    return 5;
}

typedef struct many {
    weir_call call;
    int32_t code;
} many;

static void *push_many(void *arg)
{
    many *m = arg;
    for (int i = 0; i < 1000 && m->code == WEIR_OK; i++)
        m->code = host->send(m->call, "x", 1);
    return NULL;
}

// Four threads push into one stream that is not detached; the handler waits for them.
static int32_t crowd(void *user, weir_call call, const weir_request *req)
{
    (void)user, (void)req;
    pthread_t id[4];
    many m[4];
    int32_t code = WEIR_OK;
    for (int i = 0; i < 4; i++) {
        m[i] = (many){call, WEIR_OK};
        if (pthread_create(&id[i], NULL, push_many, &m[i]) != 0)
            abort();
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(id[i], NULL);
        if (m[i].code != WEIR_OK)
            code = m[i].code;
    }
    return code;
}

#define HANDLER(n, f) {.struct_size = sizeof(weir_plugin_handler), .name = "thread/" n, .stream = f}

static const weir_plugin_handler handlers[] = {
    HANDLER("detached", detached), HANDLER("detached-abort", detached_abort),
    HANDLER("changed-mind", changed_mind), HANDLER("crowd", crowd),
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
