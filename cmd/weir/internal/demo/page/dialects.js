// The dialects that a model can be talked to in: how each asks, and what each
// says.
//
// body(ask) is a request: ask has model, prompt, most (tokens) and stream.
// event(data, name) and whole(data) say what an event and a whole response have:
// text, tokens (as the server counts them), finish (why the text ended), end
// (nothing follows: without it a stream is not complete), error.

const said = (prompt) => [{ role: "user", content: prompt }];

/** usage asks for the number of tokens at the end of a stream. */
const usage = (stream) => (stream ? { stream_options: { include_usage: true } } : {});

export const dialects = [
  {
    name: "chat",
    label: "Chat",
    path: "/v1/chat/completions",
    body: ({ model, prompt, most, stream }) => ({ model, messages: said(prompt), max_tokens: most, stream, ...usage(stream) }),
    event: (data) =>
      data === "[DONE]"
        ? { end: true }
        : {
            text: data.choices?.[0]?.delta?.content,
            finish: data.choices?.[0]?.finish_reason,
            tokens: data.usage?.completion_tokens,
            error: data.error,
          },
    whole: (data) => ({
      text: data.choices[0].message.content,
      finish: data.choices[0].finish_reason,
      tokens: data.usage?.completion_tokens,
    }),
  },
  {
    name: "completions",
    label: "Completions",
    path: "/v1/completions",
    body: ({ model, prompt, most, stream }) => ({ model, prompt, max_tokens: most, stream, ...usage(stream) }),
    event: (data) =>
      data === "[DONE]"
        ? { end: true }
        : {
            text: data.choices?.[0]?.text,
            finish: data.choices?.[0]?.finish_reason,
            tokens: data.usage?.completion_tokens,
            error: data.error,
          },
    whole: (data) => ({
      text: data.choices[0].text,
      finish: data.choices[0].finish_reason,
      tokens: data.usage?.completion_tokens,
    }),
  },
  {
    name: "responses",
    label: "Responses",
    path: "/v1/responses",
    body: ({ model, prompt, most, stream }) => ({ model, input: prompt, max_output_tokens: most, stream }),
    event(data) {
      switch (data.type) {
        case "response.output_text.delta":
          return { text: data.delta };
        case "response.completed":
        case "response.incomplete":
          return { ...reply(data.response), text: "", end: true };
        case "response.failed":
          return { error: data.response?.error ?? data };
        case "error":
          return { error: data };
      }
      return {};
    },
    whole: (data) => reply(data),
  },
  {
    name: "messages",
    label: "Messages",
    path: "/v1/messages",
    headers: { "anthropic-version": "2023-06-01" },
    body: ({ model, prompt, most, stream }) => ({ model, max_tokens: most, messages: said(prompt), stream }),
    event(data) {
      switch (data.type) {
        case "content_block_delta":
          return { text: data.delta.text };
        case "message_delta":
          return { finish: data.delta.stop_reason, tokens: data.usage?.output_tokens };
        case "message_stop":
          return { end: true };
        case "error":
          return { error: data.error };
      }
      return {};
    },
    whole: (data) => ({
      text: data.content.map((block) => block.text ?? "").join(""),
      finish: data.stop_reason,
      tokens: data.usage?.output_tokens,
    }),
  },
  {
    name: "ollama",
    label: "Ollama",
    path: "/api/chat",
    lines: true, // of JSON, where the others have server-sent events
    body: ({ model, prompt, most, stream }) => ({ model, messages: said(prompt), stream, options: { num_predict: most } }),
    event: (data) => ({
      text: data.message?.content,
      finish: data.done_reason,
      tokens: data.eval_count,
      end: data.done,
      error: data.error,
    }),
    whole: (data) => ({ text: data.message.content, finish: data.done_reason, tokens: data.eval_count }),
  },
];

/** reply reads a whole response of the Responses API. */
function reply(data) {
  const parts = (data.output ?? []).flatMap((item) => item.content ?? []);
  return {
    text: parts.map((part) => part.text ?? "").join(""),
    finish: data.incomplete_details?.reason ?? data.status,
    tokens: data.usage?.output_tokens,
  };
}
