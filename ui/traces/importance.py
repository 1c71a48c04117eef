"""Which sentences of a trace its answer depends on: the served student answers again from every part of the thought.

The work is done in a thread, since grading and file access would block the event loop that all streams share. It is
bounded, and draws are stored per thought: a visitor who leaves loses nothing, and the next press draws only the rest.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from textwrap import shorten
from typing import Any

import gradio as gr

from common.errors import ServerError
from eval.runs.cost import most_in_flight
from eval.runs.run_job import ServedRun
from eval.thoughts.importance import SentenceImportance
from eval.thoughts.resampling import TEMPERATURE, Subject, resample
from traces.keeping.trace import Trace
from ui.kit.events import spoken
from ui.kit.html import note, shown
from ui.lens.view import told_from_chance
from ui.services import Services, check_ready
from ui.traces.library import TraceLibrary
from ui.traces.view import trace_html
from votes.casting.limits import RateLimiter

DRAWS = 6
PARTS = 8
"""Most parts of a thought; `arena thoughts importance` uses more and finer ones. With six answers on each side, a part
after which every answer is another one has p = 2/924, which still counts when it is corrected for eight parts."""
PART_CHARACTERS = 80
SECONDS_BETWEEN_LOOKS = 1.0
CHARACTERS_A_TOKEN = 3
"""Assumed for a trace without a token count; it affects only how much of the token limit is left."""


def subject_of_trace(served: ServedRun, trace: Trace) -> Subject:
    """The thought as if the served distilled model had written it. Raises ConfigError if the trace has none."""
    sampling = served.pair.distilled.sampling
    sampling = replace(sampling, temperature=sampling.temperature or TEMPERATURE, seed=trace.seed)
    tokens = trace.tokens or len(trace.thought) // CHARACTERS_A_TOKEN
    model, weights = served.pair.distilled.key, served.weight_hash("distilled")
    return Subject(model, weights, trace.prompt, trace.thought, tokens, sampling, gold=trace.problem.gold)


def importance_handler(
    services: Services, library: TraceLibrary, limiter: RateLimiter
) -> Callable[[str, gr.Request], Iterator[tuple[Any, Any]]]:
    """Handler: trace → progress in words and, at the end, the thought with its importances."""
    busy = threading.Lock()

    def weigh(trace_id: str, request: gr.Request) -> Iterator[tuple[Any, Any]]:
        served, line = services.served, "Drawing answers …"
        with spoken():
            check_ready(served)
            limiter.take("turn", services.visitor(request))
            trace = library.whole(trace_id)
            subject = subject_of_trace(served, trace)
            if not busy.acquire(blocking=False):  # its visitor may have left; the work goes on
                raise ServerError("Another thought is being weighed.", "Try again in a minute.")

        def progress(done: int, total: int) -> None:
            nonlocal line
            line = f"{done} of {total} answers drawn …"

        at_once = most_in_flight(served.profile)
        drawing = resample(
            served, "distilled", subject, samples=DRAWS, most=PARTS, concurrency=at_once, progress=progress
        )
        pool = ThreadPoolExecutor(1)
        try:
            work = pool.submit(asyncio.run, drawing)
            work.add_done_callback(lambda _: busy.release())
            while not work.done():
                yield shown(note(line)), gr.skip()
                wait([work], SECONDS_BETWEEN_LOOKS)
            with spoken():
                found = summary(trace.thought, work.result())
        finally:
            pool.shutdown(wait=False)  # the work continues if the visitor leaves
        yield shown(note(found)), shown(trace_html(trace))

    return weigh


def summary(thought: str, weights: Sequence[SentenceImportance]) -> str:
    """What was found, in a sentence. The largest of several distances between few answers is large by chance alone, so
    it is named only if it can be told from that."""
    if all(each.value == 0 for each in weights):
        return "Every part was followed by the same answers: none of them decides here."
    found = told_from_chance(weights)
    if not found:
        return "The answers before and after each part differ by no more than chance: with so few, none stands out."
    most = max(found, key=lambda each: each.value)
    part = shorten(thought[most.start : most.end], PART_CHARACTERS, placeholder=" …")
    return f"“{part}” matters most: the answers before and after it differ by {most.value:.0%}."
