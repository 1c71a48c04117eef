"""The Preferences tab: what visitors preferred, how sure that is, and every vote as a file."""

from collections import Counter
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from common.paths import on_space
from ui.kit.downloads import download_button
from ui.kit.events import when_opened
from ui.kit.html import html, shown
from ui.kit.owner import is_owner, needs_key, owner_key
from ui.preferences.analysis import build_analysis, may_be_shown
from ui.preferences.search import build_search
from ui.preferences.takedown import build_takedown
from ui.preferences.view import (
    enough,
    recent_html,
    summarise_votes,
    table_html,
    tiles_html,
    time_figure,
    win_rate_figure,
)
from ui.services import Services
from votes.agreement import public_rows
from votes.ballot import Ballot
from votes.casting.views import SharedBattle
from votes.errors import UnknownBattle
from votes.export import final_battles, final_votes, write_csv, write_dpo, write_parquet
from votes.ranking import effective_votes

RECENT = 20
EMPTY = "No votes yet. Start a blind battle in the Compare tab."
COUNTING = """Win rate of the distilled model against its base. A tie or “both are bad” counts as half a win for each
side; intervals are 95 % Wilson intervals, which take several votes by one visitor as independent. The headline counts
blind votes on the answers alone. A vote is counted, and included in the files below, once it is final: after the names
were shown, or when its time is up."""
RECENT_HEADING = """### Recent battles
Every battle has a link, which opens it for whoever has it."""
RECENT_AGREED = """### Recent battles
Those whose visitors agreed to publication. Every battle has a link, which opens it for whoever has it."""
FILES_HEADING = """### Download every vote
Questions, answers and comments are included where the visitor agreed to publication, and for the owner. For others,
visitors and battles are numbers that mean nothing outside the file, and times are cut to the day."""
UNSAFE_DISK = """Votes are on this Space’s disk only, and a restart loses them: the owner has not set
`JOURNEY_VOTES_REPO`."""
FILES = {
    "votes.parquet": ("Votes, Parquet", write_parquet),
    "votes.csv": ("Votes, CSV", write_csv),
    "preferences.jsonl": ("DPO pairs, answers", lambda votes, path: write_dpo(votes, path, with_reasoning=False)),
    "preferences-with-reasoning.jsonl": (
        "DPO pairs, with reasoning",
        lambda votes, path: write_dpo(votes, path, with_reasoning=True),
    ),
}


def build_preferences_tab(services: Services) -> None:
    """Fill the enclosing tab. Everything is read anew when the tab is selected and on Refresh."""
    gr.Markdown(COUNTING, elem_classes="note")
    with gr.Row():
        pair = gr.Dropdown(label="Pair", visible=False, min_width=160, scale=0)
        refresh = gr.Button("Refresh", size="sm", scale=0, min_width=110)
    notice = gr.Markdown(visible=False)
    with gr.Column(visible=False) as body:
        tiles = html()
        with gr.Row(visible=False) as plots:
            rates_plot = gr.Plot(show_label=False, min_width=320)
            time_plot = gr.Plot(show_label=False, min_width=320)
        table = html()
        build_analysis(services, pair)
        build_search(services, pair)
        gr.Markdown(RECENT_AGREED if needs_key() else RECENT_HEADING)
        recent = html()
        build_downloads(services)
    build_takedown(services)

    def show(chosen: str | None) -> dict[Any, Any]:
        votes, pending = read_ballots(services)
        pairs = [name for name, _ in Counter(vote.pair for vote in votes).most_common()]
        chosen = chosen if chosen in pairs else next(iter(pairs), None)
        kept = services.keeper.sentence if services.keeper else UNSAFE_DISK if on_space() else ""
        blocked = blocked_sentence(sum(bool(vote.blocked) for vote in votes))
        sentences = [services.store.notice, pending_sentence(pending), blocked, kept]
        sentences.append("" if votes or pending else EMPTY)
        text = "\n\n".join(sentence for sentence in sentences if sentence)
        updates: dict[Any, Any] = {
            notice: gr.update(value=text, visible=bool(text)),
            pair: gr.update(choices=pairs, value=chosen, visible=len(pairs) > 1),
            body: gr.update(visible=bool(votes)),
        }
        if votes:
            mine = [vote for vote in votes if vote.pair == chosen]
            summary = summarise_votes(mine)
            updates[tiles] = shown(tiles_html(summary))
            updates[plots] = gr.update(visible=enough(summary.groups))
            updates[rates_plot] = win_rate_figure(summary.groups)
            updates[time_plot] = time_figure(summary.days)
            updates[table] = shown(table_html(summary.groups))
            updates[recent] = shown(recent_html(recent_battles(services, mine)))
        return updates

    outputs = [notice, pair, body, tiles, plots, rates_plot, time_plot, table, recent]
    when_opened(show, [pair], outputs, refresh.click, pair.input)


def build_downloads(services: Services) -> None:
    gr.Markdown(FILES_HEADING)
    key = owner_key(info="With the key, files have the words of every visitor.", elem_id="files-key")
    with gr.Row():
        for name, (label, _) in FILES.items():
            download_button(label, f"votes-{name.replace('.', '-')}", partial(write_file, services, name), [key])


def read_ballots(services: Services) -> tuple[list[Ballot], int]:
    """The valid votes that are final, and the number of those that can still be changed."""
    ballots = services.store.ballots()
    final = final_battles(ballots, services.store.revealed(), datetime.now(UTC), services.desk.limits)
    standing = effective_votes(ballots)
    votes = [vote for vote in standing if vote.battle_id in final]
    return votes, len(standing) - len(votes)


def recent_battles(services: Services, votes: list[Ballot]) -> list[SharedBattle]:
    """The battles voted on most recently, latest first, as the desk shows them to anybody.

    Where visitors other than the owner can look, only those whose visitors agreed to publication.
    """
    shown = (vote for vote in reversed(votes) if may_be_shown(vote))
    latest = list(dict.fromkeys(vote.battle_id for vote in shown))
    battles = []
    for battle_id in latest[:RECENT]:
        try:
            battles.append(services.desk.load_battle(battle_id))
        except UnknownBattle:
            continue
    return battles


def pending_sentence(pending: int) -> str:
    if pending == 0:
        return ""
    votes = "One vote" if pending == 1 else f"{pending} votes"
    return f"{votes} can still change, and will be counted once the names are shown or it can no longer be changed."


def blocked_sentence(blocked: int) -> str:
    """A sentence on votes with blocked answers, disclosed because they do not count in the win rates."""
    if blocked == 0:
        return ""
    votes = "One vote is" if blocked == 1 else f"{blocked} votes are"
    return f"{votes} on a battle with an answer that the guard model blocked, and not in the win rates."


def write_file(services: Services, name: str, folder: Path, key: str = "") -> Path:
    """Write one of `FILES` into the folder: for the owner with all words, for others with those they may have."""
    everything = is_owner(key)
    votes = final_votes(services.store, services.desk.limits)
    if not everything:
        votes = public_rows(votes, {vote.row_id for vote in effective_votes(services.store.ballots())})
    path = folder / name
    FILES[name][1](votes, path)
    return path
