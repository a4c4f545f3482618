// What a sanitizer has to find: asan.sh asks whether it does.
#include "weir_plugin.h"

#include <stdlib.h>
#include <string.h>

static const weir_host *host;

static int32_t leak(void *user, weir_call call, const weir_request *req)
{
    (void)user;
    char *copy = malloc(req->body.length);
    if (copy == NULL)
        return 12;
    memcpy(copy, req->body.data, req->body.length);
    return host->send(call, copy, req->body.length);
}

static int32_t overflow(void *user, weir_call call, const weir_request *req)
{
    (void)user;
    volatile size_t length = req->body.length;
    char *copy = malloc(length);
    if (copy == NULL)
        return 12;
    for (size_t i = 0; i <= length; i++)
        ((volatile char *)copy)[i] = 'x';
    int32_t code = host->send(call, copy, length);
    free(copy);
    return code;
}

static const weir_plugin_handler handlers[] = {
    {.struct_size = sizeof handlers[0], .name = "faulty/leak", .unary = leak},
    {.struct_size = sizeof handlers[0], .name = "faulty/overflow", .unary = overflow},
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
