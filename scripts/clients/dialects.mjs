// dialects.py for the packages of npm: the same argument, cases and results.
//
//     node dialects.mjs CLIENT < CASES
import { createInterface } from "node:readline";

let base, kind, headers, result; // of the current case

const question = "What is the weather like in Ghent?";
const model = "m";
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const weather = ({ city }) => `rain in ${city}`;

class Stop extends Error {}

const add = (text) => {
  if (!text) return;
  result.text += text;
  if (kind === "abort") throw new Stop();
};

const openai = async () => {
  const { default: OpenAI } = await import("openai");
  return new OpenAI({ baseURL: `${base}/v1`, apiKey: "none", maxRetries: 0, defaultHeaders: headers });
};

const clients = {
  async "openai-chat"() {
    const api = await openai();
    const messages = [{ role: "user", content: question }];
    const tools = [{ type: "function", function: { name: "weather", parameters } }];
    if (kind === "embed") {
      result.text = String((await api.embeddings.create({ model, input: "a text" })).data[0].embedding.length);
      return;
    }
    if (kind === "whole") {
      const [choice] = (await api.chat.completions.create({ model, messages })).choices;
      [result.text, result.finish] = [choice.message.content, choice.finish_reason];
      return;
    }
    for (;;) {
      const stream = api.chat.completions.stream({ model, messages, ...(kind === "tool" && { tools }) });
      for await (const chunk of stream) add(chunk.choices[0]?.delta?.content);
      const [choice] = (await stream.finalChatCompletion()).choices;
      result.finish = choice.finish_reason;
      if (!choice.message.tool_calls?.length) return;
      messages.push(choice.message);
      for (const call of choice.message.tool_calls) {
        result.calls.push(call.function.name);
        messages.push({ role: "tool", tool_call_id: call.id, content: weather(JSON.parse(call.function.arguments)) });
      }
    }
  },

  async "openai-responses"() {
    const api = await openai();
    const input = [{ role: "user", content: question }];
    const tools = [{ type: "function", name: "weather", parameters, strict: false }];
    if (kind === "whole") {
      const response = await api.responses.create({ model, input });
      [result.text, result.finish] = [response.output_text, response.status];
      return;
    }
    for (;;) {
      const stream = api.responses.stream({ model, input, ...(kind === "tool" && { tools }) });
      for await (const event of stream) if (event.type === "response.output_text.delta") add(event.delta);
      const response = await stream.finalResponse();
      result.finish = response.status;
      const calls = response.output.filter((item) => item.type === "function_call");
      if (!calls.length) return;
      for (const { call_id, name, arguments: text } of calls) {
        result.calls.push(name);
        input.push({ type: "function_call", call_id, name, arguments: text });
        input.push({ type: "function_call_output", call_id, output: weather(JSON.parse(text)) });
      }
    }
  },

  async anthropic() {
    const { default: Anthropic } = await import("@anthropic-ai/sdk");
    const api = new Anthropic({ baseURL: base, apiKey: "none", maxRetries: 0, defaultHeaders: headers });
    const messages = [{ role: "user", content: question }];
    const tools = [{ name: "weather", input_schema: parameters }];
    if (kind === "count") {
      result.text = String((await api.messages.countTokens({ model, messages })).input_tokens);
      return;
    }
    if (kind === "whole") {
      const message = await api.messages.create({ model, max_tokens: 100, messages });
      [result.text, result.finish] = [message.content.at(-1).text, message.stop_reason];
      return;
    }
    for (;;) {
      const stream = api.messages.stream({ model, max_tokens: 100, messages, ...(kind === "tool" && { tools }) });
      for await (const event of stream) {
        if (event.type === "content_block_delta" && event.delta.type === "text_delta") add(event.delta.text);
      }
      const message = await stream.finalMessage();
      result.finish = message.stop_reason;
      const calls = message.content.filter((block) => block.type === "tool_use");
      if (!calls.length) return;
      messages.push({ role: "assistant", content: message.content });
      result.calls.push(...calls.map((call) => call.name));
      messages.push({
        role: "user",
        content: calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: weather(call.input) })),
      });
    }
  },

  async "ollama-chat"() {
    const { Ollama } = await import("ollama");
    const api = new Ollama({ host: base, headers });
    const messages = [{ role: "user", content: question }];
    const tools = [{ type: "function", function: { name: "weather", description: "", parameters } }];
    if (kind === "whole") {
      const response = await api.chat({ model, messages });
      [result.text, result.finish] = [response.message.content, response.done_reason];
      return;
    }
    for (;;) {
      const calls = [];
      for await (const part of await api.chat({ model, messages, stream: true, ...(kind === "tool" && { tools }) })) {
        result.finish = part.done_reason ?? result.finish;
        calls.push(...(part.message.tool_calls ?? []));
        add(part.message.content);
      }
      if (!calls.length) return;
      messages.push({ role: "assistant", content: "", tool_calls: calls });
      for (const call of calls) {
        result.calls.push(call.function.name);
        messages.push({ role: "tool", tool_name: call.function.name, content: weather(call.function.arguments) });
      }
    }
  },

  async "ai-openai"() {
    // The Responses API, by default.
    const { createOpenAI } = await import("@ai-sdk/openai");
    await ai(createOpenAI({ baseURL: `${base}/v1`, apiKey: "none", headers })(model));
  },

  async "ai-anthropic"() {
    const { createAnthropic } = await import("@ai-sdk/anthropic");
    await ai(createAnthropic({ baseURL: `${base}/v1`, apiKey: "none", headers })(model));
  },

  async "ai-compatible"() {
    const { createOpenAICompatible } = await import("@ai-sdk/openai-compatible");
    await ai(createOpenAICompatible({ name: "weir", baseURL: `${base}/v1`, apiKey: "none", headers })(model));
  },
};

// ai asks with the package ai.
async function ai(of) {
  const { generateText, jsonSchema, stepCountIs, streamText, tool } = await import("ai");
  const run = (input) => {
    result.calls.push("weather");
    return weather(input);
  };
  const tools = { weather: tool({ inputSchema: jsonSchema(parameters), execute: run }) };
  const options = { model: of, prompt: question, maxRetries: 0, ...(kind === "tool" && { tools, stopWhen: stepCountIs(3) }) };
  if (kind === "whole") {
    const { text, finishReason } = await generateText(options);
    [result.text, result.finish] = [text, finishReason];
    return;
  }
  const stream = streamText({ ...options, onError: () => {} });
  for await (const part of stream.fullStream) {
    if (part.type === "text-delta") add(part.text);
    if (part.type === "error") throw part.error;
    if (part.type === "finish") result.finish = part.finishReason;
  }
}

const run = clients[process.argv[2]];
for await (const line of createInterface({ input: process.stdin })) {
  ({ base, case: kind, headers } = JSON.parse(line));
  result = { text: "", calls: [], finish: null };
  try {
    await run();
  } catch (err) {
    if (!(err instanceof Stop)) {
      result.error = err.constructor.name;
      result.status = err.status ?? err.statusCode ?? err.status_code ?? null;
      result.message = String(err.message ?? err);
    }
  }
  process.stdout.write(JSON.stringify(result) + "\n");
}
process.exit(0); // whatever a package keeps open
