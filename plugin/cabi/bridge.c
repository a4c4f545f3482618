//go:build cgo && unix

#include "bridge.h"
#include "_cgo_export.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What can be refused without crossing to Go is refused here, so that Go gets lengths that it can make slices of.
static int bad(const void *p, size_t n) { return (p == NULL && n > 0) || n > WEIR_MAX_LENGTH; }

// The functions below differ from the exported ones in const alone, which Go cannot say.

static int32_t host_send(weir_call call, const void *p, size_t n)
{
    return bad(p, n) ? WEIR_EARG : weirSend(call, (char *)p, n);
}

static int32_t host_try_send(weir_call call, const void *p, size_t n)
{
    return bad(p, n) ? WEIR_EARG : weirTrySend(call, (char *)p, n);
}

static int32_t host_flush(weir_call call) { return weirFlush(call); }

static int32_t host_close(weir_call call) { return weirClose(call); }

static int32_t host_abort(weir_call call, const char *reason, size_t n)
{
    return bad(reason, n) ? WEIR_EARG : weirAbort(call, (char *)reason, n);
}

static int32_t host_detach(weir_call call) { return weirDetach(call); }

static int32_t host_is_cancelled(weir_call call) { return weirIsCancelled(call); }

static int32_t host_set_status(weir_call call, int32_t status) { return weirSetStatus(call, status); }

static int32_t host_set_header(weir_call call, const char *name, size_t name_n, const char *value, size_t value_n)
{
    if (bad(name, name_n) || bad(value, value_n))
        return WEIR_EARG;
    return weirSetHeader(call, (char *)name, name_n, (char *)value, value_n);
}

// out is set before Go writes to it: the write barrier of Go's collector looks at what a pointer was before, and must
// find nothing there that looks like one of Go's.
static int32_t look_up(int32_t (*f)(weir_call, char *, size_t, weir_view *), weir_call call, const char *name, size_t n,
                       weir_view *out)
{
    if (bad(name, n) || out == NULL)
        return WEIR_EARG;
    *out = (weir_view){"", 0};
    return f(call, (char *)name, n, out);
}

static int32_t host_path_value(weir_call call, const char *name, size_t n, weir_view *out)
{
    return look_up(weirPathValue, call, name, n, out);
}

static int32_t host_query(weir_call call, const char *name, size_t n, weir_view *out)
{
    return look_up(weirQuery, call, name, n, out);
}

static int32_t host_header(weir_call call, const char *name, size_t n, weir_view *out)
{
    return look_up(weirHeader, call, name, n, out);
}

static int32_t host_send_batch(weir_item *items, size_t n)
{
    if (bad(items, n))
        return WEIR_EARG;
    if (n > 0)
        weirSendBatch(items, n);
    return WEIR_OK;
}

static int kind_bad(int32_t kind) { return kind != WEIR_TEXT && kind != WEIR_BINARY; }

static int32_t host_ws_send(weir_call call, int32_t kind, const void *p, size_t n)
{
    return kind_bad(kind) || bad(p, n) ? WEIR_EARG : weirSocketSend(call, kind, (char *)p, n);
}

static int32_t host_ws_try_send(weir_call call, int32_t kind, const void *p, size_t n)
{
    return kind_bad(kind) || bad(p, n) ? WEIR_EARG : weirSocketTrySend(call, kind, (char *)p, n);
}

static int32_t host_ws_close(weir_call call, int32_t code, const char *reason, size_t n)
{
    return bad(reason, n) ? WEIR_EARG : weirSocketClose(call, code, (char *)reason, n);
}

static const weir_host host = {
    .struct_size = sizeof host,
    .abi = WEIR_PLUGIN_ABI,
    .send = host_send,
    .try_send = host_try_send,
    .flush = host_flush,
    .close = host_close,
    .abort = host_abort,
    .detach = host_detach,
    .is_cancelled = host_is_cancelled,
    .set_status = host_set_status,
    .set_header = host_set_header,
    .path_value = host_path_value,
    .query = host_query,
    .header = host_header,
    .send_batch = host_send_batch,
    .ws_send = host_ws_send,
    .ws_try_send = host_ws_try_send,
    .ws_close = host_ws_close,
};

void *weir_open(const char *path, char *why, size_t n)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        // In the same call from Go as dlopen: dlerror is each thread's own.
        const char *said = dlerror();
        snprintf(why, n, "%s", said != NULL ? said : "dlopen does not say why");
    }
    return library;
}

void *weir_symbol(void *library, const char *name) { return dlsym(library, name); }

uint32_t weir_run_abi(void *f) { return ((uint32_t(*)(void))f)(); }

int32_t weir_run_init(void *f) { return ((int32_t(*)(const weir_host *))f)(&host); }

const weir_plugin_handler *weir_run_handlers(void *f, size_t *n)
{
    return ((const weir_plugin_handler *(*)(size_t *))f)(n);
}

const weir_plugin_handler *weir_next(const weir_plugin_handler *h)
{
    return (const weir_plugin_handler *)((const char *)h + h->struct_size);
}

static weir_view view(const char *p, size_t n) { return (weir_view){n > 0 ? p : "", n}; }

int32_t weir_run(const weir_plugin_handler *h, weir_call call, const char *method, size_t method_n, const char *path,
                 size_t path_n, const char *query, size_t query_n, const char *body, size_t body_n)
{
    const weir_request req = {
        .struct_size = sizeof req,
        .method = view(method, method_n),
        .path = view(path, path_n),
        .raw_query = view(query, query_n),
        .body = view(body, body_n),
    };
    return (h->unary != NULL ? h->unary : h->stream)(h->user, call, &req);
}

weir_plugin_handler *weir_read_handler(const weir_plugin_handler *h)
{
    weir_plugin_handler *read = calloc(1, sizeof *read);
    if (read != NULL)
        memcpy(read, h, h->struct_size < sizeof *read ? h->struct_size : sizeof *read);
    return read;
}

int32_t weir_run_open(const weir_plugin_handler *h, weir_call call, uintptr_t *socket, const char *method,
                      size_t method_n, const char *path, size_t path_n, const char *query, size_t query_n)
{
    const weir_request req = {
        .struct_size = sizeof req,
        .method = view(method, method_n),
        .path = view(path, path_n),
        .raw_query = view(query, query_n),
        .body = view(NULL, 0),
    };
    void *state = NULL;
    int32_t code = h->open(h->user, call, &req, &state);
    *socket = (uintptr_t)state;
    return code;
}

int32_t weir_run_message(weir_message_fn *f, uintptr_t socket, weir_call call, int32_t kind, const char *p, size_t n)
{
    return f((void *)socket, call, kind, n > 0 ? p : "", n);
}

void weir_run_closed(weir_closed_fn *f, uintptr_t socket, weir_call call, int32_t code, const char *reason, size_t n)
{
    f((void *)socket, call, code, n > 0 ? reason : "", n);
}
