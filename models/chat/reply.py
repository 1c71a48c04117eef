"""Builds one reply: pieces of text and token counts go in, deltas and a Reply come out."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from common.errors import Refusal
from models.chat.events import Answering, Event, Finished, FinishReason, Reply, Thinking
from models.chat.pieces import Piece
from models.chat.resume import Resume
from models.chat.separated import Separated, written
from models.chat.thought import Split, Splitter, close_thought_text
from models.config.thought_format import ThoughtFormat

Delta = Thinking | Answering


class Builder:
    """Builds one Reply. Text that is forced upon the model (a closing tag, "Wait") is never counted as its tokens."""

    def __init__(
        self,
        thought: ThoughtFormat,
        resume: Resume | None = None,
        *,
        timed: bool = True,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._prior = resume.reply if resume else Reply()
        self._marks = written(thought, self._prior)
        self._splitter = Splitter(*self._marks)
        self._raw: list[str] = []
        self._request_text = 0
        self._forced = [*self._prior.forced, *([resume.forced] if resume else [])]
        self._total = self._request_start = self._prior.output_tokens
        self._crossed: int | None = None
        self._known_thought: int | None = None
        self._guessed = False
        self._ambiguous: str | None = None
        self._crossed_start = 0
        self.prompt_tokens = self._prior.prompt_tokens
        self._separated: Separated | None = None
        """Set once the server has sent thought separately."""
        self._timed, self._clock = timed, clock
        self._begun = clock()
        self._first: float | None = None
        self._thought_over: float | None = None
        self.finish: FinishReason = "stopped"
        self._waiting = self._prime(resume.raw) if resume else []

    @property
    def raw(self) -> str:
        return self._separated.raw if self._separated else "".join(self._raw)

    @property
    def thinking(self) -> bool:
        """Whether the answer has not begun yet."""
        return self.split.part != "answer" if self._separated else self._splitter.part != "answer"

    @property
    def generated(self) -> int:
        """Output tokens of the reply, including those of an earlier part that it continues."""
        return self._total

    @property
    def split(self) -> Split:
        return self._separated.split if self._separated else self._splitter.split(ended=self.finish == "stop")

    def take(self, piece: Piece) -> list[Delta]:
        """Add a piece sent by the server."""
        deltas = self.drain()
        before = self._total
        self._count(piece)
        if (piece.text or piece.separated_thought) and self._first is None:
            self._first = self._clock()
        if piece.separated_thought and not self._separated:
            deltas += self._separate()
        if self._separated:
            deltas += self._take_separated(self._separated, piece, before)
        elif piece.text:
            deltas += self._take_text(piece, before)
        if piece.finish:
            self.finish = piece.finish
            deltas += self._splitter.finish() if piece.finish == "stop" and not self._separated else []
        return deltas

    def drain(self) -> list[Delta]:
        """Deltas of forced text since the last call."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def close_thought(self, intervention: str) -> None:
        """Close the thought on the model's behalf."""
        self._forced.append(intervention)
        self._waiting += self._feed(close_thought_text(self._marks.format, self.raw, self._marks.literal))
        self._crossed, self._thought_over = self._total, self._clock()

    def next_request(self) -> None:
        """The next piece starts counting its tokens from zero."""
        self._request_start, self._request_text = self._total, len(self.raw)

    def ambiguous_crossing(self) -> str | None:
        """One request's text up to the answer, if a single piece held tokens of both parts, which must be counted."""
        return self._ambiguous

    def correct_thought_tokens(self, tokens: int) -> None:
        """Set the exact number of tokens in the text that `ambiguous_crossing` returned."""
        self._crossed = min(self._crossed_start + tokens, self._total)

    def reply(self, finish: FinishReason | None = None, error: str = "", refusal: Refusal = "") -> Reply:
        """The reply so far."""
        split, now = self.split, self._clock()
        thought_tokens = self._thought_tokens(split)
        first = 0.0 if self._first is None or not self._timed else self._first - self._begun
        return Reply(
            thought=split.thought,
            answer=split.answer,
            raw=self.raw,
            finish_reason=finish or self.finish,
            error=error,
            refusal=refusal,
            prompt_tokens=self.prompt_tokens,
            thought_tokens=thought_tokens,
            answer_tokens=self._total - thought_tokens,
            first_token_seconds=self._prior.first_token_seconds or first,
            thought_seconds=self._prior.thought_seconds + self._thought_seconds(split, now),
            seconds=self._prior.seconds + now - self._begun,
            forced=tuple(self._forced),
        )

    def _prime(self, raw: str) -> list[Delta]:
        """The deltas between what has already been shown and the text to resume from."""
        self._feed(raw)
        self._request_text = len(raw)
        split = self.split
        if not self.thinking:
            self._crossed, self._thought_over = self._prior.thought_tokens, self._begun
        deltas: list[Delta] = []
        if split.thought.startswith(self._prior.thought) and len(split.thought) > len(self._prior.thought):
            deltas.append(Thinking(split.thought[len(self._prior.thought) :]))
        if split.answer.startswith(self._prior.answer) and len(split.answer) > len(self._prior.answer):
            deltas.append(Answering(split.answer[len(self._prior.answer) :]))
        return deltas

    def _feed(self, text: str) -> list[Delta]:
        self._raw.append(text)
        return self._splitter.feed(text)

    def _take_text(self, piece: Piece, before: int) -> list[Delta]:
        """Add text in which the model itself marks its thought."""
        was_thinking = self.thinking
        deltas = self._feed(piece.text)
        if was_thinking and not self.thinking:
            self._cross(before, piece)
        return deltas

    def _separate(self) -> list[Delta]:
        """From here on the server sends thought separately, so all text before it was answer, tags or not."""
        split, text = self._splitter.split(), "".join(self._raw)
        tokens = self._thought_tokens(split) if self._prior.raw else 0
        self._separated, self._ambiguous = Separated(self._marks.format), None
        if self._prior.raw:
            self._separated.think(split.thought)
        answer = self._separated.answer(split.answer if self._prior.raw else text)
        self._crossed = tokens
        shown = split.answer
        more = [Answering(delta.text.removeprefix(shown)) for delta in answer]
        return [delta for delta in more if delta.text]

    def _take_separated(self, separated: Separated, piece: Piece, before: int) -> list[Delta]:
        thought, text = piece.separated_thought, piece.text
        if thought or text:
            share = len(thought) / (len(thought) + len(text))
            self._crossed = (self._crossed or 0) + round((self._total - before) * share)
        deltas: list[Delta] = [*separated.think(thought)] if thought else []
        if thought:
            self._thought_over = None
        if text:
            deltas += separated.answer(text)
            self._thought_over = self._thought_over or self._clock()
        return deltas

    def _count(self, piece: Piece) -> None:
        if piece.tokens is not None:
            if self._guessed and self._crossed:
                share = (self._crossed - self._request_start) / max(1, self._total - self._request_start)
                self._crossed = self._request_start + round(share * piece.tokens)
            self._total = self._request_start + piece.tokens
            self._guessed = False
        elif piece.text or piece.separated_thought:
            self._total += 1  # servers that send no counts, or only at the end, send about one token per message
            self._guessed = True
        if piece.thought_tokens:
            self._known_thought = piece.thought_tokens
        if piece.prompt_tokens and not self.prompt_tokens:
            self.prompt_tokens = piece.prompt_tokens

    def _cross(self, before: int, piece: Piece) -> None:
        split, new = self.split, self._total - before
        self._thought_over = self._clock()
        if not split.answer_start:
            self._crossed = 0
            return
        into_answer = max(0, len(self.raw) - split.answer_start)
        share = 1 - into_answer / len(piece.text)
        self._crossed, self._crossed_start = before + round(new * share), self._request_start
        if new > 1 and into_answer:
            self._ambiguous = self.raw[self._request_text : split.answer_start]

    def _thought_tokens(self, split: Split) -> int:
        if self._known_thought is not None:
            return min(self._known_thought, self._total)
        if split.part == "answer" or self._separated:
            return min(self._crossed or 0, self._total)
        return self._total if split.part == "thought" else 0

    def _thought_seconds(self, split: Split, now: float) -> float:
        if self._first is None or not self._timed or not split.thought:
            return 0.0
        return max(0.0, (now if self._thought_over is None else self._thought_over) - self._first)


