"""Talks to a chat completions endpoint with the official openai package and
tells on stdout, one JSON object a line, what arrived.

The lines and the options are those of openai_stream.mjs, and so is --plan.
"""

import argparse
import json
import os
import sys

import openai


def say(line_type, **fields):
    print(json.dumps({"type": line_type, **fields}, ensure_ascii=False), flush=True)


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=sorted(MODES), default="stream")
    parser.add_argument("--model", default="weir-demo")
    parser.add_argument("--message", default="Tell me about streams.")
    parser.add_argument("--max-tokens", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--after", type=int, default=3)
    parser.add_argument("--usage", action="store_true")
    parser.add_argument("--retries", type=int, default=0)  # a test sees the server's own response
    parser.add_argument("--plan", action="store_true")
    parser.set_defaults(headers=None)  # of a plan only
    return parser.parse_args()


def request(args):
    body = {
        "model": args.model,
        "messages": [{"role": "user", "content": args.message}],
    }
    if args.max_tokens is not None:
        body["max_tokens"] = args.max_tokens
    if args.seed is not None:
        body["seed"] = args.seed
    return body


def stream(client, args):
    extra = {"stream_options": {"include_usage": True}} if args.usage else {}
    text, finish_reason, usage = "", None, None
    with client.chat.completions.create(**request(args), stream=True, **extra) as pieces:
        for piece in pieces:
            for choice in piece.choices[:1]:
                if choice.delta.content:
                    say("delta", text=choice.delta.content)
                    text += choice.delta.content
                finish_reason = choice.finish_reason or finish_reason
            usage = piece.usage or usage
    say("done", finish_reason=finish_reason, text=text, usage=usage and usage.model_dump())


def abort(client, args):
    deltas = 0
    with client.chat.completions.create(**request(args), stream=True) as pieces:
        while deltas < args.after:
            piece = next(pieces)
            if piece.choices and piece.choices[0].delta.content:
                say("delta", text=piece.choices[0].delta.content)
                deltas += 1
    say("aborted", deltas=deltas)


def once(client, args):
    answer = client.chat.completions.create(**request(args))
    choice = answer.choices[0]
    say(
        "done",
        finish_reason=choice.finish_reason,
        text=choice.message.content,
        usage=answer.usage and answer.usage.model_dump(),
    )


def models(client, args):
    say("models", ids=[model.id for model in client.models.list()])


MODES = {"stream": stream, "abort": abort, "once": once, "models": models}


def run(client, args):
    """Makes one request. Returns the exit status."""
    client = client.with_options(max_retries=args.retries, default_headers=args.headers)
    try:
        MODES[args.mode](client, args)
    except Exception as err:  # whatever it is, it is the result to print
        say(
            "error",
            **{"class": type(err).__name__},
            status=getattr(err, "status_code", None),
            code=getattr(err, "code", None),
            message=str(err),
        )
        return 1
    return 0


def main():
    args = options()
    client = openai.OpenAI(
        base_url=os.environ["OPENAI_BASE_URL"],
        api_key=os.environ.get("OPENAI_API_KEY", "none"),
        timeout=30,
    )
    with client:
        if not args.plan:
            return run(client, args)
        status = 0
        for line in sys.stdin:
            wish = argparse.Namespace(**{**vars(args), **json.loads(line)})
            status = max(status, run(client, wish))
        return status


if __name__ == "__main__":
    sys.exit(main())
