/*
 * weir_plugin.h: handlers for weir in C, C++, Rust, or whatever builds a shared
 * library with the C calling convention. Needs C99 or C++11.
 *
 * A plugin is a shared library with three functions: weir_plugin_abi,
 * weir_plugin_init and weir_plugin_handlers, called in this order and once each.
 * A whole plugin:
 *
 *     #include "weir_plugin.h"
 *
 *     static const weir_host *host;
 *
 *     static int32_t hello(void *user, weir_call call, const weir_request *req)
 *     {
 *         (void)user, (void)req;
 *         return host->send(call, "hello\n", 6);
 *     }
 *
 *     static const weir_plugin_handler handlers[] = {
 *         {.struct_size = sizeof handlers[0], .name = "demo/hello", .doc = "greets", .unary = hello},
 *     };
 *
 *     uint32_t weir_plugin_abi(void) { return WEIR_PLUGIN_ABI; }
 *     int32_t weir_plugin_init(const weir_host *h) { host = h; return WEIR_OK; }
 *     const weir_plugin_handler *weir_plugin_handlers(size_t *n) { *n = 1; return handlers; }
 *
 *     cc -shared -fPIC -fvisibility=hidden -o libhello.so hello.c
 *
 * Memory. Each side frees what it allocated, and neither ever frees or keeps what
 * it is lent:
 *   - What a plugin passes to a weir_host function is copied before the function
 *     returns; the plugin may reuse it at once.
 *   - What weir passes to a handler, and the views it fills in, is read-only and
 *     valid until that handler returns. Copy what has to live longer.
 *   - weir_host, and what weir_plugin_handlers returns, lives as long as the process.
 * No length includes a final NUL, and no view ends with one.
 *
 * Threads. A handler runs on a thread of weir's, for many requests at a time, up to
 * its limit, and may block. It has that thread to itself until it returns, so a
 * thousand waiting handlers are a thousand threads: a handler that mostly waits calls
 * detach, hands its weir_call to a thread of the plugin's and returns. Every weir_host
 * function may be called from every thread, also from one that the plugin made; none
 * from a signal handler. Do not fork.
 *
 * Life. A library is never unloaded: its threads may outlive all its calls. A crash in
 * a plugin is a crash of the server, and C++ exceptions or Rust panics must not leave a
 * function that weir calls. Signal handlers, if you must, are installed with SA_ONSTACK
 * and pass on what is not theirs.
 */
#ifndef WEIR_PLUGIN_H
#define WEIR_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The version of this interface. It changes when a plugin that was built before would
 * break. What is added without breaking any goes to the end of a struct; struct_size,
 * set by the side that made the struct, shows whether it is there:
 *
 *     if (host->struct_size >= offsetof(weir_host, f) + sizeof host->f) host->f(...)
 */
#define WEIR_PLUGIN_ABI 1u

#if defined(__GNUC__)
#define WEIR_PLUGIN_EXPORT __attribute__((visibility("default")))
#else
#define WEIR_PLUGIN_EXPORT
#endif

/*
 * A request and its response: a number, not a pointer, and never given out twice. It is
 * alive until the handler returns or, after detach, until close or abort; that of a
 * WebSocket, until its closed function returns. Whatever is called with a number that is
 * not alive returns WEIR_EHANDLE and does nothing else. 0 is never alive.
 */
typedef uint64_t weir_call;

/*
 * What weir_host functions return. A handler returns WEIR_OK, one of these as it got
 * it, or a positive number of its own.
 */
enum {
    WEIR_OK = 0,
    WEIR_EHANDLE = -1,  /* the call has ended, or never existed */
    WEIR_ECLOSED = -2,  /* the plugin has ended it itself, with close, abort or ws_close */
    WEIR_EGONE = -3,    /* ended from outside: the client disconnected or was too slow, or the server stops */
    WEIR_EBACKLOG = -4, /* try_send, ws_try_send: the client has not taken enough yet; nothing was sent */
    WEIR_EARG = -5,     /* NULL with a length, a length over WEIR_MAX_LENGTH, a status outside 200..999, or see ws_send */
    WEIR_EHEAD = -6,    /* set_header: the head was sent, or the field is malformed or set by the server */
    WEIR_EKIND = -7,    /* not for a handler of this kind */
    WEIR_EFAILED = -8   /* anything else, such as a unary body over the server's bound */
};

/* The longest chunk, name or value, in bytes. */
#define WEIR_MAX_LENGTH 0x7fffffff

/* Bytes on loan. data is never NULL, also when length is 0. */
typedef struct weir_view {
    const char *data;
    size_t length;
} weir_view;

