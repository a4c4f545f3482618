// Streams a chat completion through the Vercel AI SDK and tells what arrived in
// the lines of openai_stream.mjs (delta, done, error).
//
//   OPENAI_BASE_URL=http://127.0.0.1:8080/v1 node ai_stream.mjs \
//     [--model NAME] [--message TEXT] [--max-tokens N] [--seed N]
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { streamText } from "ai";
import { parseArgs } from "node:util";

const { values: args } = parseArgs({
  options: {
    model: { type: "string", default: "weir-demo" },
    message: { type: "string", default: "Tell me about streams." },
    "max-tokens": { type: "string" },
    seed: { type: "string" },
  },
});

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

function fail(err) {
  say({
    type: "error",
    class: err.name ?? err.constructor.name,
    status: err.statusCode ?? null,
    message: String(err.message ?? err),
  });
  process.exitCode = 1;
}

const provider = createOpenAICompatible({
  name: "weir",
  baseURL: process.env.OPENAI_BASE_URL,
  apiKey: process.env.OPENAI_API_KEY ?? "none",
});

const answer = streamText({
  model: provider(args.model),
  prompt: args.message,
  maxRetries: 0,
  abortSignal: AbortSignal.timeout(30_000),
  onError: () => {}, // told below
  ...(args["max-tokens"] && { maxOutputTokens: Number(args["max-tokens"]) }),
  ...(args.seed && { seed: Number(args.seed) }),
});

let text = "";
for await (const part of answer.fullStream) {
  switch (part.type) {
    case "text-delta":
      say({ type: "delta", text: part.text });
      text += part.text;
      break;
    case "finish":
      say({ type: "done", finish_reason: part.finishReason, text });
      break;
    case "error":
      fail(part.error);
  }
}
