"""A model server as small as can be, for uvicorn: it says "token 0 token 1 …",
max_tokens of them, streamed or whole, and prints "left" when a client leaves.

    uvicorn --app-dir scripts/clients uvicorn_app:app
"""

import asyncio
import json

PACE = 0.001  # seconds from one token to the next


async def app(scope, receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    ask = json.loads(body)
    tokens = (f"token {i} " for i in range(ask.get("max_tokens", 3)))
    if ask.get("stream"):
        await stream(tokens, receive, send)
    else:
        await begin(send, b"application/json")
        answer = {"choices": [{"message": {"content": "".join(tokens)}}]}
        await send({"type": "http.response.body", "body": encoded(answer)})


async def stream(tokens, receive, send):
    left = asyncio.ensure_future(receive())
    await begin(send, b"text/event-stream")
    for text in tokens:
        if left.done():
            print("left", flush=True)
            return
        event = encoded({"choices": [{"delta": {"content": text}}]})
        await send({"type": "http.response.body", "body": b"data: " + event + b"\n\n", "more_body": True})
        await asyncio.sleep(PACE)
    left.cancel()
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


async def begin(send, content_type):
    headers = [(b"content-type", content_type)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


def encoded(value):
    return json.dumps(value, separators=(",", ":")).encode()