/* The request. The struct itself is also valid only until the handler returns. */
typedef struct weir_request {
    size_t struct_size;
    weir_view method;
    weir_view path;      /* as received, with percent escapes */
    weir_view raw_query; /* without the "?" */
    weir_view body;      /* whole, within the server's limit */
} weir_request;

/* What a message of a WebSocket holds: the opcodes of RFC 6455. */
enum {
    WEIR_TEXT = 1, /* UTF-8 */
    WEIR_BINARY = 2
};

/* One call's part of a batch. */
typedef struct weir_item {
    weir_call call;
    const void *data;
    size_t length;
    int32_t result; /* set by send_batch: what try_send would have returned */
    int32_t reserved;
} weir_item;

/*
 * What a plugin may call. All functions are set, and are safe for concurrent use, also
 * for one call: a chunk is never torn, and the chunks of one thread arrive in its order.
 */
typedef struct weir_host {
    size_t struct_size;
    uint32_t abi; /* WEIR_PLUGIN_ABI of the server */

    /*
     * Sends one chunk; for a token stream, one event. The first is sent with the head.
     * It waits, with its thread, while the client is too far behind. n = 0 sends nothing.
     * For a unary handler it appends to the body, which is sent when the handler returns
     * WEIR_OK. Fails with WEIR_EHANDLE, _EGONE, _ECLOSED, _EARG, _EFAILED.
     */
    int32_t (*send)(weir_call call, const void *p, size_t n);

    /*
     * send that never waits for the client: WEIR_EBACKLOG instead. For a thread that
     * serves many calls. WEIR_EKIND for a unary handler.
     */
    int32_t (*try_send)(weir_call call, const void *p, size_t n);

    /*
     * Sends the head now, for a first chunk that comes late; send needs no flush
     * after it. WEIR_EKIND for a unary handler.
     */
    int32_t (*flush)(weir_call call);

    /*
     * Ends the stream: the client sees that it is complete. Returning WEIR_OK from a
     * handler that has not detached also does so. Once the handler has returned the call
     * has ended, whatever close returns; before, a second close or abort does nothing and
     * is WEIR_OK. WEIR_EGONE if it had ended from outside. WEIR_EKIND for a unary handler.
     */
    int32_t (*close)(weir_call call);

    /*
     * Ends the stream as failed: a 500 before the first chunk, else the body is
     * truncated, so that the client never takes the part for the whole. reason, n bytes
     * that may be NULL with 0, is for the server's log, which keeps the first 1024; the
     * client does not get it. From a unary handler it makes the response a 500, whatever
     * the handler returns. Otherwise as close.
     */
    int32_t (*abort)(weir_call call, const char *reason, size_t n);

    /*
     * The handler may return and the call continues. From then on the plugin owes a close
     * or an abort, also after a send has failed: until then the call's number, its memory
     * and its place under the handler's limit stay taken. Call it before the handler
     * returns, from any thread, and before another thread may close. WEIR_EKIND for a
     * unary handler.
     */
    int32_t (*detach)(weir_call call);

    /*
     * 1 if the stream was ended from outside, 0 while it runs, WEIR_EHANDLE if the call
     * has ended: not 0 means stop. Costs about as much as any crossing to Go, 0.1 us: call
     * it before each step of a computation that has nothing to send yet.
     */
    int32_t (*is_cancelled)(weir_call call);

    /* Without it the status is 200. Once the head was sent it has no effect. */
    int32_t (*set_status)(weir_call call, int32_t status);

    /*
     * Sets a field of the head, in place of earlier ones of that name. Content-Length,
     * Transfer-Encoding, Connection and Date are set by the server: WEIR_EHEAD.
     */
    int32_t (*set_header)(weir_call call, const char *name, size_t name_n, const char *value, size_t value_n);

    /*
     * Values of the request, by name: the route's wildcard, decoded; the first value
     * of that name in the query, decoded; the first field of that name in the head, in any
     * case. A length of 0 if there is none. Only until the handler returns: a detached call
     * no longer has a request, which is WEIR_EHANDLE.
     */
    int32_t (*path_value)(weir_call call, const char *name, size_t n, weir_view *out);
    int32_t (*query)(weir_call call, const char *name, size_t n, weir_view *out);
    int32_t (*header)(weir_call call, const char *name, size_t n, weir_view *out);

    /*
     * A try_send for each of n items, as one step of a decode loop produces them for many
     * calls: one crossing to Go, one wake-up of each event loop and one write to each
     * connection, however many items there are. It sets every item's result and returns
     * WEIR_OK; WEIR_EARG for NULL, and no result is set then.
     */
    int32_t (*send_batch)(weir_item *items, size_t n);

    /*
     * For a WebSocket, and WEIR_EKIND for any other call. Of the functions above only
     * is_cancelled is for a WebSocket too and, until its open function returns,
     * path_value, query and header; the others are WEIR_EKIND.
     *
     * ws_send sends one message, and waits, with its thread, while the client is too far
     * behind; ws_try_send is WEIR_EBACKLOG instead. A kind other than the two, and text
     * that is not UTF-8, is WEIR_EARG.
     */
    int32_t (*ws_send)(weir_call call, int32_t kind, const void *p, size_t n);
    int32_t (*ws_try_send)(weir_call call, int32_t kind, const void *p, size_t n);

    /*
     * Starts the closing handshake, behind what was sent, and does not wait for the
     * client: closed is called when it is over. code is 1000 for a normal end, or any
     * other that may be sent (RFC 6455 7.4); reason is n bytes of UTF-8, at most 123, and
     * may be NULL with 0. WEIR_EARG for others. WEIR_OK also when it is called again;
     * WEIR_EGONE if the WebSocket had ended from outside.
     */
    int32_t (*ws_close)(weir_call call, int32_t code, const char *reason, size_t n);
} weir_host;

