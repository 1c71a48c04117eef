"""Metrics of battles for the server's operator: numbers only, never any text of a question or an answer."""

from collections.abc import Iterable

from prometheus_client import Counter, Gauge

from votes.ballot import RecordedReply

REPLIES = Counter("arena_replies", "Replies in battles, by model and by how they ended.", ["role", "ending"])
TOKENS = Counter("arena_tokens", "Tokens generated in battles, by model and part of the reply.", ["role", "part"])
RUNNING = Gauge("arena_turns_running", "Questions that are being answered now.")


def count_replies(replies: Iterable[RecordedReply]) -> None:
    for reply in replies:
        REPLIES.labels(reply.role, reply.finish_reason).inc()
        TOKENS.labels(reply.role, "thought").inc(reply.thought_tokens)
        TOKENS.labels(reply.role, "answer").inc(reply.answer_tokens)
