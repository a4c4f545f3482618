/*
 * babble: one decode thread for all streams, as an inference engine with
 * continuous batching has. The handler hands its call over and returns at once;
 * the thread makes one token for each call in every step, and sends them with
 * one send_batch. There is no model: the tokens are words in a random order.
 *
 *   c-babble/generate   ?n=TOKENS (default 20): server-sent events
 *   c-babble/stats      how many streams there are and were
 */
#include "weir_plugin.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    MAX_STREAMS = 1000, /* the handler's limit: more never come */
    MAX_TOKENS = 100000,
    MAX_EVENT = 64,
    STEP_MS = 20,
};

static const weir_host *host;

/* A sequence is one stream that is being decoded. */
typedef struct sequence {
    weir_call call;
    long left; /* tokens */
    uint32_t random;
    size_t length; /* of the event that is to be sent; 0 = make the next */
    char event[MAX_EVENT];
} sequence;

/* lock guards all that follows; arrived says that waiting is not empty any more. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static sequence waiting[MAX_STREAMS];
static size_t waiting_n;
static long now_n, ever_n, cancelled_n;

/* make_token makes the next event of a sequence. */
static void make_token(sequence *s)
{
    static const char *const words[] = {"the", "weir", "holds", "back", "water", "and", "lets", "it", "go"};
    s->random ^= s->random << 13; /* xorshift32 */
    s->random ^= s->random >> 17;
    s->random ^= s->random << 5;
    const char *word = words[s->random % (sizeof words / sizeof *words)];
    s->length = (size_t)snprintf(s->event, sizeof s->event, "data: %s\n\n", word);
}

/* take adds what has arrived to the n sequences; with none at all, it waits. */
static size_t take(sequence *running, size_t n)
{
    pthread_mutex_lock(&lock);
    while (n == 0 && waiting_n == 0)
        pthread_cond_wait(&arrived, &lock);
    memcpy(running + n, waiting, waiting_n * sizeof *waiting);
    n += waiting_n;
    waiting_n = 0;
    pthread_mutex_unlock(&lock);
    return n;
}

/* finish ends a call, whether the client is still there or not. It counts first: at close its place is free. */
static void finish(const sequence *s, int gone)
{
    pthread_mutex_lock(&lock);
    now_n--;
    cancelled_n += gone;
    pthread_mutex_unlock(&lock);
    host->close(s->call);
}

/*
 * advance looks at what became of a sequence's event, and returns whether there
 * is more to come. A client that is behind gets the event later, and delays
 * no other.
 */
static int advance(sequence *s, int32_t result)
{
    if (result == WEIR_EBACKLOG)
        return 1;
    if (result != WEIR_OK) {
        finish(s, 1);
        return 0;
    }
    s->length = 0;
    if (--s->left > 0)
        return 1;
    finish(s, 0);
    return 0;
}

/* step sends a token to each of n sequences and returns how many have more to come. */
static size_t step(sequence *running, weir_item *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (running[i].length == 0)
            make_token(&running[i]);
        items[i] = (weir_item){.call = running[i].call, .data = running[i].event, .length = running[i].length};
    }
    host->send_batch(items, n);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (advance(&running[i], items[i].result))
            running[kept++] = running[i];
    return kept;
}

static void *decode(void *unused)
{
    (void)unused;
    /* A client that disconnects makes room for the next before a step has seen it: twice as many, for the time between. */
    static sequence running[2 * MAX_STREAMS];
    static weir_item items[2 * MAX_STREAMS];
    const struct timespec pace = {.tv_nsec = STEP_MS * 1000000L};
    for (size_t n = 0;;) {
        n = take(running, n);
        n = step(running, items, n);
        nanosleep(&pace, NULL); /* the time that a model would compute */
    }
    return NULL;
}

/* tokens reads ?n=; a view ends with no NUL. */
static long tokens(weir_call call)
{
    weir_view v;
    char digits[12] = "20";
    if (host->query(call, "n", 1, &v) == WEIR_OK && v.length > 0) {
        size_t n = v.length < sizeof digits ? v.length : sizeof digits - 1;
        memcpy(digits, v.data, n);
        digits[n] = '\0';
    }
    char *end;
    long n = strtol(digits, &end, 10);
    return *end == '\0' && n > 0 && n <= MAX_TOKENS ? n : -1;
}

static int32_t generate(void *user, weir_call call, const weir_request *req)
{
    (void)user, (void)req;
    sequence s = {.call = call, .left = tokens(call), .random = (uint32_t)(call * 2654435761u) | 1};
    if (s.left < 0) {
        static const char text[] = "n must be a number from 1 to 100000\n";
        host->set_status(call, 400);
        return host->send(call, text, sizeof text - 1);
    }
    host->set_header(call, "Content-Type", 12, "text/event-stream", 17);
    int32_t code = host->detach(call);
    if (code != WEIR_OK)
        return code;
    pthread_mutex_lock(&lock);
    int room = waiting_n < MAX_STREAMS;
    if (room) {
        waiting[waiting_n++] = s;
        now_n++;
        ever_n++;
        pthread_cond_signal(&arrived);
    }
    pthread_mutex_unlock(&lock);
    return room ? WEIR_OK : 1; /* a failure of a detached call ends it, too */
}

static int32_t stats(void *user, weir_call call, const weir_request *req)
{
    (void)user, (void)req;
    char text[128];
    pthread_mutex_lock(&lock);
    int n = snprintf(text, sizeof text, "{\"streams\":%ld,\"ever\":%ld,\"cancelled\":%ld}\n", now_n, ever_n, cancelled_n);
    pthread_mutex_unlock(&lock);
    host->set_header(call, "Content-Type", 12, "application/json", 16);
    return host->send(call, text, (size_t)n);
}

static const weir_plugin_handler handlers[] = {
    {.struct_size = sizeof handlers[0], .name = "c-babble/generate", .doc = "words as server-sent events, all streams from one thread", .limit = MAX_STREAMS, .stream = generate},
    {.struct_size = sizeof handlers[0], .name = "c-babble/stats", .doc = "streams now, ever and cancelled, as JSON", .unary = stats},
};

uint32_t weir_plugin_abi(void) { return WEIR_PLUGIN_ABI; }

int32_t weir_plugin_init(const weir_host *h)
{
    host = h;
    if (h->struct_size < sizeof *h)
        return 1; /* an older weir without all that we call */
    pthread_t id;
    if (pthread_create(&id, NULL, decode, NULL) != 0)
        return 2;
    pthread_detach(id); /* it runs as long as the process */
    return WEIR_OK;
}

const weir_plugin_handler *weir_plugin_handlers(size_t *n)
{
    *n = sizeof handlers / sizeof *handlers;
    return handlers;
}
