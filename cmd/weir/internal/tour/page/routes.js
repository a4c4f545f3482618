// The routes of the tour. A route has:
//
//   method, path   {names} in the path are parameters; the others are the query
//   what           one or two sentences
//   parameters     with their defaults, as fields
//   kind           how the page talks to it, a name in runs.js; "fetch" by default
//   body, headers  of the request; message: a field for a text, which is the body
//                  where kind is "fetch"
//   buttons        [{ label, parameters, body, headers, kind }] start something,
//                  those with act call that method of what runs, and those with
//                  post send the message to that path
//   shell          arguments that curl also gets
//   endless        it does not end by itself

const run = [{ label: "Run" }];

export const sections = [
  {
    title: "Plain responses",
    about: "One request, one response. The first two run on the event loop itself.",
    routes: [
      { method: "GET", path: "/plaintext", what: "Hello, World!, the fastest way to respond.", buttons: run },
      { method: "GET", path: "/json", what: "The same as JSON, encoded each time.", buttons: run },
      {
        method: "POST",
        path: "/echo",
        what: "The body back, with its Content-Type.",
        message: "a body",
        headers: { "content-type": "text/plain;charset=utf-8" },
        buttons: [{ label: "Post" }],
      },
      {
        method: "GET",
        path: "/params/{id}/{slug}",
        what: "A request as the server understood it: path values, query and header.",
        parameters: { id: "7", slug: "a slug", q: "1" },
        buttons: run,
      },
      {
        method: "PUT",
        path: "/upload",
        what: "Takes the body while it arrives and keeps none of it. What it refuses, it refuses before the body.",
        parameters: { max: 1048576 },
        buttons: [
          { label: "Upload 1 MiB", body: 1 << 20 },
          { label: "Too much", parameters: { max: 1000 }, body: 50_000 },
          { label: "No Authorization", parameters: { auth: 1 }, body: 1000 },
        ],
      },
    ],
  },
  {
    title: "Streams",
    about: "Each way to make one. Stop closes the request, and the server’s producer is notified at once: see “cancelled” above.",
    routes: [
      { method: "GET", path: "/numbers", what: "The event loop pulls each line when the client has room for it.", parameters: { n: 10 }, buttons: run },
      {
        method: "GET",
        path: "/sse",
        what: "Server-sent events from a generator. When the server cuts the stream, EventSource asks for what follows the last id.",
        parameters: { n: 9, interval: "150ms", retry: "300ms" },
        kind: "events",
        buttons: [{ label: "Listen" }, { label: "Cut after every 3", parameters: { cut: 3 } }],
      },
      {
        method: "GET",
        path: "/tokens",
        what: "A native stream handler, at the pace of a language model.",
        parameters: { n: 64, interval: "20ms", size: 8 },
        buttons: run,
      },
      {
        method: "GET",
        path: "/burst",
        what: "Pushed as fast as this page takes it; the producer waits while it is behind.",
        parameters: { n: 5000, size: 1024 },
        buttons: run,
      },
      {
        method: "GET",
        path: "/ndjson",
        what: "Objects of JSON, one a line; compressed piece by piece, if asked.",
        parameters: { n: 10 },
        buttons: [{ label: "Run" }, { label: "Compressed", parameters: { coded: 1 } }],
      },
      {
        method: "GET",
        path: "/clock",
        what: "Events without an end. Read raw, the comments show that keep a silent stream from looking dead.",
        parameters: { interval: "1s", heartbeat: "5s" },
        kind: "events",
        endless: true,
        buttons: [{ label: "Listen" }, { label: "Raw, with comments", parameters: { interval: "4s", heartbeat: "1s" }, kind: "fetch" }],
      },
      {
        method: "GET",
        path: "/clock",
        title: "Seven at once",
        what: "Seven event streams. Over HTTP/1.1 browsers open six connections to a server and let the seventh wait; over HTTP/2 one connection carries all.",
        parameters: { interval: "250ms" },
        kind: "seven",
        endless: true,
        buttons: [{ label: "Listen seven times" }],
      },
    ],
  },
  {
    title: "Heads, failures and trailers",
    about: "A stream that failed never looks complete.",
    routes: [
      {
        method: "GET",
        path: "/slow-head",
        what: "Nothing for a while, then a status of the handler’s choice: the head is sent with the first chunk.",
        parameters: { delay: "500ms", status: 202 },
        buttons: run,
      },
      {
        method: "GET",
        path: "/fail",
        what: "A failure after chunks were sent is a body cut short; one before the first chunk is a real 500.",
        parameters: { interval: "200ms" },
        buttons: [
          { label: "After two chunks", parameters: { after: 2 } },
          { label: "At once", parameters: { after: 0 } },
          { label: "Panic", parameters: { after: 1, panic: 1 } },
        ],
      },
      {
        method: "GET",
        path: "/trailers",
        what: "Two chunks, then a field behind the body. Browsers keep trailers from scripts: the command shows it.",
        shell: ["-v"],
        buttons: run,
      },
    ],
  },
  {
    title: "Topics and files",
    about: "What is published to a topic comes to all its subscribers, and is kept for those that come back.",
    routes: [
      {
        method: "GET",
        path: "/subscribe",
        what: "Open this page twice, subscribe in both, and publish. Replay asks for what follows an id that nobody knows: the server says so, and sends all it has.",
        parameters: { topic: "t", as: "sse" },
        message: "hello",
        kind: "events",
        endless: true,
        buttons: [
          { label: "Subscribe" },
          { label: "Replay, raw", headers: { "last-event-id": "0" }, kind: "fetch" },
          { label: "Publish", post: "/publish" },
        ],
      },
      {
        method: "GET",
        path: "/files/{name}",
        what: "Static files, with conditions, ranges, and the compressed file where there is one.",
        parameters: { name: "numbers.txt" },
        buttons: [
          { label: "Fetch" },
          { label: "Range: bytes=0-9", headers: { range: "bytes=0-9" } },
          { label: "If-None-Match: *", headers: { "if-none-match": "*" } },
        ],
      },
    ],
  },
  {
    title: "WebSocket",
    about: "Connections that send in both directions, on the event loops. Messages of some size are compressed.",
    routes: [
      {
        method: "GET",
        path: "/ws",
        what: "Sends each message back, text or binary.",
        message: "hello",
        kind: "socket",
        endless: true,
        buttons: [{ label: "Connect" }, { label: "Send", act: "send" }, { label: "Send as binary", act: "sendBinary" }],
      },
      {
        method: "GET",
        path: "/ws/room/{name}",
        what: "A room: each text goes to all that are in it. Open this page twice.",
        parameters: { name: "lobby" },
        message: "hello",
        kind: "socket",
        endless: true,
        buttons: [{ label: "Join" }, { label: "Send", act: "send" }],
      },
    ],
  },
  {
    title: "net/http’s handlers",
    about: "Handlers that know nothing of weir, on its event loops.",
    routes: [
      { method: "GET", path: "/http/stream", what: "Each line is flushed, and sent as a chunk.", parameters: { n: 5 }, buttons: run },
      { method: "GET", path: "/http/headers", what: "The request’s header, as net/http’s handlers see it.", buttons: run },
    ],
  },
];
