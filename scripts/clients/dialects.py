"""Talks to a server of models with the packages that people use, in each
dialect, and prints what arrived.

    dialects.py CLIENT < CASES

Each line of stdin is a JSON object: base, the server's address without a path,
case, and headers of its requests. For each of them one JSON object is printed:
text, calls (of tools), finish, or error and status.

    text   a streamed text        whole  the same, not streamed
    tool   a streamed task for which the client's tool, weather(city), is run
    abort  a stream that is given up after its first piece of text
    embed  a vector
"""

import asyncio
import json
import sys

QUESTION = "What is the weather like in Ghent?"
MODEL = "m"
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def weather(city: str) -> str:
    """Says what the weather is like in a city."""
    return "rain in " + city


class Stop(Exception):
    """The stream is given up."""


class Result:
    """What arrived, collected."""

    def __init__(self, case):
        self.case = case
        self.text = ""
        self.calls = []
        self.finish = None

    def add(self, text):
        if text:
            self.text += text
            if self.case == "abort":
                raise Stop


def openai_chat(base, case, headers, result):
    import openai

    client = openai.OpenAI(base_url=base + "/v1", api_key="none", max_retries=0, default_headers=headers)
    messages = [{"role": "user", "content": QUESTION}]
    tools = [{"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}]
    extra = {"tools": tools} if case == "tool" else {}
    if case == "embed":
        result.text = "%d" % len(client.embeddings.create(model=MODEL, input="a text").data[0].embedding)
        return
    if case == "whole":
        choice = client.chat.completions.create(model=MODEL, messages=messages).choices[0]
        result.text, result.finish = choice.message.content, choice.finish_reason
        return
    while True:
        with client.chat.completions.stream(model=MODEL, messages=messages, **extra) as stream:
            for event in stream:
                if event.type == "content.delta":
                    result.add(event.delta)
            choice = stream.get_final_completion().choices[0]
        result.finish = choice.finish_reason
        if not choice.message.tool_calls:
            return
        messages.append(choice.message.to_dict())
        for call in choice.message.tool_calls:
            result.calls.append(call.function.name)
            output = weather(**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": output})


def openai_completions(base, case, headers, result):
    import openai

    client = openai.OpenAI(base_url=base + "/v1", api_key="none", max_retries=0, default_headers=headers)
    if case == "whole":
        choice = client.completions.create(model=MODEL, prompt=QUESTION).choices[0]
        result.text, result.finish = choice.text, choice.finish_reason
        return
    with client.completions.create(model=MODEL, prompt=QUESTION, stream=True) as stream:
        for piece in stream:
            result.finish = piece.choices[0].finish_reason or result.finish
            result.add(piece.choices[0].text)


def openai_responses(base, case, headers, result):
    import openai

    client = openai.OpenAI(base_url=base + "/v1", api_key="none", max_retries=0, default_headers=headers)
    items = [{"role": "user", "content": QUESTION}]
    extra = {"tools": [{"type": "function", "name": "weather", "parameters": PARAMETERS, "strict": False}]} if case == "tool" else {}
    if case == "whole":
        response = client.responses.create(model=MODEL, input=items)
        result.text, result.finish = response.output_text, response.status
        return
    while True:
        with client.responses.stream(model=MODEL, input=items, **extra) as stream:
            for event in stream:
                if event.type == "response.output_text.delta":
                    result.add(event.delta)
            response = stream.get_final_response()
        result.finish = response.status
        calls = [item for item in response.output if item.type == "function_call"]
        if not calls:
            return
        for call in calls:
            result.calls.append(call.name)
            output = weather(**json.loads(call.arguments))
            items.append({"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments})
            items.append({"type": "function_call_output", "call_id": call.call_id, "output": output})


def anthropic_messages(base, case, headers, result):
    import anthropic

    client = anthropic.Anthropic(base_url=base, api_key="none", max_retries=0, default_headers=headers)
    messages = [{"role": "user", "content": QUESTION}]
    extra = {"tools": [{"name": "weather", "input_schema": PARAMETERS}]} if case == "tool" else {}
    if case == "count":
        result.text = "%d" % client.messages.count_tokens(model=MODEL, messages=messages).input_tokens
        return
    if case == "whole":
        message = client.messages.create(model=MODEL, max_tokens=100, messages=messages)
        result.text, result.finish = message.content[-1].text, message.stop_reason
        return
    while True:
        with client.messages.stream(model=MODEL, max_tokens=100, messages=messages, **extra) as stream:
            for text in stream.text_stream:
                result.add(text)
            message = stream.get_final_message()
        result.finish = message.stop_reason
        calls = [block for block in message.content if block.type == "tool_use"]
        if not calls:
            return
        messages.append({"role": "assistant", "content": [b.to_dict() for b in message.content]})
        outputs = []
        for call in calls:
            result.calls.append(call.name)
            outputs.append({"type": "tool_result", "tool_use_id": call.id, "content": weather(**call.input)})
        messages.append({"role": "user", "content": outputs})


def ollama_chat(base, case, headers, result):
    import ollama

    client = ollama.Client(host=base, headers=headers)
    messages = [{"role": "user", "content": QUESTION}]
    if case == "whole":
        response = client.chat(model=MODEL, messages=messages)
        result.text, result.finish = response.message.content, response.done_reason
        return
    while True:
        calls = []
        for part in client.chat(model=MODEL, messages=messages, stream=True, tools=[weather] if case == "tool" else None):
            result.finish = part.done_reason or result.finish
            calls += part.message.tool_calls or []
            result.add(part.message.content)
        if not calls:
            return
        messages.append({"role": "assistant", "content": "", "tool_calls": [c.model_dump() for c in calls]})
        for call in calls:
            result.calls.append(call.function.name)
            messages.append({"role": "tool", "tool_name": call.function.name, "content": weather(**call.function.arguments)})


def ollama_generate(base, case, headers, result):
    import ollama

    client = ollama.Client(host=base, headers=headers)
    if case == "whole":
        response = client.generate(model=MODEL, prompt=QUESTION)
        result.text, result.finish = response.response, response.done_reason
        return
    for part in client.generate(model=MODEL, prompt=QUESTION, stream=True):
        result.finish = part.done_reason or result.finish
        result.add(part.response)


def openai_agents(base, case, headers, result):
    """openai-agents with its defaults, which is the Responses API."""
    import agents
    import openai

    agents.set_tracing_disabled(True)
    agents.set_default_openai_client(
        openai.AsyncOpenAI(base_url=base + "/v1", api_key="none", max_retries=0, default_headers=headers)
    )

    @agents.function_tool
    def weather(city: str) -> str:
        """Says what the weather is like in a city."""
        result.calls.append("weather")
        return "rain in " + city

    agent = agents.Agent(name="a", model=MODEL, tools=[weather] if case == "tool" else [])

    async def run():
        if case == "whole":
            result.text = (await agents.Runner.run(agent, QUESTION)).final_output
            return
        stream = agents.Runner.run_streamed(agent, QUESTION)
        async for event in stream.stream_events():
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                result.add(event.data.delta)

    asyncio.run(run())


def pydantic(model, case, result):
    from pydantic_ai import Agent

    agent = Agent(model)

    if case == "tool":

        @agent.tool_plain
        def weather(city: str) -> str:
            """Says what the weather is like in a city."""
            result.calls.append("weather")
            return "rain in " + city

    async def run():
        if case == "whole":
            result.text = (await agent.run(QUESTION)).output
            return
        async with agent.run_stream(QUESTION) as stream:
            async for text in stream.stream_text(delta=True, debounce_by=None):
                result.add(text)

    asyncio.run(run())


def pydantic_openai(base, case, headers, result):
    """pydantic-ai with OpenAI's model, which is the Responses API by default."""
    import openai
    from pydantic_ai.models.openai import OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    client = openai.AsyncOpenAI(base_url=base + "/v1", api_key="none", max_retries=0, default_headers=headers)
    pydantic(OpenAIResponsesModel(MODEL, provider=OpenAIProvider(openai_client=client)), case, result)


def pydantic_anthropic(base, case, headers, result):
    import anthropic
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    client = anthropic.AsyncAnthropic(base_url=base, api_key="none", max_retries=0, default_headers=headers)
    pydantic(AnthropicModel(MODEL, provider=AnthropicProvider(anthropic_client=client)), case, result)


CLIENTS = {
    "openai-chat": openai_chat,
    "openai-completions": openai_completions,
    "openai-responses": openai_responses,
    "anthropic": anthropic_messages,
    "ollama-chat": ollama_chat,
    "ollama-generate": ollama_generate,
    "openai-agents": openai_agents,
    "pydantic-ai-openai": pydantic_openai,
    "pydantic-ai-anthropic": pydantic_anthropic,
}


def attempt(run, base, case, headers):
    result, end = Result(case), {}
    try:
        run(base, case, headers, result)
    except Stop:
        pass
    except Exception as err:  # what a program would have to handle
        cause = err
        while cause.__cause__ is not None and not hasattr(cause, "status_code"):
            cause = cause.__cause__
        end = {"error": type(cause).__name__, "status": getattr(cause, "status_code", None), "message": str(cause)}
    print(json.dumps({"text": result.text, "calls": result.calls, "finish": result.finish, **end}), flush=True)


def main():
    for line in sys.stdin:
        attempt(CLIENTS[sys.argv[1]], **json.loads(line))


main()
