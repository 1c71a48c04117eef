"""What the case studies show: pure functions from cases and runs to HTML and chat messages."""

import re
from datetime import UTC, datetime

from models.config.registry import ROLES, Role
from models.config.sampling import Sampling
from traces.cases.cases import Case, CaseRun
from ui.kit.html import Markup, bullets, card, cards, join, note, render, short_hash
from ui.kit.panels import Message, turn_messages
from ui.kit.replies import describe_cost
from ui.lens.view import Thought, lens_pair, thought_of
from votes.ballot import Verdict

ORIGINS = {"recorded": "Recorded", "live": "Live", "pinned": "Pinned", "imported": "Imported"}
ROLE_TITLES: dict[Role, str] = {"base": "Base", "distilled": "Distilled"}
VERDICTS: dict[Verdict, str] = {
    "a": "Base is better",
    "tie": "Tie",
    "both_bad": "Both are bad",
    "b": "Distilled is better",
}
"""What the buttons say; the names are known here."""


def case_choice(number: int, case: Case) -> str:
    """The case in the list, e.g. `3 · Counting the titles`."""
    return f"Own · {case.title}" if case.source == "own" else f"{number} · {case.title}"


def case_html(case: Case) -> Markup:
    """The whole case, from the question to where the model still fails."""
    boxes = []
    if case.source == "paper":
        boxes.append(
            cards(
                card("The paper’s model before", case.before, classes="base"),
                card("The paper’s model after", case.after, classes="distilled"),
            )
        )
    facts = []
    said = written if case.source == "own" else str  # texts of shipped cases are in the catalogue
    if case.truth:
        facts.append(card("What is true", render("<b>{{ truth }}</b>", truth=said(case.truth)), said(case.why)))
    if case.look_for:
        facts.append(card("What to look for", bullets(map(said, case.look_for))))
    if case.remaining:
        facts.append(card("Where it still fails", said(case.remaining)))
    if facts:
        boxes.append(cards(*facts))
    return render(
        '<div class="label">{{ label }}</div>'
        '<p class="question" lang="{{ case.language }}" translate="no">{{ case.question }}</p>'
        '{% if case.translation %}<p class="note" translate="no">In English: {{ case.translation }}</p>{% endif %}'
        '{% if case.note %}<p translate="no">{{ case.note }}</p>{% endif %}{{ boxes }}',
        case=case,
        label=join((part for part in (case.area, origin_html(case.origin)) if part), " · "),
        boxes=join(boxes),
    )


def written(text: str) -> Markup:
    """A text from a case, left in the language it was written in. Empty if there is none."""
    return render('{% if text %}<span translate="no">{{ text }}</span>{% endif %}', text=text)


def origin_html(origin: str) -> str:
    """Where a case comes from; a battle can be opened."""
    battle = re.match(r"battle ([\w-]+)", origin)
    return render('<a href="?battle={{ id }}">{{ origin }}</a>', id=battle[1], origin=origin) if battle else origin


def run_choice(run: CaseRun) -> str:
    """A run in the list, e.g. `Recorded · 22 Nov 2026, 03:40 · smol-135m`."""
    at = datetime.fromisoformat(run.at).astimezone(UTC)
    return f"{ORIGINS[run.origin]} · {at.day} {at:%b %Y, %H:%M} UTC · {run.pair}"


def run_html(run: CaseRun | None) -> Markup:
    """Model, date, settings and weights of a run, in words."""
    if run is None:
        return note("Nothing has been run for this case yet.")
    models = join(
        (
            render(
                "{{ role }} {{ title }}{% if weights %}, weights <code>{{ weights }}</code>{% endif %}",
                role=ROLE_TITLES[role].lower(),
                title=side.title,
                weights=short_hash(side.weight_hash),
            )
            for role, side in run.sides.items()
        ),
        "; ",
    )
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    parts = (ORIGINS[run.origin], models, sampling_text(run.sampling), versions)
    return note(join((part for part in parts if part), ". ") + ".")


def sampling_text(s: Sampling | None) -> str:
    """Settings in words, e.g. `greedy, at most 1024 tokens`."""
    if s is None:
        return "settings as in the battle"
    drawn = "greedy" if s.temperature == 0 else f"temperature {s.temperature:g}, top-p {s.top_p:g}, seed {s.seed}"
    budget = f", thinking budget {s.thinking_budget}" if s.thinking_budget else ""
    return f"{drawn}, at most {s.max_tokens} tokens{budget}"


def side_head(role: Role, run: CaseRun | None) -> Markup:
    """The model's name, and what its reply cost."""
    side = run.sides.get(role) if run else None
    return render(
        '<div class="side-head"><span class="name {{ role }}">{{ title }}</span>'
        '{% if cost %} <span class="note">{{ cost }}</span>{% endif %}</div>',
        role=role,
        title=f"{ROLE_TITLES[role]} · {side.title}" if side else ROLE_TITLES[role],
        cost=describe_cost(side.reply) if side and side.reply.output_tokens else "",
    )


def side_messages(case: Case, run: CaseRun | None, role: Role) -> list[Message]:
    side = run.sides.get(role) if run else None
    return turn_messages(case.question, side.reply, running=False) if side else []


def parts_html(run: CaseRun) -> Markup:
    """The two thoughts with their parts marked, side by side."""
    base, distilled = (
        thought_of(side.reply.thought, side.reply.answer, ROLE_TITLES[role], role) if side else Thought("")
        for role, side in ((role, run.sides.get(role)) for role in ROLES)
    )
    return lens_pair(base, distilled)
