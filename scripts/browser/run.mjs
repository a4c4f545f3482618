// Uses weir's pages in a browser, for the tests of cmd/weir/internal/pages.
//
//     node run.mjs CHROMIUM < CASES
//
// A case is a line of JSON: name, of a function in cases.mjs; base, the server's
// URL; patience, in milliseconds; shots, a folder for screenshots; control, where
// the case can POST /stop and /start for that server, if it needs to. Its result is
// a line: error, "" if all was as it should be; what the function returned as
// data; and noise, what the browser complained about that the case does not
// expect: errors, warnings, violations of the policy, requests to other servers.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import * as cases from "./cases.mjs";

const [executablePath] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--disable-gpu", "--disable-dev-shm-usage"] });

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await run(JSON.parse(line))));
}
await browser.close();

async function run({ name, base, patience, ...rest }) {
  const act = cases[name];
  const noise = [];
  const expected = act.expected ?? [];
  const hear = (text) => expected.some((pattern) => pattern.test(text)) || noise.push(text);

  /** open opens a page in a window of its own. */
  const contexts = [];
  async function open(options = {}) {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 900 }, ...options });
    contexts.push(context);
    context.setDefaultTimeout(patience);
    const page = await context.newPage();
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) hear(`${message.type()}: ${message.text()} (${message.location().url})`);
    });
    page.on("pageerror", (error) => hear(`exception: ${error.stack}`));
    page.on("request", (request) => request.url().startsWith(base) || request.url().startsWith("data:") || hear(`request: ${request.url()}`));
    await page.goto(base);
    return page;
  }

  try {
    const data = await act({ open, ...rest });
    return { error: "", noise, data };
  } catch (error) {
    return { error: error.stack, noise };
  } finally {
    await Promise.all(contexts.map((context) => context.close()));
  }
}
