// What the buttons start. A run makes its report to a card: set, head, arrived
// and at last end. It has stop and whatever else the card's buttons do.
import { bytes, counted, size } from "./kit.js";
import { request } from "./wire.js";

// Fields of a response that say something about its body.
const telling = ["content-encoding", "content-range", "weir-replay"];

/** heading words what is to be known of a response's head. */
function heading(response) {
  const fields = telling.filter((name) => response.headers.has(name)).map((name) => `${name}: ${response.headers.get(name)}`);
  return [`status ${response.status}`, ...fields].join(", ");
}

/** stopwatch returns a function that returns the milliseconds since this call. */
function stopwatch() {
  const begin = performance.now();
  return () => performance.now() - begin;
}

/** fetching reads a response with fetch, as bytes. */
function fetching(report, { url, method, headers, body }) {
  const control = new AbortController();
  const utf8 = new TextDecoder();
  const init = { method, headers, body: typeof body === "number" ? new Blob([new Uint8Array(body)]) : body, signal: control.signal };
  report.set("waiting");
  const on = {
    head(response, at) {
      report.set("open", heading(response));
      report.head(response.status, at);
    },
    chunk: (bytes, at) => report.arrived(utf8.decode(bytes, { stream: true }), bytes.length, at),
  };
  request(url, init, on).then(({ state, response, took }) => {
    const status = response && heading(response);
    const said = {
      complete: status,
      refused: status,
      truncated: "the connection ended within the body",
      failed: "the server closed the connection, or cannot be reached",
    };
    report.end(state, said[state], took);
  });
  return { stop: () => control.abort() };
}

/** listening opens an EventSource, which reconnects until the server has no more for it. */
function listening(report, { url }) {
  const source = new EventSource(url);
  const since = stopwatch();
  const order = new Order();
  const asking = new AbortController();
  let last = "";
  let cuts = 0;
  let over = false;
  const end = (state, detail) => {
    if (over) return;
    over = true;
    source.close();
    asking.abort();
    report.end(state, detail, since());
  };
  const take = (event, name = "") => {
    order.add(event.lastEventId);
    last = event.lastEventId || last;
    report.arrived(`${last && `${last}: `}${name}${event.data}\n`, bytes(event.data), since());
  };
  report.set("waiting");
  source.addEventListener("open", () => report.head(200, since()), { once: true });
  source.onopen = () => report.set("open", last && `resumed after id ${last}`);
  source.onmessage = (event) => take(event);
  source.addEventListener("gap", (event) => take(event, "older events are gone; replay begins here "));
  source.onerror = async () => {
    if (source.readyState === EventSource.CONNECTING) {
      cuts++;
      report.set("reconnecting", last ? `for what follows id ${last}` : "");
      return;
    }
    const { response, text } = await again(url, last, asking);
    if (over) return;
    if (text) report.arrived(text, bytes(text), since());
    if (response?.status === 204) end("complete", `the server has no more; ${order}${cuts ? `, ${counted(cuts, "reconnect")}` : ""}`);
    else if (!response) end("failed", "the server cannot be reached");
    else if (response.ok) end("failed", "the response was not an event stream");
    else {
      report.head(response.status, since());
      end("refused", heading(response));
    }
  };
  return { stop: () => end("stopped", order.toString()) };
}

/**
 * again makes an EventSource's last request once more, and returns the response
 * and what it says: why the connection was closed for good, no EventSource tells.
 */
async function again(url, last, control) {
  let text = "";
  const utf8 = new TextDecoder();
  const { response } = await request(url, { headers: last ? { "last-event-id": last } : {}, signal: control.signal }, {
    head: ({ status }) => status === 200 && control.abort(), // a stream by now, or something else
    chunk: (piece) => (text += utf8.decode(piece, { stream: true })),
  });
  return { response, text };
}

/** An Order checks ids that are counted: none may be missing or come twice. */
class Order {
  #expected = null;
  #wrong = 0;
  #n = 0;

  add(id) {
    if (!/^\d+$/.test(id)) return;
    const n = Number(id);
    if (this.#expected !== null && n !== this.#expected) this.#wrong++;
    this.#expected = n + 1;
    this.#n++;
  }

  toString() {
    if (!this.#n) return "";
    return this.#wrong ? `${counted(this.#wrong, "id")} out of order` : `${counted(this.#n, "event")}, none missing or twice`;
  }
}

/** seven opens seven EventSources and shows how many of them are open. */
function seven(report, { url }) {
  const since = stopwatch();
  const open = new Set();
  const show = () => report.set(open.size ? "open" : "waiting", `${open.size} of 7 streams`);
  const end = (state, detail) => {
    for (const source of sources) source.close();
    report.end(state, detail, since());
  };
  const sources = [1, 2, 3, 4, 5, 6, 7].map((n) => {
    const its = new URL(url);
    its.searchParams.set("stream", n);
    const source = new EventSource(its);
    source.onopen = () => {
      open.add(n);
      show();
    };
    source.onmessage = ({ data }) => report.arrived(`stream ${n}: ${data}\n`, bytes(data), since());
    source.onerror = () => {
      open.delete(n);
      if (sources.every(({ readyState }) => readyState === EventSource.CLOSED)) end("failed", "the server has refused");
      else show();
    };
    return source;
  });
  show();
  return { stop: () => end("stopped", `${open.size} of 7 streams were open`) };
}

/** talking opens a WebSocket. */
function talking(report, { url }) {
  const socket = new WebSocket(url.replace(/^http/, "ws"));
  const since = stopwatch();
  let opened = false;
  let stopped = false;
  socket.binaryType = "arraybuffer";
  report.set("waiting");
  socket.onopen = () => {
    opened = true;
    report.head(101, since());
    report.set("open", socket.extensions);
  };
  socket.onmessage = ({ data }) => {
    const text = typeof data === "string" ? data : `${size(data.byteLength)} of binary: ${[...new Uint8Array(data).subarray(0, 16)]}`;
    report.arrived(`${text}\n`, data.byteLength ?? bytes(data), since());
  };
  socket.onclose = ({ code, reason, wasClean }) => {
    const detail = `close code ${code}${reason && `, ${reason}`}`;
    if (stopped) report.end("stopped", detail, since());
    else if (!opened) report.end("failed", "there was no handshake", since());
    else report.end(wasClean ? "complete" : "truncated", detail, since());
  };
  return {
    stop() {
      stopped = true;
      report.set("closing");
      socket.close(1000);
    },
    send: () => socket.send(report.message),
    sendBinary: () => socket.send(new TextEncoder().encode(report.message)),
  };
}

export const runs = { fetch: fetching, events: listening, seven, socket: talking };
