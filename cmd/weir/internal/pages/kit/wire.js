// Requests whose responses are read while they arrive, and what is in them.

/**
 * request makes a request and reads its response. It calls on.head with the
 * response and on.chunk with bytes, each as they arrive, and with the
 * milliseconds since the request began. It returns how that ended:
 *
 *   complete   the body ended as HTTP/1.1 or HTTP/2 wants it
 *   truncated  the connection ended, or the stream was reset, within the body
 *   refused    complete, with a status that says no
 *   stopped    by init.signal
 *   failed     there was no response
 */
export async function request(url, init = {}, on = {}) {
  const begin = performance.now();
  const since = () => performance.now() - begin;
  let response;
  try {
    response = await fetch(url, { cache: "no-store", credentials: "omit", ...init }); // without credentials a 401 opens no dialog
  } catch (error) {
    return { state: init.signal?.aborted ? "stopped" : "failed", took: since(), error };
  }
  on.head?.(response, since());
  const reader = response.body?.getReader(); // none: a status without a body
  while (reader) {
    let part;
    try {
      part = await reader.read();
    } catch (error) {
      return { state: init.signal?.aborted ? "stopped" : "truncated", took: since(), response, error };
    }
    if (part.done) break;
    on.chunk?.(part.value, since());
  }
  return { state: response.status < 400 ? "complete" : "refused", took: since(), response };
}

/** Lines takes text as it arrives and returns the lines that are complete. */
export class Lines {
  #rest = "";

  push(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop();
    return lines;
  }
}

/** Events takes an event stream's text as it arrives and returns the events that are complete, as EventSource would. */
export class Events {
  #rest = "";
  #data = [];
  #name = "";
  #id = "";

  push(text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!\n|$)/); // a CR at the end may be half of an end of line
    this.#rest = lines.pop();
    return lines.flatMap((line) => this.#line(line) ?? []);
  }

  #line(line) {
    if (line === "") return this.#dispatch();
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === "data") this.#data.push(value);
    if (field === "event") this.#name = value;
    if (field === "id" && !value.includes("\0")) this.#id = value;
  }

  #dispatch() {
    const event = { name: this.#name || "message", id: this.#id, data: this.#data.join("\n") };
    const some = this.#data.length > 0;
    this.#data = [];
    this.#name = "";
    return some ? event : null;
  }
}
