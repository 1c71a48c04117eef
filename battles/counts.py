"""Metrics of battles for the server's operator: numbers only, never any text of a question or an answer."""

from prometheus_client import Counter, Gauge

from models.chat.events import Reply
from votes.ballot import RecordedReply

REPLIES = Counter("arena_replies", "Replies in battles, by model and by how they ended.", ["role", "ending"])
TOKENS = Counter("arena_tokens", "Tokens generated in battles, by model and part of the reply.", ["role", "part"])
RUNNING = Gauge("arena_turns_running", "Questions that are being answered now.")


def count_reply(reply: RecordedReply, kept: Reply) -> None:
    """`kept`: the part that it goes on from, whose tokens were counted when they were generated."""
    REPLIES.labels(reply.role, reply.finish_reason).inc()
    TOKENS.labels(reply.role, "thought").inc(max(0, reply.thought_tokens - kept.thought_tokens))
    TOKENS.labels(reply.role, "answer").inc(max(0, reply.answer_tokens - kept.answer_tokens))
