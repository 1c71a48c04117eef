"""What the case studies show: pure functions from cases and runs to HTML and chat messages. Does not know widgets."""

import re
from datetime import datetime
from html import escape

from models.chat.events import Reply
from models.config.registry import ROLES, Role
from models.config.sampling import Sampling
from traces.cases.cases import Case, CaseRun
from traces.keeping.anatomy import KINDS, TITLES, counts, segments
from ui.kit.html import short_hash
from ui.kit.panels import Message, turn_messages
from ui.kit.raw import card, cards, table
from ui.kit.replies import describe_cost

ORIGINS = {"recorded": "Recorded", "live": "Live", "pinned": "Pinned", "imported": "Imported"}
ROLE_TITLES: dict[Role, str] = {"base": "Base", "distilled": "Distilled"}


def case_choice(number: int, case: Case) -> str:
    """The case in the list, e.g. `3 · Counting the titles`."""
    return f"{number} · {case.title}" if case.source == "paper" else f"Own · {case.title}"


def case_html(case: Case) -> str:
    """The whole case, from the question to where the model still fails."""
    label = " · ".join(part for part in (escape(case.area), origin_html(case.origin)) if part)
    lines = [f'<div class="label">{label}</div>']
    lines.append(f'<p class="question" lang="{escape(case.language)}">{escape(case.question)}</p>')
    if case.translation:
        lines.append(f'<p class="note">In English: {escape(case.translation)}</p>')
    if case.note:
        lines.append(f"<p>{escape(case.note)}</p>")
    if case.source == "paper":
        lines.append(cards(
            card("The paper’s model before", escape(case.before), classes="base"),
            card("The paper’s model after", escape(case.after), classes="distilled"),
        ))  # fmt: skip
    boxes = []
    if case.truth:
        boxes.append(card("What is true", f"<b>{escape(case.truth)}</b>", escape(case.why)))
    if case.look_for:
        points = "".join(f"<li>{escape(point)}</li>" for point in case.look_for)
        boxes.append(f'<section class="card"><h4>What to look for</h4><ul>{points}</ul></section>')
    if case.remaining:
        boxes.append(card("Where it still fails", escape(case.remaining)))
    return "".join(lines) + (cards(*boxes) if boxes else "")


def origin_html(origin: str) -> str:
    """Where a case comes from; a battle can be opened."""
    battle = re.match(r"battle ([\w-]+)", origin)
    return f'<a href="?battle={battle[1]}">{escape(origin)}</a>' if battle else escape(origin)


def run_choice(run: CaseRun) -> str:
    """A run in the list, e.g. `Recorded · 22 Nov 2026, 03:40 · smol-135m`."""
    at = datetime.fromisoformat(run.at)
    return f"{ORIGINS[run.origin]} · {at.day} {at:%b %Y, %H:%M} UTC · {run.pair}"


def run_html(run: CaseRun | None) -> str:
    """Model, date, settings and weights of a run, in words."""
    if run is None:
        return '<p class="note">Nothing has been run for this case yet.</p>'
    versions = escape(", ".join(f"{name} {version}" for name, version in run.versions.items()))
    models = "; ".join(
        f"{ROLE_TITLES[role].lower()} {escape(side.title)}"
        + (f", weights <code>{escape(short_hash(side.weight_hash))}</code>" if side.weight_hash else "")
        for role, side in run.sides.items()
    )
    parts = [ORIGINS[run.origin], models, sampling_text(run.sampling), versions]
    return f'<p class="note">{". ".join(part for part in parts if part)}.</p>'


def sampling_text(s: Sampling | None) -> str:
    """Settings in words, e.g. `greedy, at most 1024 tokens`."""
    if s is None:
        return "settings as in the battle"
    drawn = "greedy" if s.temperature == 0 else f"temperature {s.temperature:g}, top-p {s.top_p:g}, seed {s.seed}"
    budget = f", thinking budget {s.thinking_budget}" if s.thinking_budget else ""
    return f"{drawn}, at most {s.max_tokens} tokens{budget}"


def side_head(role: Role, run: CaseRun | None) -> str:
    side = run.sides.get(role) if run else None
    title = f" · {escape(side.title)}" if side else ""
    cost = f' <span class="note">{describe_cost(side.reply)}</span>' if side and side.reply.output_tokens else ""
    return f'<div class="side-head"><span class="name {role}">{ROLE_TITLES[role]}{title}</span>{cost}</div>'


def side_messages(case: Case, run: CaseRun | None, role: Role) -> list[Message]:
    side = run.sides.get(role) if run else None
    return turn_messages(case.question, side.reply, running=False) if side else []


def marked(text: str) -> str:
    """The text with its parts marked; working is left plain."""
    pieces = []
    for part in segments(text):
        if part.kind == "working":
            pieces.append(escape(part.text))
        else:
            tip = f"{TITLES[part.kind]}: “{part.cue}”"
            pieces.append(f'<span class="part {part.kind}" title="{escape(tip)}">{escape(part.text)}</span>')
    return "".join(pieces)


def legend() -> str:
    marks = "".join(f'<span class="part {kind}">{TITLES[kind]}</span>' for kind in KINDS if kind != "working")
    return f'<div class="legend">{marks}</div>'


def parts_html(run: CaseRun) -> str:
    """How many parts of each kind either reply has, and the texts with their parts marked."""
    replies = {role: run.sides[role].reply for role in ROLES if role in run.sides}
    if not any(reply.thought or _has_marks(reply.answer) for reply in replies.values()):
        return '<p class="note">Neither reply has a thought, or a part in its answer that the rules would mark.</p>'
    return legend() + counts_html(run) + cards(*(_marked_side(role, reply) for role, reply in replies.items()))


def _has_marks(text: str) -> bool:
    return any(part.kind != "working" for part in segments(text))


def _marked_side(role: Role, reply: Reply) -> str:
    """The thought, and the answer where it has something to mark: else it stands above already."""
    inner = f'<div class="text">{marked(reply.thought)}</div>' if reply.thought else ""
    inner = inner or '<p class="note">No thought apart from the answer.</p>'
    if _has_marks(reply.answer):
        inner += f'<h4>Answer</h4><div class="text">{marked(reply.answer)}</div>'
    return f'<details class="thought" open><summary>{ROLE_TITLES[role]}</summary>{inner}</details>'


def counts_html(run: CaseRun) -> str:
    """Parts by kind, thought and answer together, before and after; kinds that neither has are named below."""
    found = {
        role: counts((*segments(side.reply.thought), *segments(side.reply.answer))) for role, side in run.sides.items()
    }
    roles = [role for role in ROLES if role in found]
    there = [kind for kind in KINDS if any(found[role][kind] for role in roles)]
    absent = ", ".join(TITLES[kind].lower() for kind in KINDS if kind not in there)
    rows = [[TITLES[kind], *(str(found[role][kind]) for role in roles)] for kind in there]
    note = f'<p class="note">In neither: {absent}.</p>' if absent else ""
    return table(["parts", *(ROLE_TITLES[role] for role in roles)], rows, "slim") + note
