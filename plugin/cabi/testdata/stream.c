// Stream handlers that end in every way, and one that uses the call of another.
#include "weir_plugin.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const weir_host *host;

// number is the body as a decimal number. The body ends with no NUL.
static long number(const weir_request *req)
{
    char digits[20] = "";
    memcpy(digits, req->body.data, req->body.length < 19 ? req->body.length : 19);
    return strtol(digits, NULL, 10);
}

// count sends as many tokens as the body says.
static int32_t count(void *user, weir_call call, const weir_request *req)
{
    (void)user;
    char token[32];
    host->set_header(call, "X-Kind", 6, "stream", 6);
    for (long i = 1, last = number(req); i <= last; i++) {
        int n = snprintf(token, sizeof token, "%ld\n", i);
        int32_t code = host->send(call, token, (size_t)n);
        if (code != WEIR_OK)
            return code;
    }
    return WEIR_OK;
}

// repeat sends one token as often, with nothing besides: for measuring.
static int32_t repeat(void *user, weir_call call, const weir_request *req)
{
    (void)user;
    int32_t code = WEIR_OK;
    for (long n = number(req); n > 0 && code == WEIR_OK; n--)
        code = host->send(call, "tok\n", 4);
    return code;
}

// spin computes until nobody listens.
static int32_t spin(void *user, weir_call call, const weir_request *req)
{
    (void)user, (void)req;
    int32_t code = host->send(call, "hello\n", 6);
    if (code != WEIR_OK)
        return code;
    while (host->is_cancelled(call) == 0)
        sched_yield();
    return WEIR_EGONE;
}

static int32_t polite(void *user, weir_call call, const weir_request *req)
{
    (void)user, (void)req;
    int32_t got[6];
    got[0] = host->flush(call);
    got[1] = host->try_send(call, "a", 1);
    got[2] = host->try_send(call, "full", 4);
    got[3] = host->close(call);
    got[4] = host->send(call, "late", 4);
    got[5] = host->close(call);
    const int32_t want[6] = {WEIR_OK, WEIR_OK, WEIR_EBACKLOG, WEIR_OK, WEIR_ECLOSED, WEIR_OK};
    return memcmp(got, want, sizeof got) == 0 ? WEIR_OK : 98;
}

static int32_t fail(void *user, weir_call call, const weir_request *req)
{
    (void)user, (void)req;
    host->send(call, "part", 4);
    return 7;
}

static int32_t give_up(void *user, weir_call call, const weir_request *req)
{
    (void)user, (void)req;
    char reason[2000];
    memset(reason, 'x', sizeof reason);
    int32_t code = host->abort(call, reason, sizeof reason);
    return code != WEIR_OK ? code : host->send(call, "late", 4) == WEIR_ECLOSED ? WEIR_OK : 97;
}

static weir_call kept;

static int32_t keep(void *user, weir_call call, const weir_request *req)
{
    (void)user, (void)req;
    kept = call;
    return host->send(call, "kept", 4);
}

// late does everything with the call of keep, which is over; its slot may be this call's.
static int32_t late(void *user, weir_call call, const weir_request *req)
{
    (void)user, (void)req;
    weir_view v;
    const int32_t got[] = {
        host->send(kept, "x", 1),       host->try_send(kept, "x", 1),
        host->flush(kept),              host->close(kept),
        host->abort(kept, "x", 1),      host->detach(kept),
        host->is_cancelled(kept),       host->set_status(kept, 500),
        host->set_header(kept, "X", 1, "x", 1), host->path_value(kept, "x", 1, &v),
        host->query(kept, "x", 1, &v),  host->header(kept, "x", 1, &v),
    };
    for (size_t i = 0; i < sizeof got / sizeof *got; i++)
        if (got[i] != WEIR_EHANDLE)
            return (int32_t)i + 1;
    return host->send(call, "mine", 4);
}

static weir_call parked;

// park leaves its call to ask.
static int32_t park(void *user, weir_call call, const weir_request *req)
{
    (void)user, (void)req;
    parked = call;
    int32_t code = host->detach(call);
    return code != WEIR_OK ? code : host->send(call, "hello\n", 6);
}

// ask says what a decode loop would be told of the call of park before it computes, and when it sends.
static int32_t ask(void *user, weir_call call, const weir_request *req)
{
    (void)user, (void)req;
    char text[64];
    int32_t gone = host->is_cancelled(parked);
    weir_item item = {.call = parked, .data = "more\n", .length = 5};
    host->send_batch(&item, 1);
    int n = snprintf(text, sizeof text, "%d %d", gone, item.result);
    return host->send(call, text, (size_t)n);
}

static int32_t unpark(void *user, weir_call call, const weir_request *req)
{
    (void)user, (void)call, (void)req;
    return host->close(parked) == WEIR_EGONE && host->close(parked) == WEIR_EHANDLE ? WEIR_OK : 94;
}

// batch sends to itself twice, to a call that is over, and what is no chunk.
static int32_t batch(void *user, weir_call call, const weir_request *req)
{
    (void)user, (void)req;
    weir_item items[] = {
        {.call = call, .data = "one ", .length = 4, .result = 99}, {.call = 0, .data = "x", .length = 1, .result = 99},
        {.call = call, .data = NULL, .length = 1, .result = 99},   {.call = call, .data = "full", .length = 4, .result = 99},
        {.call = call, .data = "two", .length = 3, .result = 99},
    };
    const int32_t want[] = {WEIR_OK, WEIR_EHANDLE, WEIR_EARG, WEIR_EBACKLOG, WEIR_OK};
    if (host->send_batch(NULL, 1) != WEIR_EARG || host->send_batch(NULL, 0) != WEIR_OK)
        return 95;
    if (host->send_batch(items, sizeof items / sizeof *items) != WEIR_OK)
        return 96;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        if (items[i].result != want[i])
            return (int32_t)i + 1;
    return WEIR_OK;
}

#define HANDLER(n, f) {.struct_size = sizeof(weir_plugin_handler), .name = "stream/" n, .stream = f}

static const weir_plugin_handler handlers[] = {
    HANDLER("count", count), HANDLER("repeat", repeat), HANDLER("spin", spin),     HANDLER("polite", polite),
    HANDLER("fail", fail),   HANDLER("abort", give_up), HANDLER("keep", keep),     HANDLER("late", late),
    HANDLER("batch", batch), HANDLER("park", park),     HANDLER("ask", ask),       HANDLER("unpark", unpark),
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
