// What Go calls in C: the loader's steps, and the way into a handler.
#ifndef WEIR_CABI_BRIDGE_H
#define WEIR_CABI_BRIDGE_H

#include "../include/weir_plugin.h"

// The size that weir_plugin_handler had before there were WebSockets: a plugin that was built then has none of what
// follows.
#define WEIR_HANDLER_SIZE_1 offsetof(weir_plugin_handler, open)

// Opens a shared object for good; NULL with the reason in why, n bytes with the NUL.
void *weir_open(const char *path, char *why, size_t n);

// Returns the address of a function of the library, NULL if it has none.
void *weir_symbol(void *library, const char *name);

// These call the functions that weir_symbol found.
uint32_t weir_run_abi(void *f);
int32_t weir_run_init(void *f);
const weir_plugin_handler *weir_run_handlers(void *f, size_t *n);

// Returns the handler after h, whose size only the plugin knows.
const weir_plugin_handler *weir_next(const weir_plugin_handler *h);

// Returns a copy of h as it would be if it had been built with this header, to be freed; NULL without memory.
weir_plugin_handler *weir_read_handler(const weir_plugin_handler *h);

// The functions of a WebSocket. What open stores in *socket is passed on as a number: it is the plugin's, and Go's
// collector must not take it for a pointer.
int32_t weir_run_open(const weir_plugin_handler *h, weir_call call, uintptr_t *socket, const char *method,
                      size_t method_n, const char *path, size_t path_n, const char *query, size_t query_n);
int32_t weir_run_message(weir_message_fn *f, uintptr_t socket, weir_call call, int32_t kind, const char *p, size_t n);
void weir_run_closed(weir_closed_fn *f, uintptr_t socket, weir_call call, int32_t code, const char *reason, size_t n);

// Runs the one function that h has. The pointers need to live until it returns, and may be NULL with a length of 0.
int32_t weir_run(const weir_plugin_handler *h, weir_call call, const char *method, size_t method_n, const char *path,
                 size_t path_n, const char *query, size_t query_n, const char *body, size_t body_n);

#endif
