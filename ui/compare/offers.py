"""Two buttons below the examples that draw a question on which votes are scarcest, and record how it was drawn."""

import secrets
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

import gradio as gr

from battles.offers import Offers
from common.errors import DataError
from insights.offers import Candidate, Known, Offer, count_asked, draw, problem_candidates, what_is_known
from insights.reading import known_benchmarks
from ui.kit.events import QUIET, spoken
from ui.services import Services

SECONDS_KEPT = 60.0
"""The evaluation of votes is refreshed after this long, if there are new ones."""
SEED_BITS = 32


class Drawer:
    """Draws questions. Thread-safe."""

    def __init__(self, services: Services, examples: Sequence[Candidate] = ()) -> None:
        self._services, self._examples = services, tuple(examples)
        self._lock = threading.Lock()
        self._problems: list[Candidate] = []
        self._known: dict[str, Known] = {}
        self._asked: Counter[str] = Counter()
        self._rows = -1
        self._looked = 0.0

    def draw(self, only_problems: bool) -> Offer:
        """A problem of a benchmark, or one of those and the examples. DataError if there is none."""
        with self._lock:
            self._problems = self._problems or problem_candidates(known_benchmarks())
            candidates = [*self._problems, *self._examples]
            self._look(candidates)
            offer = draw(
                self._problems if only_problems else candidates,
                self._known,
                self._asked,
                secrets.randbits(SEED_BITS),
            )
        if offer is None:
            raise DataError("There is no problem to draw.", "Type a question of your own.")
        return offer

    def _look(self, candidates: Sequence[Candidate]) -> None:
        if self._rows >= 0 and time.monotonic() < self._looked + SECONDS_KEPT:
            return
        self._looked = time.monotonic()
        rows = len(self._services.store.ballots())
        if rows != self._rows:
            votes = [vote for vote in self._services.store.votes() if not vote.blocked]
            self._known, self._asked, self._rows = what_is_known(votes, candidates), count_asked(votes), rows


def build_offers(services: Services, offers: Offers, question: gr.Textbox, examples: Sequence[Candidate] = ()) -> None:
    """Fill the enclosing column. A drawn question goes into the field, where it can be read before it is asked."""
    drawer = Drawer(services, examples)
    gr.Markdown("Or draw one where the votes so far tell least:", elem_classes="note")
    with gr.Row(elem_id="offers"):
        problem = gr.Button("A maths problem", size="sm", min_width=140, scale=0, elem_id="draw-problem")
        anything = gr.Button("Any question", size="sm", min_width=120, scale=0, elem_id="draw-question")

    @spoken()
    def offer(only_problems: bool, request: gr.Request) -> str:
        drawn = drawer.draw(only_problems)
        logged = {name: value for name, value in asdict(drawn).items() if name != "question"}
        offers.add(services.visitor(request), drawn.question, logged)
        return drawn.question

    def a_problem(request: gr.Request) -> str:
        return offer(True, request)

    def any_question(request: gr.Request) -> str:
        return offer(False, request)

    problem.click(a_problem, None, question, **QUIET)
    anything.click(any_question, None, question, **QUIET)
