// Talks to a chat completions endpoint with the official openai package and
// tells on stdout, one JSON object a line, what arrived:
//
//   {"type":"delta","text":"…"}                                   a piece, as it came
//   {"type":"done","finish_reason":"stop","text":"…","usage":…}   the whole
//   {"type":"aborted","deltas":3}                                 left on purpose
//   {"type":"models","ids":["…"]}
//   {"type":"error","class":"NotFoundError","status":404,…}       exit status 1
//
//   OPENAI_BASE_URL=http://127.0.0.1:8080/v1 node openai_stream.mjs \
//     [--mode stream|once|abort|models] [--model NAME] [--message TEXT]
//     [--max-tokens N] [--seed N] [--after K] [--usage] [--retries N] [--plan]
//
// abort leaves after K deltas (--after, 3 when not given; 0 leaves before the
// first). With --plan there is a request for each line of stdin: see plan.mjs.
import OpenAI from "openai";
import { run, say } from "./plan.mjs";

const options = {
  mode: { type: "string", default: "stream" },
  model: { type: "string", default: "weir-demo" },
  message: { type: "string", default: "Tell me about streams." },
  "max-tokens": { type: "string" },
  seed: { type: "string" },
  after: { type: "string", default: "3" },
  usage: { type: "boolean", default: false },
  retries: { type: "string", default: "0" }, // so that a test sees the server's own response
};

const client = new OpenAI({
  baseURL: process.env.OPENAI_BASE_URL,
  apiKey: process.env.OPENAI_API_KEY ?? "none",
  timeout: 30_000,
});

const create = (args, more) =>
  client.chat.completions.create(
    {
      model: args.model,
      messages: [{ role: "user", content: args.message }],
      ...(args["max-tokens"] && { max_tokens: Number(args["max-tokens"]) }),
      ...(args.seed && { seed: Number(args.seed) }),
      ...more,
    },
    { maxRetries: Number(args.retries), headers: args.headers },
  );

async function stream(args, limit = Infinity) {
  const pieces = await create(args, {
    stream: true,
    ...(args.usage && { stream_options: { include_usage: true } }),
  });
  const done = { type: "done", finish_reason: null, text: "", usage: null };
  let deltas = 0;
  if (limit === 0) pieces.controller.abort();
  for await (const piece of pieces) {
    const choice = piece.choices[0];
    if (choice?.delta?.content) {
      say({ type: "delta", text: choice.delta.content });
      done.text += choice.delta.content;
      if (++deltas === limit) break; // the package then closes the connection
    }
    done.finish_reason = choice?.finish_reason ?? done.finish_reason;
    done.usage = piece.usage ?? done.usage;
  }
  say(deltas === limit ? { type: "aborted", deltas } : done);
}

async function once(args) {
  const answer = await create(args);
  const [choice] = answer.choices;
  say({
    type: "done",
    finish_reason: choice.finish_reason,
    text: choice.message.content,
    usage: answer.usage ?? null,
  });
}

async function models() {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  say({ type: "models", ids });
}

const modes = {
  stream: (args) => stream(args),
  abort: (args) => stream(args, Number(args.after)),
  once,
  models,
};

function request(args) {
  if (!Object.hasOwn(modes, args.mode)) throw new TypeError(`no mode ${args.mode}`);
  return modes[args.mode](args);
}

await run(options, request, (err) => ({
  class: err.constructor.name,
  status: err.status ?? null,
  code: err.code ?? null,
}));
