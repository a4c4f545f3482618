// What weir's pages share: elements, how a run stands, numbers, commands.

/**
 * el makes an element: el("button", { type: "button", onclick: f }, "Send").
 * Functions become listeners, true an empty attribute; false, null and undefined
 * are left out. Children that are strings become text, never HTML.
 */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made[key] = value;
    else if (value !== false && value != null) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

/** enable lets a button be used, or not. One that is not keeps the focus, and does nothing. */
export function enable(button, is) {
  button.setAttribute("aria-disabled", !is);
}

addEventListener(
  "click",
  (event) => {
    if (!event.target.closest?.("button[aria-disabled=true]")) return;
    event.preventDefault();
    event.stopPropagation();
  },
  { capture: true },
);

/** find returns the element with that id. */
export const find = (id) => document.getElementById(id);

// How a run stands. Only "complete" is an end as the protocol wants it.
const words = {
  idle: "Not started",
  waiting: "Waiting for the response",
  open: "Open",
  reconnecting: "Reconnecting",
  closing: "Closing",
  complete: "Complete",
  truncated: "Truncated",
  stopped: "Stopped by you",
  refused: "Refused",
  failed: "Failed",
};

/** A State says in one line how a run stands, to screen readers, too. */
export class State {
  constructor(element = el("p", { class: "state", role: "status" })) {
    this.element = element;
    this.set("idle");
  }

  /** set shows a state and what else there is to say about it. What is shown already is not said again. */
  set(state, detail = "") {
    this.element.dataset.state = state;
    const said = detail ? `${words[state]}: ${detail}` : words[state];
    if (this.element.textContent !== said) this.element.textContent = said;
  }

  get is() {
    return this.element.dataset.state;
  }

  get running() {
    return ["waiting", "open", "reconnecting", "closing"].includes(this.is);
  }
}

/** ms words a time in milliseconds with what the clock of a browser can tell. */
export function ms(value) {
  if (value == null || Number.isNaN(value)) return "–";
  if (value >= 10_000) return `${(value / 1000).toFixed(1)} s`;
  if (value >= 1000) return `${(value / 1000).toFixed(2)} s`;
  return value >= 100 ? `${value.toFixed(0)} ms` : `${value.toFixed(1)} ms`;
}

/** size words a number of bytes. */
export function size(bytes) {
  if (bytes == null) return "–";
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  for (; bytes >= 1024 && unit < units.length - 1; unit++) bytes /= 1024;
  return `${unit && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes).toLocaleString("en")} ${units[unit]}`;
}

const utf8 = new TextEncoder();

/** bytes is how many bytes a text has in UTF-8. */
export const bytes = (text) => utf8.encode(text).length;

/** count words a whole number. */
export const count = (n) => n.toLocaleString("en");

/** counted words a number of things. */
export const counted = (n, thing) => `${count(n)} ${thing}${n === 1 ? "" : "s"}`;

/** Figures is a list of named values: figures.show({ Bytes: "12 B" }). */
export class Figures {
  #values = new Map();

  constructor(...names) {
    this.element = el("dl", { class: "figures" });
    for (const name of names) {
      const value = el("dd", {}, "–");
      this.#values.set(name, value);
      this.element.append(el("div", {}, el("dt", {}, name), value));
    }
  }

  show(values) {
    for (const [name, value] of Object.entries(values)) this.#values.get(name).textContent = value;
  }

  clear() {
    for (const value of this.#values.values()) value.textContent = "–";
  }
}

/**
 * A Log is text that grows at its end, once a frame. It keeps the last of it,
 * and shows the end unless the reader has scrolled up. A browser lays all of it
 * out each time.
 */
export class Log {
  #most;
  #coming = "";
  #frame = 0;
  #text = new Text();

  constructor(element, most = 64 << 10) {
    this.element = element;
    this.#most = most;
  }

  add(text) {
    this.#coming += text;
    if (this.#coming.length > 2 * this.#most) this.#coming = this.#coming.slice(-this.#most); // a page that is not shown has no frames
    this.#frame ||= requestAnimationFrame(() => this.flush());
  }

  /** flush shows what was added now. */
  flush() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const box = this.element;
    const atEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 8;
    if (!this.#text.isConnected) box.append(this.#text);
    if (this.#text.length + this.#coming.length > this.#most) {
      this.#text.data = `…${(this.#text.data + this.#coming).slice(-this.#most / 2)}`;
    } else {
      this.#text.appendData(this.#coming);
    }
    this.#coming = "";
    if (atEnd) box.scrollTop = box.scrollHeight;
  }

  clear() {
    this.#coming = "";
    this.#text.data = "";
    this.#text.remove();
  }
}

/** paced returns a function that calls f soon, and at most once in that many milliseconds. */
export function paced(interval, f) {
  let timer = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      f();
    }, interval);
  };
}

const quoted = (text) => (/^[\w./:@%=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** curl returns the shell command that makes the same request. A body that is a number is that many bytes, to upload. */
export function curl({ method = "GET", path, headers = {}, body, shell = [] }) {
  const upload = typeof body === "number";
  const words = ["curl", "-N", ...shell];
  if (upload) words.unshift("head", "-c", body, "/dev/zero", "|");
  if (upload) words.push("-T", "-");
  else if (method !== (body == null ? "GET" : "POST")) words.push("-X", method);
  words.push(quoted(new URL(path, location.href).href));
  for (const [name, value] of Object.entries(headers)) words.push("-H", quoted(`${name}: ${value}`));
  if (body != null && !upload) words.push(body.startsWith("@") ? "--data-raw" : "-d", quoted(body)); // -d @x sends a file
  return words.join(" ");
}

/** copying makes a button that copies an element's text. */
export function copying(element, attributes = {}) {
  const name = "Copy";
  const button = el("button", { type: "button", ...attributes }, name);
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(element.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(element); // without TLS, browsers let the user copy, not a page
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = name), 1500);
  };
  return button;
}

/** protocol is how the page itself came: "HTTP/1.1" or "HTTP/2". */
export function protocol() {
  const by = performance.getEntriesByType("navigation")[0]?.nextHopProtocol;
  return { h2: "HTTP/2", "http/1.1": "HTTP/1.1" }[by] ?? by ?? "";
}
