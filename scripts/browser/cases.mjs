// What is done with weir's pages. A case gets open(options), which opens the page
// in a new window, and throws if something is not as it should be. Its expected
// are the complaints of the browser that belong to it.
import assert from "node:assert/strict";
import { join } from "node:path";

/** reached waits until a run has that state, and returns the words for it. */
async function reached(scope, state) {
  const shown = scope.locator(".state");
  const over = { complete: 1, truncated: 1, refused: 1, stopped: 1, failed: 1 };
  const one = over[state] ? Object.keys(over) : [state];
  await scope.locator(one.map((name) => `.state[data-state=${name}]`).join(", ")).waitFor();
  assert.equal(await shown.getAttribute("data-state"), state, await shown.textContent());
  return shown.textContent();
}

const card = (page, title) => page.getByRole("article", { name: title, exact: true });
const button = (card, label) => card.locator(`button[aria-label^="${label}:"]`);
const output = (card) => card.getByLabel("What has arrived");

// The tour.

// How runs end whose end is not "complete". Endless ones are stopped.
const ends = {
  "Too much: PUT /upload": "refused",
  "No Authorization: PUT /upload": "refused",
  "After two chunks: GET /fail": "truncated",
  "At once: GET /fail": "refused",
  "Panic: GET /fail": "truncated",
  "Listen: GET /clock": "stopped",
  "Raw, with comments: GET /clock": "stopped",
  "Listen seven times: Seven at once /clock": "stopped",
  "Subscribe: GET /subscribe": "stopped",
  "Replay, raw: GET /subscribe": "stopped",
  "Connect: GET /ws": "stopped",
  "Join: GET /ws/room/{name}": "stopped",
};

