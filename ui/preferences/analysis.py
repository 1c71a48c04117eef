"""The part of the Preferences tab that analyses the votes when a visitor asks for it."""

import threading
from collections.abc import Callable, Iterable
from copy import copy
from typing import Any

import gradio as gr

from insights.likeness import shared
from insights.reading import known_benchmarks, read_preference, read_topics, read_truth
from traces.problems.decontaminate import Embedder
from ui.kit.events import QUIET, spoken
from ui.kit.html import html, shown
from ui.kit.owner import needs_key
from ui.preferences.meaning import preference_html, topics_html, truth_html
from ui.preferences.topic_map import FOLLOW_CLICKS, point_html, topics_figure
from ui.services import Services
from votes.agreement import agreed
from votes.ballot import Ballot, Vote
from votes.export import final_votes
from votes.ranking import effective_votes

embedder: Callable[[], Embedder] = lambda: shared().embed  # noqa: E731


def build_analysis(services: Services, pair: gr.Dropdown) -> None:
    """A button, and below it the three readings of the chosen pair's votes and the map of their questions."""
    button = gr.Button("What do the votes mean?", elem_id="analyse", size="md")
    readings = [html(), html(), html()]
    plot = gr.Plot(show_label=False, visible=False, elem_id="topic-map")
    outputs: list[Any] = [*readings, plot, html(elem_id="topic-point")]
    analysis = Analysis(services)
    options = {**QUIET, "show_progress": "minimal"}
    worked_out = button.click(spoken()(analysis), pair, outputs, concurrency_limit=1, **options)
    worked_out.then(fn=None, js=FOLLOW_CLICKS)
    nothing = [*[shown("")] * 3, gr.update(value=None, visible=False), shown("")]
    pair.input(lambda: list(map(copy, nothing)), None, outputs, cancels=[worked_out], **QUIET)  # it is of another pair


class Analysis:
    """Caches the last result, which everybody who may see as much gets as long as the votes are the same."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._kept: tuple[tuple[str, bool, list[str]], list[Any]] | None = None

    def __call__(self, pair: str | None) -> list[Any]:
        with self._lock:
            votes = readable_votes(self._services, pair or "")
            # All ids, since one vote may be taken down as another comes.
            state = (pair or "", needs_key(), [vote.row_id for vote in votes])
            if self._kept is None or self._kept[0] != state:
                self._kept = (state, show_votes(votes))
            return [copy(each) for each in self._kept[1]]  # gradio takes the value out of an update


def readable_votes(services: Services, pair: str = "") -> list[Vote]:
    """The votes that can no longer change, without those on blocked answers."""
    votes = final_votes(services.store, services.desk.limits)
    return [vote for vote in votes if not vote.blocked and pair in ("", vote.pair)]


def may_be_shown(vote: Ballot) -> bool:
    """Whether whoever is asking may read the words of this vote, given that it stands."""
    return agreed(vote) or not needs_key()


def public_questions(votes: Iterable[Vote]) -> dict[str, str]:
    """Battle → its first question on one line, for battles with a vote that stands and that whoever asks may see."""
    public = (vote for vote in effective_votes(votes) if may_be_shown(vote))
    return {vote.battle_id: " ".join(vote.turns[0].prompt.split()) for vote in public}


def show_votes(votes: list[Vote]) -> list[Any]:
    """The three readings and the map. Topics use public votes only, since their names are words from the questions."""
    shareable = public_questions(votes)
    benchmarks = known_benchmarks()
    topics = read_topics([vote for vote in votes if vote.battle_id in shareable], embedder, benchmarks)
    return [
        shown(preference_html(read_preference(votes, topics.topic_of(), topics.first_copy))),
        shown(truth_html(read_truth(votes, benchmarks), shareable)),
        shown(topics_html(topics, shareable)),
        gr.update(value=topics_figure(topics, shareable), visible=bool(topics.topics)),
        shown(point_html(topics)),
    ]
