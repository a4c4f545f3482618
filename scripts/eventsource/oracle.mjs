// Prints what eventsource-parser makes of a byte stream, for the tests of package sse.
// In, one JSON value a line: {"bytes": base64, "cuts": [offsets]}. Out, one a line: {"events": [{id, event, data}], "retry": ms or null}.
// Bytes become text as in a browser: a streaming UTF-8 decoder, which also drops one byte order mark.
import { createInterface } from 'node:readline'
import { createParser } from 'eventsource-parser'

function parse(bytes, cuts) {
  const events = []
  let retry = null
  const parser = createParser({
    onEvent: (e) => events.push({ id: e.id ?? null, event: e.event ?? '', data: e.data }),
    onRetry: (ms) => { retry = ms },
  })
  const decoder = new TextDecoder('utf-8')
  let from = 0
  for (const to of [...cuts, bytes.length]) {
    parser.feed(decoder.decode(bytes.subarray(from, to), { stream: true }))
    from = to
  }
  return { events, retry }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { bytes, cuts } = JSON.parse(line)
  process.stdout.write(JSON.stringify(parse(Buffer.from(bytes, 'base64'), cuts)) + '\n')
}
