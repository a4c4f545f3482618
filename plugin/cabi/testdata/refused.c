// Plugins that are not to be loaded; -DCASE=... says which.
#include "weir_plugin.h"

#define WRONG_ABI 1
#define NO_ABI 2
#define NO_INIT 3
#define NO_HANDLERS 4
#define BAD_INIT 5
#define EMPTY 6
#define UNSET 7
#define SMALL 8
#define NAMELESS 9
#define NEITHER 10
#define BOTH 11
#define MALFORMED 12
#define TWICE 13
#define UNDEFINED 14
#define LARGER 15  // this one is loaded: its structs are of a later weir
#define EARLIER 16 // and this one: it was built before there were WebSockets
#define HALF 17    // message without open

// Not all cases use all there is.
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-const-variable"

static int32_t nothing(void *user, weir_call call, const weir_request *req)
{
    (void)user, (void)call, (void)req;
    return WEIR_OK;
}

#if CASE != NO_ABI
uint32_t weir_plugin_abi(void) { return CASE == WRONG_ABI ? 99 : WEIR_PLUGIN_ABI; }
#endif

#if CASE == UNDEFINED
int32_t nobody_has_this(void);
#define INIT nobody_has_this()
#elif CASE == BAD_INIT
#define INIT 42
#else
#define INIT WEIR_OK
#endif

#if CASE != NO_INIT
int32_t weir_plugin_init(const weir_host *h)
{
    (void)h;
    return INIT;
}
#endif

#if CASE == EARLIER
/* As weir_plugin_handler was. What follows the array is none of its handlers' fields. */
typedef struct earlier {
    size_t struct_size;
    const char *name, *doc;
    uint32_t limit, reserved;
    void *user;
    weir_handler_fn *unary, *stream;
} earlier;

static const earlier old[3] = {
    {.struct_size = sizeof(earlier), .name = "earlier/one", .unary = nothing},
    {.struct_size = sizeof(earlier), .name = "earlier/two", .stream = nothing},
    {.struct_size = ~(size_t)0, .name = "x", .doc = "x", .limit = ~0u, .reserved = ~0u, .user = (void *)&old, .unary = nothing, .stream = nothing},
};
#endif

static int32_t message(void *socket, weir_call call, int32_t kind, const void *p, size_t n)
{
    (void)socket, (void)call, (void)kind, (void)p, (void)n;
    return WEIR_OK;
}

typedef struct later {
    weir_plugin_handler now;
    char more[24];
} later;

#define FIRST(size, nm, u, s) {.struct_size = (size), .name = (nm), .unary = (u), .stream = (s)}

static const later handlers[2] = {
#if CASE == SMALL
    {.now = FIRST(8, "refused/small", nothing, NULL)},
#elif CASE == NAMELESS
    {.now = FIRST(sizeof(later), NULL, nothing, NULL)},
#elif CASE == NEITHER
    {.now = FIRST(sizeof(later), "refused/neither", NULL, NULL)},
#elif CASE == BOTH
    {.now = FIRST(sizeof(later), "refused/both", nothing, nothing)},
#elif CASE == MALFORMED
    {.now = FIRST(sizeof(later), "refused//x", nothing, NULL)},
#elif CASE == TWICE
    {.now = FIRST(sizeof(later), "refused/twice", nothing, NULL)},
    {.now = FIRST(sizeof(later), "refused/twice", nothing, NULL)},
#elif CASE == HALF
    {.now = {.struct_size = sizeof(later), .name = "refused/half", .stream = nothing, .message = message}},
#else
    {.now = FIRST(sizeof(later), "later/one", nothing, NULL)},
    {.now = FIRST(sizeof(later), "later/two", NULL, nothing)},
#endif
};

#if CASE != NO_HANDLERS
const weir_plugin_handler *weir_plugin_handlers(size_t *n)
{
#if CASE == EARLIER
    *n = 2;
    return (const weir_plugin_handler *)old;
#endif
    if (CASE != UNSET)
        *n = CASE == EMPTY ? 0 : CASE == TWICE || CASE == LARGER ? 2 : 1;
    return CASE == UNSET ? NULL : &handlers[0].now;
}
#endif
