// The playground: asks a model, and shows what comes and when.
import { copying, count, counted, curl, el, enable, Figures, find, Log, ms, paced, protocol, State } from "./kit.js";
import { Meter } from "./meter.js";
import { Plot } from "./plot.js";
import { Events, Lines, request } from "./wire.js";
import { dialects } from "./dialects.js";

const form = find("ask");
const state = new State(find("state"));
const text = new Log(find("text"), 256 << 10);
const raw = new Log(find("raw"));
const figures = new Figures("Tokens", "Tokens per second", "First token", "Median gap", "Longest gap");
const gaps = new Plot(find("gaps"), { shape: "stems", unit: "ms", name: "Gap before each token" });
const rate = new Plot(find("rate"), { shape: "area", unit: "tokens per second", name: "Tokens per second" });
const meter = new Meter();
let running = null; // the AbortController of the request
let answer = null; // to the last request

find("figures").append(figures.element);
find("curl").after(copying(find("curl")));
find("protocol").textContent = protocol() && ` (${protocol()})`;
find("dialects").append(
  ...dialects.map(({ name, label }, i) =>
    el("label", {}, el("input", { type: "radio", name: "dialect", value: name, checked: i === 0 }), el("span", {}, label)),
  ),
);

/** asked is the request that the form stands for. */
function asked() {
  const dialect = dialects.find(({ name }) => name === form.elements.dialect.value);
  const ask = {
    model: find("model").value,
    prompt: find("prompt").value,
    most: Number(find("most").value),
    stream: find("stream").checked,
  };
  return {
    dialect,
    stream: ask.stream,
    method: "POST",
    path: dialect.path,
    headers: { "content-type": "application/json", ...dialect.headers },
    body: JSON.stringify(dialect.body(ask)),
  };
}

function showCommand() {
  find("curl").textContent = curl(asked());
}

function showFigures() {
  figures.show({
    "Tokens": count(answer.tokens ?? meter.count),
    "Tokens per second": meter.rate?.toFixed(1) ?? "–",
    "First token": ms(meter.first),
    "Median gap": ms(meter.median),
    "Longest gap": ms(meter.longest),
  });
}

const showFiguresSoon = paced(100, showFigures);

function clear() {
  for (const part of [text, raw, gaps, rate, meter, figures]) part.clear();
  find("error").hidden = true;
}

/** token shows a piece of text that arrived at that time. */
function token(piece, at) {
  text.add(piece);
  const gap = meter.add(at);
  if (gap !== null) {
    gaps.push(at, gap);
    if (meter.rateNow !== null) rate.push(at, meter.rateNow);
  }
  showFiguresSoon();
}

/** An Answer reads the body of one response. */
class Answer {
  #dialect;
  #stream;
  #utf8 = new TextDecoder();
  #frames;
  #body = ""; // of a response that is not a stream
  #failed = false;
  #ended = false; // the dialect's end mark has come
  #finish = null;
  tokens = null; // as the server counts them

  constructor({ dialect, stream }) {
    this.#dialect = dialect;
    this.#stream = stream;
    this.#frames = dialect.lines ? new Lines() : new Events();
  }

  head(response) {
    this.#stream &&= response.ok;
    state.set("open", `status ${response.status}`);
  }

  chunk(bytes, at) {
    const piece = this.#utf8.decode(bytes, { stream: true });
    raw.add(piece);
    if (!this.#stream) {
      this.#body += piece;
      return;
    }
    for (const frame of this.#frames.push(piece)) this.#frame(frame.data ?? frame, at);
  }

  #frame(data, at) {
    if (data === "") return;
    let part;
    try {
      part = this.#dialect.event(data === "[DONE]" ? data : JSON.parse(data));
    } catch {
      part = { error: true }; // not what the dialect has
    }
    if (part.text) token(part.text, at);
    if (part.error) this.#fail(data);
    this.#take(part);
  }

  /** close takes a response that came whole. */
  close({ state, response }) {
    if (state === "refused") this.#fail(`HTTP ${response.status} ${response.statusText}\n\n${this.#body}`);
    if (state !== "complete" || this.#stream) return;
    try {
      const part = this.#dialect.whole(JSON.parse(this.#body));
      text.add(part.text);
      this.#take({ ...part, end: true });
    } catch {
      this.#fail(this.#body);
    }
  }

  #take({ finish, tokens, end }) {
    this.#finish = finish ?? this.#finish;
    this.tokens = tokens ?? this.tokens;
    this.#ended ||= Boolean(end);
  }

  #fail(said) {
    this.#failed = true;
    find("error").hidden = false;
    find("error").querySelector("pre").textContent = said;
  }

  /** verdict is how the response ended: its state, and what to say about it. */
  verdict({ state, response, took }) {
    const had = `${counted(this.tokens ?? meter.count, "token")} in ${ms(took)}`;
    const whole = state === "complete" || state === "truncated";
    if (this.#failed && whole) return ["failed", `an error in the response, after ${had}`];
    if (this.#ended) return ["complete", `${had}, finish ${this.#finish ?? "not given"}`];
    switch (state) {
      case "complete":
        return ["truncated", `the body ended without an end mark, after ${had}`];
      case "truncated":
        return ["truncated", `the connection ended within the body, after ${had}`];
      case "refused":
        return ["refused", `status ${response.status}, after ${ms(took)}`];
      case "stopped":
        return ["stopped", had];
    }
    return ["failed", "the server cannot be reached"];
  }
}

async function send() {
  running?.abort();
  const mine = (running = new AbortController());
  const ask = asked();
  const { method, headers, body } = ask;
  const made = (answer = new Answer(ask));
  clear();
  busy(true);
  state.set("waiting");
  const outcome = await request(ask.path, { method, headers, body, signal: mine.signal }, {
    head: (response) => running === mine && made.head(response),
    chunk: (bytes, at) => running === mine && made.chunk(bytes, at),
  });
  if (running !== mine) return; // another request has taken its place
  made.close(outcome);
  for (const part of [text, raw]) part.flush();
  for (const part of [gaps, rate]) part.end();
  showFigures();
  busy(false);
  state.set(...made.verdict(outcome));
}

function busy(is) {
  if (!is) running = null;
  enable(find("stop"), is);
  find("text").setAttribute("aria-busy", is);
}

async function loadModels() {
  const select = find("model");
  try {
    const list = await (await fetch("/v1/models")).json();
    select.replaceChildren(...list.data.map(({ id }) => el("option", {}, id)));
  } catch {
    state.set("failed", "the list of models cannot be loaded");
  }
  showCommand();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
form.addEventListener("input", showCommand);
find("stop").onclick = () => running?.abort();
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") running?.abort();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form.requestSubmit();
  }
});
loadModels();
