"""“Battles like this”: semantic search for battles with votes, by their first question."""

from collections import Counter
from collections.abc import Sequence

import gradio as gr

from insights.likeness import Likeness, shared
from ui.kit.events import QUIET, spoken
from ui.kit.html import Markup, html, note, render, shown, table
from ui.preferences.analysis import public_questions, readable_votes
from ui.preferences.quadrants import linked_count, shorten
from ui.services import Services
from votes.ballot import Vote
from votes.ranking import effective_votes
from votes.takedown import battle_id_of

FOUND = 10
"""Questions in a result."""
VOTED = {"distilled": "distilled better", "base": "base better", "tie": "tie", "both_bad": "both bad"}


def build_search(services: Services, pair: gr.Dropdown) -> None:
    """A field for a question or a battle's link, and the list of similar questions."""
    with gr.Row(elem_classes=["low", "stacked"]):
        query = gr.Textbox(
            label="Find battles by meaning",
            placeholder="A question, or the link of a battle",
            max_lines=1,
            scale=4,
            elem_id="battle-query",
        )
        button = gr.Button("Find", size="md", scale=0, min_width=110, elem_id="battle-search")
    results = html(elem_id="battles-found")

    @spoken()
    def search(query: str, pair: str | None) -> str:
        return shown(search_html(query or "", readable_votes(services, pair or ""), shared()))

    options = {**QUIET, "show_progress": "minimal"}
    found = gr.on([button.click, query.submit], search, [query, pair], results, concurrency_limit=1, **options)
    pair.input(lambda: shown(""), None, results, cancels=[found], **QUIET)  # they are of another pair


def search_html(query: str, votes: Sequence[Vote], likeness: Likeness) -> Markup:
    """The distinct questions closest to the query, each with its battles and votes; public battles only.

    If the query is the link or id of one of these battles, its question is searched for and left out of the results.
    """
    if not query.strip():
        return note("Enter a question, or the link of a battle.")
    questions = public_questions(votes)
    own = questions.get(battle_id_of(query))
    texts = list(dict.fromkeys(questions.values()))
    nearest = likeness.nearest(own or query, texts, FOUND + 1)
    matches = [match for match in nearest if texts[match.place] != own][:FOUND]
    if not matches:
        return note("No battle here is like this.")
    standing = effective_votes(votes)
    rows = []
    for place, cosine in matches:
        text = texts[place]
        battles = [battle for battle, question in questions.items() if question == text]
        counts: Counter[str] = Counter(vote.winner or vote.verdict for vote in standing if vote.battle_id in battles)
        rows.append(
            (
                render(
                    '<a href="?battle={{ battle }}" translate="no">{{ text }}</a>',
                    battle=battles[0],
                    text=shorten(text, 140),
                ),
                linked_count(battles, questions),
                ", ".join(f"{name} {counts[key]}" for key, name in VOTED.items() if counts[key]),
                f"{cosine:.2f}",
            )
        )
    return table(("question", "battles", "votes", "likeness"), rows, "words lead")
