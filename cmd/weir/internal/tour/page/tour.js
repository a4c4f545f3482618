// The tour's page: a card for each route, and what the server counts.
import { copying, count, curl, el, enable, Figures, find, Log, ms, paced, protocol, size, State } from "./kit.js";
import { Meter } from "./meter.js";
import { Plot } from "./plot.js";
import { runs } from "./runs.js";
import { sections } from "./routes.js";

/** A Card is a route with its fields, its buttons, and what came of the last one. */
class Card {
  #route;
  #fields = new Map();
  #buttons = new Map();
  #stop;
  #run = null;
  #ended = () => {};
  #bytes = 0;
  #command = el("pre", { class: "text", tabindex: 0, role: "group", "aria-label": "Command" });
  #result;

  state = new State();
  figures = new Figures("Status", "First byte", "Time", "Chunks", "Bytes");
  meter = new Meter();

  constructor(route) {
    this.#route = route;
    const id = `${route.method} ${route.path} ${route.title ?? ""}`.toLowerCase().replace(/[^a-z]+/g, "-");
    const output = el("pre", { class: "text", tabindex: 0, role: "group", "aria-label": "What has arrived" });
    const canvas = el("canvas");
    this.log = new Log(output, 16 << 10);
    this.plot = new Plot(canvas, { shape: "stems", unit: "ms", name: "Gap before each chunk" });
    this.#result = el("div", { class: "result", hidden: true }, this.figures.element, output,
      el("figure", {}, el("figcaption", {}, "Gap before each chunk, in ms"), canvas));
    this.element = el("article", { class: "card route", id, "aria-labelledby": `${id}-title` },
      el("div", { class: "title" }, el("h3", { id: `${id}-title` }, route.title ?? el("span", {}, route.method), ` ${route.path}`), this.state.element),
      el("p", { class: "what" }, route.what),
      this.#makeFields(),
      this.#makeButtons(),
      this.#result,
      el("details", { hidden: route.kind === "socket" }, el("summary", {}, "In a shell"),
        el("div", { class: "copy" }, this.#command, copying(this.#command, { id: `${id}-copy`, "aria-labelledby": `${id}-copy ${id}-title` }))));
    this.element.addEventListener("input", () => this.#showCommand());
    this.#showCommand();
    this.set("idle");
  }

  /** endsItself reports whether the first button starts something that ends. */
  get endsItself() {
    return !this.#route.endless;
  }

  get message() {
    return this.#fields.get("message")?.value;
  }

  #makeFields() {
    const all = { ...this.#route.parameters, ...(this.#route.message && { message: this.#route.message }) };
    if (!Object.keys(all).length) return null;
    const labels = Object.entries(all).map(([name, value]) => {
      const input = el("input", { value, autocomplete: "off", spellcheck: "false" });
      this.#fields.set(name, input);
      return el("label", {}, name, input);
    });
    return el("div", { class: "fields" }, ...labels);
  }

  #makeButtons() {
    const { method, path, buttons, title } = this.#route;
    const named = (label, of = `${title ?? method} ${path}`) => ({ type: "button", "aria-label": `${label}: ${of}` });
    for (const button of buttons) {
      const onclick = () => this.#press(button);
      const of = button.post && `POST ${button.post}`;
      this.#buttons.set(button, el("button", { ...named(button.label, of), onclick, "data-starts": !button.act && !button.post }, button.label));
    }
    this.#stop = el("button", { ...named("Stop"), onclick: () => this.#run?.stop() }, "Stop");
    return el("div", { class: "row" }, ...this.#buttons.values(), this.#stop);
  }

  /** #asked is the request that a button stands for. */
  #asked(button = this.#route.buttons[0]) {
    const { method, headers, parameters, shell, kind } = this.#route;
    let path = this.#route.path;
    const query = new URLSearchParams();
    const own = Object.fromEntries(Object.keys(parameters ?? {}).map((name) => [name, this.#fields.get(name).value]));
    for (const [name, value] of Object.entries({ ...own, ...button.parameters })) {
      if (path.includes(`{${name}}`)) path = path.replace(`{${name}}`, () => encodeURIComponent(value).replaceAll("%2F", "/"));
      else if (value !== "") query.set(name, value);
    }
    if (query.size) path += `?${query}`;
    return { method, path, url: new URL(path, location.href).href, headers: { ...headers, ...button.headers }, body: button.body ?? (kind ? null : this.message), shell };
  }

  /** start makes a request. It returns when that has ended, or another has taken its place. */
  start(button = this.#route.buttons[0]) {
    this.#run?.stop();
    this.#ended();
    const ended = new Promise((resolve) => (this.#ended = resolve));
    for (const part of [this.log, this.plot, this.meter, this.figures]) part.clear();
    this.#bytes = 0;
    this.#result.hidden = false;
    this.plot.canvas.parentElement.hidden = true;
    this.report = new Report(this);
    this.#run = runs[button.kind ?? this.#route.kind ?? "fetch"](this.report, this.#asked(button));
    return ended;
  }

  /** set shows how the run stands, and lets those buttons be used that do something then. */
  set(state, detail) {
    this.state.set(state, detail);
    enable(this.#stop, this.state.running);
    for (const [button, element] of this.#buttons) if (button.act) enable(element, state === "open");
  }

  /** arrived shows something that has arrived. */
  arrived(text, bytes, at) {
    this.log.add(text);
    this.#bytes += bytes;
    const gap = this.meter.add(at);
    if (gap !== null) {
      this.plot.canvas.parentElement.hidden = false;
      this.plot.push(at, gap);
    }
    this.#count();
  }

  #count = paced(100, () => this.figures.show({ Chunks: count(this.meter.count), Bytes: size(this.#bytes) }));

  /** end shows how a run ended. */
  end(state, detail, took) {
    this.#run = null;
    this.log.flush();
    this.plot.end();
    this.#count();
    this.figures.show({ Time: ms(took) });
    this.set(state, detail);
    this.#ended();
  }

  #press(button) {
    if (button.post) this.#post(button.post);
    else if (button.act) this.#run[button.act]();
    else this.start(button);
  }

  /** #post sends the message to another path with the same query, and shows what comes back. */
  async #post(path) {
    const query = this.#asked().path.replace(/^[^?]*/, "");
    this.#result.hidden = false;
    try {
      const response = await fetch(path + query, { method: "POST", body: this.message });
      this.log.add(`POST ${path}: ${(await response.text()).trim()}\n`);
    } catch {
      this.log.add(`POST ${path}: the server cannot be reached\n`);
    }
  }

  #showCommand() {
    this.#command.textContent = curl(this.#asked());
  }
}

/** A Report tells a card of one run, as long as that is the card's last one. */
class Report {
  #card;

  constructor(card) {
    this.#card = card;
  }

  get #current() {
    return this.#card.report === this;
  }

  get message() {
    return this.#card.message;
  }

  set(state, detail) {
    if (this.#current) this.#card.set(state, detail);
  }

  head(status, at) {
    if (this.#current) this.#card.figures.show({ Status: status, "First byte": ms(at) });
  }

  arrived(text, bytes, at) {
    if (this.#current) this.#card.arrived(text, bytes, at);
  }

  end(state, detail, took) {
    if (this.#current) this.#card.end(state, detail, took);
  }
}

const cards = [];

for (const { title, about, routes } of sections) {
  const made = routes.map((route) => new Card(route));
  cards.push(...made);
  const id = `section-${cards.length}`;
  find("sections").append(
    el("section", { "aria-labelledby": id }, el("h2", { id }, title), el("p", {}, about),
      el("div", { class: "routes" }, ...made.map((card) => card.element))),
  );
}
find("protocol").textContent = protocol();

find("all").onclick = async () => {
  const all = cards.filter((card) => card.endsItself && !card.state.running);
  const { length } = all;
  const worker = async () => {
    for (let card; (card = all.shift()); ) {
      find("all-state").textContent = `${length - all.length} of ${length}`;
      await card.start();
    }
  };
  enable(find("all"), false);
  await Promise.all([worker(), worker(), worker()]); // a browser has six connections
  enable(find("all"), true);
  find("all-state").textContent = `All ${length} have ended`;
};

// What the server counts.
const live = new Figures("Connections", "Requests", "Streams now", "Streams", "Cancelled", "Notified within", "Heap");
find("live").append(live.element);

const patience = 5; // seconds

async function refresh() {
  const stats = await (await fetch("/stats", { cache: "no-store", signal: AbortSignal.timeout(patience * 1000) })).json();
  live.show({
    "Connections": count(stats.connections),
    "Requests": count(stats.requests),
    "Streams now": count(stats.streams_active),
    "Streams": count(stats.streams_total),
    "Cancelled": count(stats.streams_cancelled),
    "Notified within": stats.streams_cancelled ? `${count(Math.round(stats.cancel_latency_us.max))} µs` : "–",
    "Heap": size(stats.heap_bytes),
  });
}

/** trouble says why there are no figures. */
function trouble({ name }) {
  const slow = `No response in ${patience} s. A browser opens six connections to a server of HTTP/1.1: are as many streams open?`;
  return name === "TimeoutError" ? slow : "The server cannot be reached.";
}

for (;;) {
  if (!document.hidden && find("refresh").checked) {
    const wrong = await refresh().then(() => "", trouble);
    if (wrong) live.clear();
    if (find("trouble").textContent !== wrong) find("trouble").textContent = wrong;
  }
  await new Promise((resolve) => setTimeout(resolve, 1000));
}
