// Unary handlers: what was asked goes back, and what may not be done is tried.
#include "weir_plugin.h"

#include <stdio.h>
#include <string.h>

static const weir_host *host;

static int32_t put(weir_call call, weir_view v) { return host->send(call, v.data, v.length); }

static int32_t put_text(weir_call call, const char *s) { return host->send(call, s, strlen(s)); }

static int32_t echo(void *user, weir_call call, const weir_request *req)
{
    weir_view id, q, x, none;
    host->path_value(call, "id", 2, &id);
    host->query(call, "q", 1, &q);
    host->header(call, "X-Test", 6, &x);
    host->header(call, "X-None", 6, &none);
    host->set_status(call, 201);
    host->set_header(call, "X-Kind", 6, user, strlen(user));
    const weir_view parts[] = {req->method, req->path, req->raw_query, req->body, id, q, x, none};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].data == NULL)
            return 99;
        put_text(call, "[");
        put(call, parts[i]);
        put_text(call, "]");
    }
    return WEIR_OK;
}

static int32_t tiny(void *user, weir_call call, const weir_request *req)
{
    (void)user, (void)req;
    return host->send(call, "ok", 2);
}

static int32_t nothing(void *user, weir_call call, const weir_request *req)
{
    (void)user, (void)call, (void)req;
    return WEIR_OK;
}

static int32_t fail(void *user, weir_call call, const weir_request *req)
{
    (void)user;
    put_text(call, "part");
    return req->body.length > 0 ? (int32_t)strlen("seven") + 2 : host->send(call, "too much", 8);
}

static int32_t give_up(void *user, weir_call call, const weir_request *req)
{
    (void)user, (void)req;
    return host->abort(call, "out of luck", 11);
}

static int32_t misuse(void *user, weir_call call, const weir_request *req)
{
    (void)user, (void)req;
    weir_view v;
    const int32_t got[] = {
        host->try_send(call, "x", 1),      host->flush(call),
        host->close(call),                 host->detach(call),
        host->send(call, NULL, 1),         host->send(call, "x", (size_t)WEIR_MAX_LENGTH + 1),
        host->send(call, NULL, 0),         host->set_status(call, 199),
        host->set_status(call, 1000),      host->set_header(call, NULL, 1, "", 0),
        host->query(call, "q", 1, NULL),   host->header(call, NULL, 1, &v),
        host->set_header(call, "Date", 4, "now", 3), host->is_cancelled(call),
        host->send(0, "x", 1),             host->send(call + 1, "x", 1),
        host->send(call ^ (1ull << 40), "x", 1), host->send(UINT64_MAX, "x", 1),
    };
    char line[200];
    int n = 0;
    for (size_t i = 0; i < sizeof got / sizeof *got; i++)
        n += snprintf(line + n, sizeof line - (size_t)n, "%d ", (int)got[i]);
    return host->send(call, line, (size_t)n);
}

static char kind[] = "native";

static const weir_plugin_handler handlers[] = {
    {.struct_size = sizeof handlers[0], .name = "unary/echo", .doc = "what was asked", .limit = 7, .user = kind, .unary = echo},
    {.struct_size = sizeof handlers[0], .name = "unary/tiny", .unary = tiny},
    {.struct_size = sizeof handlers[0], .name = "unary/nothing", .unary = nothing},
    {.struct_size = sizeof handlers[0], .name = "unary/fail", .unary = fail},
    {.struct_size = sizeof handlers[0], .name = "unary/abort", .unary = give_up},
    {.struct_size = sizeof handlers[0], .name = "unary/misuse", .unary = misuse},
};

uint32_t weir_plugin_abi(void) { return WEIR_PLUGIN_ABI; }

int32_t weir_plugin_init(const weir_host *h)
{
    host = h;
    return h->struct_size >= sizeof *h && h->abi == WEIR_PLUGIN_ABI ? WEIR_OK : 1;
}

const weir_plugin_handler *weir_plugin_handlers(size_t *n)
{
    *n = sizeof handlers / sizeof *handlers;
    return handlers;
}
