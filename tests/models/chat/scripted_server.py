"""A model server for tests: a script instead of a model, one token a character, the wire format of vLLM."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

END = "\x03"
PROMPT_END = "\x02"


@dataclass
class ScriptedServer:
    """Answers what `script` makes of the text so far: the rest of the reply, with END where the model would end it."""

    script: Callable[[str], str]
    chunk: int = 1
    """Tokens a message."""
    bytes_a_read: int = 1000
    has_tokenizer: bool = True
    tokenizer_reads: str = "prompt"
    """The field in which /tokenize looks for a text; llama.cpp's reads `content`, and finds no token in another."""
    tokenizer_gives_a_list: bool = False
    tokenizer_busy: int = 0
    """How many of the first requests for tokens are refused."""
    counts: bool = True
    finish: str = "stop"
    """Why it says that a reply which its limit did not cut off has ended."""
    separated: tuple[str, str] | None = None
    """Thought and answer as a server with a reasoning parser sends them."""
    field_name: str = "reasoning"
    refusal: tuple[int, Any] | None = None
    refuses_option: str = ""
    instead: str = ""
    """What the refusal of an option names in its place."""
    refuses_with: Callable[[str], Any] | None = None
    """The body of the refusal of an option, with status 422, in place of a plain one."""
    breaks_after: int | None = None
    """Messages before the connection breaks."""
    error_after: int | None = None
    waits: asyncio.Event | None = None
    seen: list[dict[str, Any]] = field(default_factory=list)
    reading: asyncio.Event = field(default_factory=asyncio.Event)
    closed: int = 0
    prompt_tokens: int = 0

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.answer)

    def asked(self, path: str) -> list[dict[str, Any]]:
        """The requests for `path` so far."""
        return [request for request in self.seen if request["path"] == path]

    async def answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        await asyncio.sleep(0)  # as on a real wire, other requests go out meanwhile
        self.prompt_tokens = len(json.dumps(body.get("messages", []))) + 1
        self.seen.append({"path": request.url.path, "headers": request.headers, **body})
        if self.refusal:
            return httpx.Response(self.refusal[0], json=self.refusal[1])
        if request.url.path in ("/tokenize", "/detokenize"):
            return self.tokenizer(request.url.path, body)
        if self.refuses_option and self.refuses_option in json.dumps(body):
            if self.refuses_with:
                return httpx.Response(422, json=self.refuses_with(self.refuses_option))
            words = f"Unknown parameter: {self.refuses_option} {self.instead}"
            return httpx.Response(400, json={"error": {"message": words}})
        written = "" if "messages" in body else self.written(body["prompt"])
        limit = body.get("max_tokens", body.get("max_completion_tokens"))
        rest = self.script(written)
        text, finish = (rest[:limit], "length") if len(rest) > limit else (rest, self.finish)
        chat = "messages" in body
        if not body["stream"]:
            return httpx.Response(200, json=self.whole(text, finish, chat))
        return httpx.Response(
            200, stream=Body(self, b"".join(self.messages(text, finish, chat, body.get("stream_options", {}))))
        )

    def tokenizer(self, path: str, body: dict[str, Any]) -> httpx.Response:
        if not self.has_tokenizer:
            return httpx.Response(404, json={"detail": "Not Found"})
        if self.tokenizer_busy:
            self.tokenizer_busy -= 1
            return httpx.Response(503, json={"error": {"message": "busy"}})
        if path == "/detokenize":
            return httpx.Response(200, json={"prompt": "".join(map(chr, body["tokens"]))})
        text = json.dumps(body["messages"]) + PROMPT_END if "messages" in body else body["prompt"]
        if self.tokenizer_gives_a_list:
            return httpx.Response(200, json=[ord(c) for c in text])
        text = text if self.tokenizer_reads == "prompt" else ""
        return httpx.Response(200, json={"tokens": [ord(c) for c in text], "count": len(text), "max_model_len": 9999})

    @staticmethod
    def written(prompt: list[int]) -> str:
        return "".join(map(chr, prompt)).partition(PROMPT_END)[2]

    def usage(self, tokens: int) -> dict[str, Any]:
        return {"usage": {"prompt_tokens": self.prompt_tokens, "completion_tokens": tokens}} if self.counts else {}

    def whole(self, text: str, finish: str, chat: bool) -> dict[str, Any]:
        shown = text.replace(END, "")
        said: dict[str, Any] = {"message": {"content": shown}} if chat else {"text": shown}
        if self.separated:
            said = {"message": {self.field_name: self.separated[0], "content": self.separated[1]}}
        total = len("".join(self.separated)) if self.separated else len(text)
        return {"choices": [said | {"finish_reason": finish}]} | self.usage(total)

    def messages(self, text: str, finish: str, chat: bool, options: dict[str, Any]) -> list[bytes]:
        continuous = options.get("continuous_usage_stats")
        messages: list[dict[str, Any]] = [{"choices": [{"delta": {"role": "assistant"}, "finish_reason": None}]}]
        if self.separated:
            deltas = [{self.field_name: c} for c in self.separated[0]] + [{"content": c} for c in self.separated[1]]
            messages += [{"choices": [{"delta": d, "finish_reason": None}]} for d in deltas]
            text = ""
        for start in range(0, len(text), self.chunk):
            part = text[start : start + self.chunk].replace(END, "")
            said = {"delta": {"content": part}} if chat else {"text": part}
            count = self.usage(min(start + self.chunk, len(text))) if continuous else {}
            messages.append({"choices": [said | {"finish_reason": None}]} | count)
        if self.breaks_after is not None:
            return [event(m) for m in messages[: self.breaks_after]]
        if self.error_after is not None:
            return [event(m) for m in [*messages[: self.error_after], {"error": {"message": "EngineCore died"}}]]
        messages[-1]["choices"][0]["finish_reason"] = finish
        total = len("".join(self.separated)) if self.separated else len(text)
        return [*map(event, [*messages, {"choices": []} | self.usage(total)]), b"data: [DONE]\n\n"]


class Body(httpx.AsyncByteStream):
    """The bytes of a stream, a few at a time."""

    def __init__(self, server: ScriptedServer, content: bytes) -> None:
        self.server, self.content = server, content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.content), self.server.bytes_a_read):
            if self.server.waits and start:
                await self.server.waits.wait()
            self.server.reading.set()
            yield self.content[start : start + self.server.bytes_a_read]
        if self.server.breaks_after is not None:
            raise httpx.ReadError("connection reset")

    async def aclose(self) -> None:
        self.server.closed += 1


def event(message: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(message, ensure_ascii=False).encode() + b"\n\n"


def continuing(full: str, otherwise: str = "") -> Callable[[str], str]:
    """A model that would write `full`, and `otherwise` after any text that is no beginning of it."""
    return lambda written: (full[len(written) :] if full.startswith(written) else otherwise) + END