/** buttons presses each button of the tour that starts something, and returns their names. */
export async function buttons({ open }) {
  const page = await open();
  const pressed = [];
  for (const card of await page.getByRole("article").all()) {
    for (const starts of await card.locator("button[data-starts]").all()) {
      const name = await starts.getAttribute("aria-label");
      const end = ends[name] ?? "complete";
      await starts.click();
      if (end === "stopped") {
        await reached(card, "open");
        for (const other of await card.locator("button:not([data-starts]):not([aria-label^=Stop], [aria-disabled=true])").filter({ hasNotText: "Copy" }).all()) await other.click();
        await card.locator("pre:not(:empty)").first().waitFor();
        await button(card, "Stop").click();
      }
      await reached(card, end).catch((error) => assert.fail(`${name}: ${error}`));
      if (name === "Compressed: GET /ndjson") assert.match(await card.locator(".state").textContent(), /content-encoding: (gzip|br|zstd)/);
      if (name === "Range: bytes=0-9: GET /files/{name}") assert.match(await card.locator(".state").textContent(), /status 206, content-range: bytes 0-9\//);
      if (name === "After two chunks: GET /fail") assert.equal(await output(card).textContent(), "chunk 1\nchunk 2\n");
      assert.match(await card.locator("dd").nth(2).textContent(), /^[\d.]+ m?s$/, name);
      pressed.push(name);
    }
  }
  return pressed;
}
buttons.expected = [
  /Failed to load resource: the server responded with a status of (401|413|500) .*\/(upload|fail)/,
  /ERR_INCOMPLETE_CHUNKED_ENCODING.*\/(fail|sse)/,
  /ERR_HTTP2_PROTOCOL_ERROR.*\/(fail|sse)/,
];

/** reconnect lets the server cut a stream of events again and again: none may be missing or come twice. */
export async function reconnect({ open }) {
  const page = await open();
  const sse = card(page, "GET /sse");
  await sse.getByLabel("n", { exact: true }).fill("10");
  await button(sse, "Cut after every 3").click();
  const said = await reached(sse, "complete");
  const want = Array.from({ length: 10 }, (_, i) => `${i + 1}: tick ${i + 1}\n`).join("");
  assert.equal(await output(sse).textContent(), want);
  assert.match(said, /10 events, none missing or twice, [4-9] reconnects$/);
}
reconnect.expected = buttons.expected;

/** refusals shows why an EventSource was refused, which it does not tell itself. */
export async function refusals({ open }) {
  const page = await open();
  const sse = card(page, "GET /sse");
  await sse.getByLabel("n", { exact: true }).fill("x");
  await button(sse, "Listen").click();
  assert.equal(await reached(sse, "refused"), "Refused: status 400");
  await output(sse).getByText(/^parameter n: got "x"/).waitFor();
  const subscribe = card(page, "GET /subscribe");
  await subscribe.getByLabel("as", { exact: true }).fill("ndjson");
  await button(subscribe, "Subscribe").click();
  assert.match(await reached(subscribe, "failed"), /not an event stream/);
}
refusals.expected = [/status of 400 .*\/sse/, /EventSource's response has a MIME type \("application\/x-ndjson"\)/];

/** early presses Send while the connection is not open yet: nothing happens, and nothing fails. */
export async function early({ open }) {
  const page = await open();
  const ws = card(page, "GET /ws");
  const usable = () => button(ws, "Send").getAttribute("aria-disabled");
  assert.equal(await usable(), "true");
  await ws.evaluate((card) => {
    const [connect, send] = card.querySelectorAll("button");
    connect.click();
    send.click();
  });
  await reached(ws, "open");
  assert.equal(await usable(), "false");
  assert.equal(await output(ws).textContent(), "");
  await button(ws, "Stop").click();
  await reached(ws, "stopped");
  assert.equal(await usable(), "true");
}

/** killed has the server end in the middle of streams, and come back. */
export async function killed({ open, control }) {
  const page = await open();
  const [sse, tokens, ws, topic] = ["GET /sse", "GET /tokens", "GET /ws", "GET /subscribe"].map((title) => card(page, title));
  for (const [one, n] of [[sse, "1000"], [tokens, "100000"]]) await one.getByLabel("n", { exact: true }).fill(n);
  for (const [one, start] of [[sse, "Listen"], [tokens, "Run"], [ws, "Connect"]]) {
    await button(one, start).click();
    await reached(one, "open");
  }
  await output(sse).getByText("2: tick 2").waitFor();
  await fetch(`${control}/stop`, { method: "POST" });
  assert.match(await reached(tokens, "truncated"), /the connection ended within the body/);
  assert.match(await reached(ws, "truncated"), /close code 1006/);
  assert.match(await reached(sse, "reconnecting"), /for what follows id \d+$/);
  await button(topic, "Publish").click();
  await output(topic).getByText("POST /publish: the server cannot be reached").waitFor();
  await page.getByText("The server cannot be reached.").waitFor();
  assert.equal(await page.locator("#live dd").first().textContent(), "–");

  await fetch(`${control}/start`, { method: "POST" });
  assert.match(await reached(sse, "open"), /resumed after id \d+$/);
  await page.locator("#trouble:empty").waitFor({ state: "attached" });
  await button(sse, "Stop").click();
  assert.match(await reached(sse, "stopped"), /\d+ events, none missing or twice$/);
}
killed.expected = [/ERR_(CONNECTION_(REFUSED|RESET|CLOSED)|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING)/];

/** seven opens seven event streams at once; the rest of the page still works. */
export async function seven({ open }) {
  const page = await open();
  assert.equal(await page.locator("#protocol").textContent(), "HTTP/2");
  const seven = card(page, "Seven at once /clock");
  await button(seven, "Listen seven times").click();
  await seven.getByText("Open: 7 of 7 streams").waitFor();
  for (let n = 1; n <= 7; n++) await output(seven).getByText(`stream ${n}: `).waitFor();
  const plain = card(page, "GET /plaintext");
  await button(plain, "Run").click();
  await reached(plain, "complete");
  await button(seven, "Stop").click();
  await reached(seven, "stopped");
}

/** six shows what HTTP/1.1 is like: the seventh stream waits. */
export async function six({ open }) {
  const page = await open();
  assert.equal(await page.locator("#protocol").textContent(), "HTTP/1.1");
  await page.locator("#refresh").uncheck(); // which also has a connection
  const seven = card(page, "Seven at once /clock");
  await button(seven, "Listen seven times").click();
  await seven.getByText("Open: 6 of 7 streams").waitFor();
  await button(seven, "Stop").click();
  assert.match(await reached(seven, "stopped"), /6 of 7/);
}

/** topic publishes from a third page what two pages subscribe to. */
export async function topic({ open }) {
  const pages = [await open(), await open(), await open()];
  const cards = pages.map((page) => card(page, "GET /subscribe"));
  for (const one of cards) await one.getByLabel("topic", { exact: true }).fill("three pages");
  for (const one of cards.slice(0, 2)) {
    await button(one, "Subscribe").click();
    await reached(one, "open");
  }
  for (const text of ["one", "two"]) {
    await cards[2].getByLabel("message", { exact: true }).fill(text);
    await button(cards[2], "Publish").click();
    await output(cards[2]).getByText('POST /publish: {"delivered":2}').nth(0).waitFor();
    for (const one of cards.slice(0, 2)) await output(one).getByText(`: ${text}`).waitFor();
  }
  await button(cards[2], "Replay, raw").click();
  await output(cards[2]).getByText(/event: gap.*data: one.*data: two/s).waitFor();
}

/** room has three pages in a room: what each sends comes to all, in one order. */
export async function room({ open }) {
  const pages = [await open(), await open(), await open()];
  const cards = pages.map((page) => card(page, "GET /ws/room/{name}"));
  for (const one of cards) {
    await one.getByLabel("name", { exact: true }).fill("three pages");
    await button(one, "Join").click();
    await reached(one, "open");
  }
  for (const [i, one] of cards.entries()) {
    await one.getByLabel("message", { exact: true }).fill(`from page ${i + 1}`);
    await button(one, "Send").click();
    for (const other of cards) await output(other).getByText(`from page ${i + 1}`).waitFor();
  }
  await button(cards[1], "Stop").click();
  assert.match(await reached(cards[1], "stopped"), /close code 1000/);
  await button(cards[0], "Send").click();
  for (const one of [cards[0], cards[2]]) {
    await output(one).getByText(/from page 3\nfrom page 1/).waitFor();
    assert.equal(await output(one).textContent(), "from page 1\nfrom page 2\nfrom page 3\nfrom page 1\n");
  }
}

// The playground.

const answer = (page) => page.locator("#answer");

async function ask(page, { dialect = "Chat", most = 20, stream = true } = {}) {
  await page.getByRole("radio", { name: dialect }).check();
  await page.getByLabel("Max tokens").fill(String(most));
  await page.getByLabel("Stream the answer").setChecked(stream);
  await page.getByRole("button", { name: "Send" }).click();
}

/** dialects asks in each dialect, and returns the commands that the page shows for that. */
export async function dialects({ open }) {
  const page = await open();
  const commands = [];
  for (const dialect of ["Chat", "Completions", "Responses", "Messages", "Ollama"]) {
    for (const stream of [true, false]) {
      await ask(page, { dialect, stream });
      const said = await reached(answer(page), "complete");
      assert.match(said, /^Complete: \d+ tokens in [\d.]+ m?s, finish (stop|length|max_tokens|end_turn|completed|max_output_tokens)$/, `${dialect} ${stream}`);
      assert.ok((await page.locator("#text").textContent()).length > 10, `${dialect}: no text`);
      const figures = await page.locator("#figures dd").allTextContents();
      assert.equal(figures[2] !== "–", stream, `${dialect}: ${figures}`); // all may have come at once, without a gap
      commands.push(await page.locator("#curl").textContent());
    }
  }
  return commands;
}

/** refusal asks for a model that is not there: the error is shown as it came. */
export async function refusal({ open }) {
  const page = await open();
  await page.locator("#model option").first().evaluate((option) => (option.value = "it's"));
  await ask(page);
  assert.match(await reached(answer(page), "refused"), /status 404/);
  const shown = await page.getByLabel("Error").textContent();
  assert.match(shown, /^HTTP 404 Not Found\n\n\{"error":\{.*"code":"model_not_found"/s);
}
refusal.expected = [/Failed to load resource: the server responded with a status of 404 .*\/v1\/chat\/completions/];

const saidIn = {
  Chat: (text) => `data: {"choices":[{"delta":{"content":"${text}"}}]}\n\n`,
  Completions: (text) => `data: {"choices":[{"text":"${text}"}]}\n\n`,
  Responses: (text) => `event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"${text}"}\n\n`,
  Messages: (text) => `event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"${text}"}}\n\n`,
  Ollama: (text) => `{"message":{"content":"${text}"},"done":false}\n`,
};

// What comes behind the first words: in which dialect, the state that it makes, and what is said about it.
const endings = [
  ...Object.keys(saidIn).map((dialect) => [dialect, "", "truncated", /the body ended without an end mark, after 1 token in/]),
  ["Chat", "data: [DONE]\n\n", "complete", /^Complete: 1 token in .*, finish not given$/],
  ["Chat", 'data: {"error":{"message":"no"}}\n\n', "failed", /an error in the response/],
  ["Chat", "data: nonsense\n\n", "failed", /an error in the response/],
  ["Chat", 'data: {"error":{"message":"no"}}\n\ndata: [DONE]\n\n', "failed", /an error in the response/],
  ["Completions", 'data: {"error":{"message":"no"}}\n\n', "failed", /an error/],
  ["Responses", 'data: {"type":"response.failed","response":{"error":{"message":"no"}}}\n\n', "failed", /an error/],
  ["Responses", 'data: {"type":"error","message":"no"}\n\n', "failed", /an error/],
  ["Messages", 'event: error\ndata: {"type":"error","error":{"message":"no"}}\n\n', "failed", /an error/],
  ["Ollama", '{"error":"no"}\n', "failed", /an error/],
  ["Ollama", '{"message":{"content":""},"done":true,"done_reason":"stop"}\n', "complete", /finish stop/],
];

/** honesty plays streams that end in each way: none is taken for another. */
export async function honesty({ open }) {
  const page = await open();
  let body;
  await page.route(/\/v1\/(?!models)|\/api\//, (route) => route.fulfill({ body }));
  for (const [dialect, end, state, words] of endings) {
    body = saidIn[dialect]("a word") + end;
    await ask(page, { dialect });
    const said = await reached(answer(page), state);
    assert.match(said, words, `${dialect} ${end}`);
    assert.equal(await page.locator("#text").textContent(), "a word");
    assert.equal(await page.locator("#error").isVisible(), state === "failed", `${dialect} ${end}`);
  }
}

/** events reads an event stream, cut anywhere, as EventSource does. */
export async function events({ open }) {
  const page = await open();
  const wrong = await page.evaluate(async () => {
    const { Events } = await import("/page/wire.js");
    const text =
      ": comment\nretry: 5\n\nid: 1\ndata: one\n\n" + "event: e\r\ndata:two\r\ndata:  lines\r\n\r\n" + "data\r\r" + "id: a\0b\rdata: x:y\rnone\r\r" + "data: not complete\n";
    const want = JSON.stringify([
      { name: "message", id: "1", data: "one" },
      { name: "e", id: "1", data: "two\n lines" },
      { name: "message", id: "1", data: "" },
      { name: "message", id: "1", data: "x:y" },
    ]);
    const wrong = [];
    const check = (pieces) => {
      const events = new Events();
      const got = JSON.stringify(pieces.flatMap((piece) => events.push(piece)));
      if (got !== want) wrong.push(`${JSON.stringify(pieces)}: ${got}`);
    };
    check([...text]);
    for (let at = 0; at <= text.length; at++) check([text.slice(0, at), text.slice(at)]);
    return wrong;
  });
  assert.deepEqual(wrong, []);
}

/** meter counts what arrives much faster than what is kept of it, and forgets no gap. */
export async function meter({ open }) {
  const page = await open();
  const got = await page.evaluate(async () => {
    const { Meter } = await import("/page/meter.js");
    const meter = new Meter();
    const none = [meter.rateNow, meter.median, meter.longest, meter.rate];
    meter.add(0);
    meter.add(500);
    for (let at = 500; at < 3500; at += 0.1) meter.add(at);
    for (let i = 0; i < 1000; i++) meter.add(3900); // in one piece
    return { none, now: Math.round(meter.rateNow / 100) * 100, longest: meter.longest, median: Math.round(meter.median * 10) / 10 };
  });
  assert.deepEqual(got, { none: [null, null, null, null], now: 7000, longest: 500, median: 0.1 });
}

/** flood has 50,000 tokens come at once: the page shows the last of them, and counts all. */
export async function flood({ open }) {
  const page = await open();
  const body = `${saidIn.Chat("a word and ").repeat(50_000)}data: [DONE]\n\n`;
  await page.route(/\/v1\/chat/, (route) => route.fulfill({ body }));
  await ask(page);
  assert.match(await reached(answer(page), "complete"), /^Complete: 50,000 tokens/);
  const { length, nodes } = await page.evaluate(() => {
    const text = document.getElementById("text");
    return { length: text.textContent.length, nodes: text.childNodes.length };
  });
  assert.ok(length <= 256 << 10 && length > 100_000, String(length));
  assert.equal(nodes, 1);
}

/** stop stops a stream that runs. */
export async function stop({ open }) {
  const page = await open();
  await ask(page, { most: 100_000 });
  await page.locator("#text:not(:empty)").waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  assert.match(await reached(answer(page), "stopped"), /^Stopped by you: \d+ tokens? in/);
}

/** keyboard uses the playground without a mouse: every stop of the Tab key is seen, and named. */
export async function keyboard({ open }) {
  const page = await open();
  await page.locator("#model option").first().waitFor({ state: "attached" });
  const stops = [];
  for (let i = 0; i < 10; i++) {
    await page.keyboard.press("Tab");
    stops.push(await page.evaluate(() => {
      const at = document.activeElement;
      const seen = at.type === "radio" ? at.nextElementSibling : at;
      const outline = getComputedStyle(seen);
      return { at: at.id || at.name || at.textContent, seen: at.matches(":focus-visible") && outline.outlineStyle === "solid" && outline.outlineWidth === "3px" };
    }));
  }
  assert.deepEqual(stops.map(({ at }) => at), ["dialect", "prompt", "model", "most", "stream", "send", "stop", "text", "curl", "Copy"]);
  assert.ok(stops.every(({ seen }) => seen), JSON.stringify(stops));

  await page.getByRole("radio", { name: "Chat" }).focus();
  await page.keyboard.press("ArrowRight");
  assert.ok(await page.getByRole("radio", { name: "Completions" }).isChecked());
  assert.match(await page.locator("#curl").textContent(), /\/v1\/completions/);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("What's \"backpressure\"?");
  await page.keyboard.press("Control+Enter");
  await page.locator("#text:not(:empty)").waitFor();
  await page.keyboard.press("Escape");
  await reached(answer(page), "stopped");
  assert.equal(await page.evaluate(() => document.activeElement.id), "prompt");
}

// Both pages.

/** looks shows a page at three widths, by day and by night. */
export async function looks({ open, shots }) {
  const page = await open();
  const title = (await page.title()).replace(/\W+/g, "-");
  await picture("first", [1280], ["light"]);
  if (title === "weir-tour") {
    await page.getByRole("button", { name: "Run all that end by themselves" }).click();
    await page.getByText(/^All \d+ have ended$/).waitFor();
    const states = await page.locator("article .state").evaluateAll((all) => all.map((one) => one.dataset.state));
    assert.ok(states.filter((state) => state === "complete").length >= 13, states.join());
  } else {
    await ask(page, { most: 120 });
    await reached(answer(page), "complete");
  }
  await picture("used");

  async function picture(name, widths = [360, 768, 1280], schemes = ["light", "dark"]) {
    for (const width of widths) {
      for (const colorScheme of schemes) {
        await page.setViewportSize({ width, height: 900 });
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await page.screenshot({ path: join(shots, `${title}-${name}-${width}-${colorScheme}.png`), fullPage: true });
        assert.deepEqual(await page.evaluate(faults), [], `${title} at ${width}`);
      }
    }
  }
}
looks.expected = buttons.expected;

/** faults runs in the page, and returns what is wrong with it for those who cannot see all of it, or do not want it to move. */
function faults() {
  const faults = [];
  if (document.documentElement.scrollWidth > innerWidth) faults.push(`is ${document.documentElement.scrollWidth} pixels wide`);
  for (const one of document.querySelectorAll("button, input, select, textarea, [tabindex], canvas, article, section")) {
    const named = one.labels?.length || one.ariaLabel || one.getAttribute("aria-labelledby") || (one.matches("button") && one.textContent.trim());
    if (!named && one.offsetParent) faults.push(`has no name for ${one.outerHTML}`);
  }
  for (const one of document.querySelectorAll(":is(div, span, pre, p):is([aria-label], [aria-labelledby]):not([role])")) {
    faults.push(`has a name that nobody reads for ${one.outerHTML}`);
  }
  for (const moving of document.getAnimations()) faults.push(`moves: ${moving.animationName}`);
  return faults;
}
