// Streams a chat completion through the Vercel AI SDK and prints what arrived in
// the lines of openai_stream.mjs (delta, done, aborted, error).
//
//   OPENAI_BASE_URL=http://127.0.0.1:8080/v1 node ai_stream.mjs \
//     [--mode stream|abort] [--model NAME] [--message TEXT] [--max-tokens N]
//     [--seed N] [--after K] [--retries N] [--plan]
//
// The options are those of openai_stream.mjs, too.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { RetryError, streamText } from "ai";
import { run, say } from "./plan.mjs";

const options = {
  mode: { type: "string", default: "stream" },
  model: { type: "string", default: "weir-demo" },
  message: { type: "string", default: "Tell me about streams." },
  "max-tokens": { type: "string" },
  seed: { type: "string" },
  after: { type: "string", default: "3" },
  retries: { type: "string", default: "0" },
};

const provider = createOpenAICompatible({
  name: "weir",
  baseURL: process.env.OPENAI_BASE_URL,
  apiKey: process.env.OPENAI_API_KEY ?? "none",
});

async function request(args) {
  if (!["stream", "abort"].includes(args.mode)) throw new TypeError(`no mode ${args.mode}`);
  const leaving = new AbortController();
  const answer = streamText({
    model: provider(args.model),
    prompt: args.message,
    headers: args.headers,
    maxRetries: Number(args.retries),
    abortSignal: AbortSignal.any([leaving.signal, AbortSignal.timeout(30_000)]),
    onError: () => {}, // it is in the stream, too
    ...(args["max-tokens"] && { maxOutputTokens: Number(args["max-tokens"]) }),
    ...(args.seed && { seed: Number(args.seed) }),
  });
  let text = "";
  let deltas = 0;
  for await (const part of answer.fullStream) {
    switch (part.type) {
      case "text-delta":
        say({ type: "delta", text: part.text });
        text += part.text;
        if (++deltas === Number(args.after) && args.mode === "abort") leaving.abort();
        break;
      case "finish":
        say({ type: "done", finish_reason: part.finishReason, text });
        break;
      case "abort":
        say({ type: "aborted", deltas });
        break;
      case "error":
        throw part.error;
    }
  }
}

await run(options, request, (err) => {
  const cause = RetryError.isInstance(err) ? err.lastError : err;
  return {
    class: cause.name ?? cause.constructor.name,
    status: cause.statusCode ?? null,
    code: cause.code ?? null, // of an error event, which is handed over as it is
  };
});