/*
 * A handler. user is that of weir_plugin_handler. A result other than WEIR_OK ends the
 * request as abort does.
 */
typedef int32_t weir_handler_fn(void *user, weir_call call, const weir_request *req);

/*
 * The three functions of a WebSocket. weir calls them one at a time for each WebSocket,
 * each call on any thread of weir's: while one runs, little more is read from the client.
 *
 * open is called when the handshake is complete. What it stores in *socket is passed to
 * the others. A result other than WEIR_OK closes the WebSocket with code 1011, unless
 * ws_close was called with another, and neither of the others is called.
 */
typedef int32_t weir_open_fn(void *user, weir_call call, const weir_request *req, void **socket);

/*
 * message is called with each message: n bytes of that kind, valid until it returns. A
 * result other than WEIR_OK closes the WebSocket with code 1011. It may be NULL for a
 * handler that only sends.
 */
typedef int32_t weir_message_fn(void *socket, weir_call call, int32_t kind, const void *p, size_t n);

/*
 * closed is called last, once for each open that returned WEIR_OK, and is the place to
 * free what *socket points to: with the code and the reason of the first Close, whichever
 * side sent it, or 1005 if that had no code, or 1006 if the connection ended without one.
 * Other threads of the plugin may use the call until closed returns, and get WEIR_EGONE
 * or WEIR_ECLOSED by then. It may be NULL.
 */
typedef void weir_closed_fn(void *socket, weir_call call, int32_t code, const char *reason, size_t n);

/* One handler of a plugin. Set the fields you use by name, and the rest to 0. */
typedef struct weir_plugin_handler {
    size_t struct_size; /* of this struct, the same in all of an array */
    const char *name;   /* NUL-terminated: "package/handler", letters, digits, "-", "_", ".", at most 128 */
    const char *doc;    /* NUL-terminated: one line on what it does; NULL for none */
    uint32_t limit;     /* calls at the same time, the next is a 503; 0 for weir's default, 1000 */
    uint32_t reserved;  /* 0 */
    void *user;         /* passed to the functions unchanged */

    /* Exactly one of unary, stream and open is set. */
    weir_handler_fn *unary;  /* responds with one body, with its length */
    weir_handler_fn *stream; /* responds piece by piece */

    weir_open_fn *open; /* serves WebSockets, with the next two */
    weir_message_fn *message;
    weir_closed_fn *closed;
    const char *subprotocols; /* NUL-terminated: those it speaks, the preferred one first, with commas; NULL for none */
} weir_plugin_handler;

/* What a plugin defines. All run on one thread of weir's, one after the other. */

/* Returns WEIR_PLUGIN_ABI. Is called first and does nothing else. */
WEIR_PLUGIN_EXPORT uint32_t weir_plugin_abi(void);

/*
 * Gets what the plugin may call, and prepares the plugin: loads weights, starts threads.
 * Any result but WEIR_OK fails the load.
 */
WEIR_PLUGIN_EXPORT int32_t weir_plugin_init(const weir_host *host);

/* Returns the first of *n handlers. They may be called from now on. */
WEIR_PLUGIN_EXPORT const weir_plugin_handler *weir_plugin_handlers(size_t *n);

#ifdef __cplusplus
}
#endif

#endif
