// What the buttons start. A run makes its report to a card: set, head, arrived
// and at last end. It has stop and whatever else the card's buttons do.
import { counted, size } from "./kit.js";
import { request } from "./wire.js";

// Fields of a response that say something about its body.
const telling = ["content-encoding", "content-range", "weir-replay"];

/** heading words what is to be known of a response's head. */
function heading(response) {
  const fields = telling.filter((name) => response.headers.has(name)).map((name) => `${name}: ${response.headers.get(name)}`);
  return [`status ${response.status}`, ...fields].join(", ");
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
  const begin = performance.now();
  const since = () => performance.now() - begin;
  const order = new Order();
  let last = "";
  let cuts = 0;
  let opened = false;
  const end = (state, detail) => {
    source.close();
    report.end(state, detail, since());
  };
  const take = (event, name = "") => {
    order.add(event.lastEventId);
    last = event.lastEventId || last;
    report.arrived(`${last && `${last}: `}${name}${event.data}\n`, event.data.length, since());
  };
  report.set("waiting");
  source.onopen = () => {
    if (!opened) report.head(200, since());
    opened = true;
    report.set("open", last && `resumed after id ${last}`);
  };
  source.onmessage = (event) => take(event);
  source.addEventListener("gap", (event) => take(event, "older events are gone; replay begins here "));
  source.onerror = () => {
    if (source.readyState === EventSource.CONNECTING) {
      cuts++;
      report.set("reconnecting", last ? `for what follows id ${last}` : "");
    } else if (opened) {
      end("complete", `the server has no more; ${order}${cuts ? `, ${counted(cuts, "reconnect")}` : ""}`);
    } else {
      end("failed", "the server cannot be reached, or has refused");
    }
  };
  return { stop: () => end("stopped", order.toString()) };
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
  const begin = performance.now();
  const since = () => performance.now() - begin;
  const open = new Set();
  const show = () => report.set(open.size ? "open" : "waiting", `${open.size} of 7 streams`);
  const sources = [1, 2, 3, 4, 5, 6, 7].map((n) => {
    const source = new EventSource(`${url}&stream=${n}`);
    source.onopen = () => {
      open.add(n);
      show();
    };
    source.onmessage = ({ data }) => report.arrived(`stream ${n}: ${data}\n`, data.length, since());
    source.onerror = () => {
      open.delete(n);
      show();
    };
    return source;
  });
  show();
  return {
    stop() {
      for (const source of sources) source.close();
      report.end("stopped", `${open.size} of 7 streams were open`, since());
    },
  };
}

/** talking opens a WebSocket. */
function talking(report, { url }) {
  const socket = new WebSocket(url.replace(/^http/, "ws"));
  const begin = performance.now();
  const since = () => performance.now() - begin;
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
    report.arrived(`${text}\n`, data.byteLength ?? data.length, since());
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
      socket.close(1000);
    },
    send: () => socket.send(report.message),
    sendBinary: () => socket.send(new TextEncoder().encode(report.message)),
  };
}

export const runs = { fetch: fetching, events: listening, seven, socket: talking };
