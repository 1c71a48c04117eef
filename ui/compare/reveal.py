"""The card shown at the end of a battle: who was who, what each spent, who was right, and how people voted."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from ui.kit.html import Markup, join, render
from ui.services import Services
from votes.ballot import STAGES, VERDICTS, Role, Side, Stage, Verdict
from votes.casting.views import Reveal, SideFacts
from votes.export import final_battles
from votes.ranking import FEWEST_VOTES, WinRate, effective_votes, win_rate

SECONDS_KEPT = 60.0


def reveal_card(
    names: Reveal,
    titles: Mapping[Role, str],
    votes: Mapping[Stage, Verdict],
    *,
    whose: str = "Your vote",
    right: Mapping[Side, str] | None = None,
    more: tuple[str, ...] = (),
) -> Markup:
    """`right`: side → `right`, `wrong` or `no answer`, if known; `more`: sentences below the two models."""
    chosen = votes.get("reasoning") or votes.get("answers")
    right = right or {}
    sides: tuple[tuple[Side, SideFacts], ...] = (("a", names.a), ("b", names.b))
    return render(
        '<section class="reveal"><h2>Who was who</h2>{{ verdict }}<div class="who">{{ sides }}</div>'
        '{% for line in more if line %}<p class="note">{{ line }}</p>{% endfor %}'
        '<button type="button" class="copy-link" data-link="?battle={{ battle }}">Copy link</button></section>',
        verdict=verdict_line(names, votes, whose),
        sides=join(side_card(side, facts, titles, right.get(side, ""), chosen == side) for side, facts in sides),
        more=more,
        battle=names.battle_id,
    )


def side_card(side: str, facts: SideFacts, titles: Mapping[Role, str], right: str, chosen: bool) -> Markup:
    """One model: its name, whether its answer is right, if known, and what it spent over the battle."""
    return render(
        '<article class="{{ facts.role }}{{ " chosen" if chosen }}"><h3><span class="letter">{{ side|upper }}</span> '
        '<span class="name {{ facts.role }}">{{ title }}</span></h3><p>the {{ facts.role }} model'
        "{% if chosen %} · <b>preferred</b>{% endif %}"
        '{% if right %} · <b class="{{ "right" if right == "right" else "wrong" }}">{{ right }}</b>{% endif %}</p>'
        "<dl><div><dt>tokens</dt><dd>{{ tokens }}</dd></div><div><dt>of them thought</dt><dd>{{ thought }}</dd></div>"
        "<div><dt>seconds</dt><dd>{{ seconds }}</dd></div><div><dt>first word after</dt><dd>{{ first }} s</dd></div>"
        "</dl></article>",
        side=side,
        facts=facts,
        title=titles[facts.role],
        right=right,
        chosen=chosen,
        tokens=f"{facts.output_tokens:,}",
        thought=f"{facts.thought_tokens:,}",
        seconds=f"{facts.seconds:.1f}",
        first=f"{facts.first_token_seconds:.1f}",
    )


def verdict_line(reveal: Reveal, votes: Mapping[Stage, Verdict], whose: str = "Your vote") -> Markup:
    """Which model was preferred, at each stage that was voted on."""

    def preferred(verdict: Verdict) -> str | Markup:
        if verdict not in ("a", "b"):
            return VERDICTS[verdict].lower()
        role = getattr(reveal, verdict).role
        return render(
            '{{ side|upper }}, the <span class="name {{ role }}">{{ role }} model</span>', side=verdict, role=role
        )

    stages = [join((STAGES[stage].lower(), preferred(votes[stage])), ": ") for stage in STAGES if stage in votes]
    if not stages:
        return Markup()
    return render('<p class="verdict"><b>{{ whose }}</b> {{ stages }}</p>', whose=whose, stages=join(stages, " · "))


def others_sentence(rate: WinRate) -> str:
    """How blind votes on this pair have come out so far."""
    if rate.rate is None or rate.interval is None or rate.votes < FEWEST_VOTES:
        votes = f"{rate.votes} blind vote{'' if rate.votes == 1 else 's'}"
        return f"So far: {votes} on this pair, too few for a share."
    low, high = 100 * rate.interval.low, 100 * rate.interval.high
    return (
        f"So far: in {rate.votes} blind votes on this pair, the distilled model was preferred {100 * rate.rate:.0f} % "
        f"of the time (95 % interval {low:.0f}–{high:.0f} %; ties count half)."
    )


def outcome(names: Reveal | None, votes: Mapping[Stage, Verdict]) -> str:
    """A battle in a few words, for the visitor's own list."""
    verdict = votes.get("reasoning") or votes.get("answers")
    if verdict is None:
        return "not voted"
    if names is None or verdict not in ("a", "b"):
        return VERDICTS[verdict].lower()
    return f"you preferred the {getattr(names, verdict).role} model"


class OtherVotes:
    """Final blind votes on the answers alone, recounted at most once a minute."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._counted: tuple[float, WinRate] | None = None

    def rate(self) -> WinRate:
        if self._counted is None or time.monotonic() - self._counted[0] > SECONDS_KEPT:
            self._counted = time.monotonic(), self._count()
        return self._counted[1]

    def _count(self) -> WinRate:
        store, pair = self._services.store, self._services.served.pair.key
        ballots = [ballot for ballot in store.ballots() if ballot.pair == pair]
        final = final_battles(ballots, store.revealed(), datetime.now(UTC), self._services.desk.limits)
        standing = effective_votes(ballot for ballot in ballots if ballot.battle_id in final)
        return win_rate([b for b in standing if b.before_reading and not b.blocked])