class ReplyStream(AsyncIterator[Event]):
    """The events of one reply, for one reader. Close it to stop the server generating."""

    def __init__(self, events: AsyncGenerator[Event, None], builder: Builder) -> None:
        self._events = events
        self._builder = builder
        self._reading: asyncio.Future[Event] | None = None
        self._stopping = False
        self._ended: Reply | None = None

    @property
    def reply(self) -> Reply:
        """The reply so far; `stopped` while it is still running."""
        return self._ended or self._builder.reply("stopped")

    def stop(self) -> None:
        """End the reply here: the server stops generating and the next event is Finished with what there is.

        Call it on the event loop that reads the stream.
        """
        self._stopping = True
        if self._reading:
            self._reading.cancel()

    async def aclose(self) -> None:
        await self._events.aclose()

    async def __anext__(self) -> Event:
        if self._ended:
            raise StopAsyncIteration
        if self._stopping:
            return await self._finish_stopped()
        self._reading = asyncio.ensure_future(self._events.__anext__())
        try:
            event = await self._reading
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._stopping or (task and task.cancelling()):
                await self._events.aclose()
                raise
            return await self._finish_stopped()
        finally:
            self._reading = None
        if not isinstance(event, Thinking | Answering):
            self._ended = event.reply
        return event

    async def _finish_stopped(self) -> Finished:
        await self._events.aclose()
        self._ended = self._builder.reply("stopped")
        return Finished(self._ended)
