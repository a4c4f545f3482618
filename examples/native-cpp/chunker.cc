// chunker: cuts a text into passages for an embedding model, beside the model
// that will be asked about them.
//
//   cpp-chunker/split   POST a text; ?size=BYTES (default 800, 16 to 100000)
//
// The response is a line of JSON for each passage, sent as soon as it is cut:
//
//   {"start":0,"end":31,"text":"One sentence. Another sentence."}
//
// start and end are offsets in bytes. A passage is at most size bytes, and ends
// where the text allows it best: after a paragraph, else a sentence, else a
// word, else a character. White space between passages belongs to none.
#include "weir_plugin.h"

#include <algorithm>
#include <charconv>
#include <exception>
#include <string>
#include <string_view>
#include <system_error>

namespace {

constexpr std::size_t default_size = 800, min_size = 16, max_size = 100000;
constexpr std::string_view space = " \t\r\n";

const weir_host *host;

std::string_view view(weir_view v) { return {v.data, v.length}; }

int32_t send(weir_call call, std::string_view s) { return host->send(call, s.data(), s.size()); }

// last_cut returns the last place in s behind one of the separators, 0 if there is none.
std::size_t last_cut(std::string_view s, std::initializer_list<std::string_view> separators) {
    std::size_t best = 0;
    for (std::string_view sep : separators)
        if (std::size_t at = s.rfind(sep); at != s.npos)
            best = std::max(best, at + sep.size());
    return best;
}

// cut returns how long the first passage of text is, from 1 to size.
std::size_t cut(std::string_view text, std::size_t size) {
    if (text.size() <= size)
        return text.size();
    std::string_view fits = text.substr(0, size);
    // A better place is taken if the passage does not become too short by it.
    if (std::size_t n = last_cut(fits, {"\n\n", "\r\n\r\n"}); n > size / 2)
        return n;
    if (std::size_t n = last_cut(fits, {". ", "! ", "? ", ".\n", "!\n", "?\n"}); n > size / 4)
        return n;
    if (std::size_t n = last_cut(fits, {" ", "\t", "\n"}); n > 0)
        return n;
    // Never inside a character: back over UTF-8's continuation bytes, of which valid text has at most three.
    std::size_t n = size;
    while (n > size - 4 && (static_cast<unsigned char>(text[n]) & 0xC0) == 0x80)
        n--;
    return n;
}

void append_json(std::string &out, std::string_view s) {
    constexpr char hex[] = "0123456789abcdef";
    out += '"';
    for (char c : s) {
        auto u = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            (out += '\\') += c;
        else if (c == '\n')
            out += "\\n";
        else if (u < 0x20)
            ((out += "\\u00") += hex[u >> 4]) += hex[u & 15];
        else
            out += c;
    }
    out += '"';
}

// size_of reads ?size=; 0 is a bad one.
std::size_t size_of(weir_call call) {
    weir_view v;
    if (host->query(call, "size", 4, &v) != WEIR_OK || v.length == 0)
        return default_size;
    std::size_t size = 0;
    auto [end, err] = std::from_chars(v.data, v.data + v.length, size);
    return err == std::errc() && end == v.data + v.length && size >= min_size && size <= max_size ? size : 0;
}

int32_t split_text(weir_call call, std::string_view text, std::size_t size) {
    std::string line;
    for (std::size_t start = 0;;) {
        start = text.find_first_not_of(space, start);
        if (start == text.npos)
            return WEIR_OK;
        std::size_t next = start + cut(text.substr(start), size);
        std::string_view passage = text.substr(start, next - start);
        passage = passage.substr(0, passage.find_last_not_of(space) + 1); // it does not begin with a space
        line = "{\"start\":" + std::to_string(start) + ",\"end\":" + std::to_string(start + passage.size()) + ",\"text\":";
        append_json(line, passage);
        line += "}\n";
        if (int32_t code = send(call, line); code != WEIR_OK)
            return code; // the client has disconnected
        start = next;
    }
}

// No exception may leave a function that weir calls.
int32_t split(void *, weir_call call, const weir_request *req) try {
    std::size_t size = size_of(call);
    if (size == 0) {
        host->set_status(call, 400);
        return send(call, "size must be a number from 16 to 100000\n");
    }
    constexpr std::string_view name = "Content-Type", type = "application/x-ndjson";
    host->set_header(call, name.data(), name.size(), type.data(), type.size());
    return split_text(call, view(req->body), size); // the body stays where it is until we return
} catch (const std::exception &e) {
    std::string_view what = e.what();
    return host->abort(call, what.data(), what.size());
}

// C++17 has no designated initializers: a function sets the fields by name.
weir_plugin_handler describe() {
    weir_plugin_handler h{};
    h.struct_size = sizeof h;
    h.name = "cpp-chunker/split";
    h.doc = "cuts a text into passages for embedding, a line of JSON each";
    h.stream = split;
    return h;
}

const weir_plugin_handler handler = describe();

} // namespace

uint32_t weir_plugin_abi(void) { return WEIR_PLUGIN_ABI; }

int32_t weir_plugin_init(const weir_host *h) {
    host = h;
    return WEIR_OK;
}

const weir_plugin_handler *weir_plugin_handlers(size_t *n) {
    *n = 1;
    return &handler;
}
