"""The lens as HTML: a thought with its parts marked, or two side by side with the step where they part.

`ui/lens/lens.js` folds, searches and jumps; without it, everything can still be read. Thoughts may be very long, so
they are cut into sections, and the browser draws only those in view (`content-visibility` in `ui/lens/lens.css`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from common.text import counted
from eval.statistics.multiple import ALPHA, holm
from eval.thoughts.divergence import divergence_of
from eval.thoughts.importance import SentenceImportance
from eval.thoughts.resampling import importance_of
from traces.keeping.alignment import Parting, part
from traces.keeping.anatomy import TITLES, Kind
from ui.kit.html import Markup, join, note, render
from ui.lens.marks import Piece, Section, Share, Span, Token, columns, parts_of, pieces, sections, shares

STYLE = Path(__file__).with_name("lens.css")
SCRIPT = Path(__file__).with_name("lens.js")
SIGNS: dict[Kind, str] = {
    "restating": "❝",
    "planning": "☰",
    "working": "",
    "checking": "✓",
    "reflection": "?",
    "turning_back": "↩",
    "tool_wish": "⚒",
    "final_answer": "■",
}
"""Sign in front of a part, so that kinds can be told apart without colour."""
_PIECE = Markup('<span class="part {}" data-part="{}" data-sign="{}" data-words="{}" title="{}"{}>{}</span>')
NO_THOUGHT = "No thought apart from the answer, so this is the answer."


@dataclass(frozen=True)
class Thought:
    """A thought, and what is known of it."""

    text: str
    title: str = ""
    """Whose it is, e.g. `Side A` or a model's name."""
    role: str = ""
    """`base` or `distilled`, where that may be known: for its colour."""
    remark: str = ""
    importance: tuple[Span, ...] = ()
    """How much the answer depends on pieces of the text; empty where it was not computed, or nothing was found."""
    divergence: tuple[Token, ...] = ()
    """How far two models differ, token by token; the joined tokens are roughly the text. Empty if not computed."""


def thought_of(thought: str, answer: str, title: str = "", role: str = "") -> Thought:
    """A reply's thought, with what was computed about it. If the reply has no separate thought: the answer, with a
    remark that says so."""
    if thought.strip():
        return Thought(thought, title, role, "", known_importance(thought), tuple(divergence_of(thought)))
    return Thought(answer, title, role, NO_THOUGHT if answer.strip() else "")


def known_importance(thought: str) -> tuple[Span, ...]:
    """How much the answer depends on each part that was found to matter."""
    return tuple((each.start, each.end, each.value) for each in told_from_chance(importance_of(thought)))


def told_from_chance(weights: Sequence[SentenceImportance]) -> list[SentenceImportance]:
    """The parts whose importance cannot be chance: p below 5 %, corrected for all parts of the thought."""
    corrected = holm([each.p_value for each in weights])
    return [each for each, p in zip(weights, corrected, strict=True) if p < ALPHA]


def lens(thought: Thought) -> Markup:
    """One thought."""
    return render('<div class="lenses">{{ one }}</div>', one=_lens(thought, None))


@lru_cache(32)
def lens_pair(a: Thought, b: Thought) -> Markup:
    """Two thoughts side by side, and where they part. Empty if neither has a text."""
    if not (a.text.strip() or b.text.strip()):
        return Markup("")
    parting = part(a.text, b.text)
    return render(
        '{{ said }}<div class="lenses two">{{ a }}{{ b }}</div>',
        said=note(parting_sentence(a, b, parting)),
        a=_lens(a, parting.at_a if parting else None),
        b=_lens(b, parting.at_b if parting else None),
    )


def parting_sentence(a: Thought, b: Thought, parting: Parting | None) -> str:
    """E.g. `They part after 4 steps that are alike: at step 5 of 31 and step 6 of 12. 2 later steps are alike.`"""
    if not (a.text.strip() and b.text.strip()):
        return ""
    if parting is None:
        return "All steps are alike, as far as the shorter text goes."
    where = f"at step {parting.step_a + 1} of {parting.of_a} and step {parting.step_b + 1} of {parting.of_b}"
    later = f" {parting.later} later step{'s are' if parting.later > 1 else ' is'} alike." if parting.later else ""
    if not parting.shared:
        return f"They part from the start: no first step is alike.{later}"
    alike = "a step that is alike" if parting.shared == 1 else f"{parting.shared} steps that are alike"
    return f"They part after {alike}: {where}.{later}"


def _lens(thought: Thought, parting: int | None) -> Markup:
    if not thought.text.strip():
        return render(
            '<section class="lens">{{ head }}{{ said }}</section>',
            head=_head(thought),
            said=note("There is no thought."),
        )
    marked = list(pieces(thought.text, thought.importance, parting))
    return render(
        '<section class="lens">{{ head }}{{ tools }}{{ map }}{{ strip }}'
        '<div class="lens-text" tabindex="0" role="region" aria-label="{{ label }}">{{ body }}</div></section>',
        head=_head(thought),
        tools=_tools(thought, parting),
        map=_map(thought.text),
        strip=_strip(thought.divergence),
        label=f"Thought, {thought.title}".removesuffix(", "),
        body=join(map(_section, sections(marked))),
    )


def _head(thought: Thought) -> Markup:
    return render(
        '{% if t.title %}<p class="lens-title name {{ t.role }}">{{ t.title }}</p>{% endif %}'
        '{% if t.remark %}<p class="note">{{ t.remark }}</p>{% endif %}',
        t=thought,
    )


def _tools(thought: Thought, parting: int | None) -> Markup:
    """The toolbar: kinds with their lengths, which step from part to part; search; and what else can be shown."""
    return render(
        '<div class="lens-tools"><div class="lens-kinds">{{ kinds }}</div>'
        '<div class="lens-row"><input type="search" placeholder="Search" aria-label="Search in this thought">'
        '<output aria-live="polite"></output>'
        '<button type="button" data-lens="fold" aria-pressed="false">Fold the working</button>'
        "{% if parting is not none %}"
        '<button type="button" data-lens="parting">Where they part</button>{% endif %}'
        "{% if importance %}"
        '<button type="button" data-lens="importance" aria-pressed="false">Colour by importance</button>{% endif %}'
        "</div></div>",
        kinds=join(map(_kind, shares(thought.text))),
        parting=parting,
        importance=bool(thought.importance),
    )


def _kind(share: Share) -> Markup:
    return render(
        '<button type="button" class="part {{ s.kind }}" data-lens="next" data-kind="{{ s.kind }}" '
        'title="{{ parts }}, {{ s.characters }} characters. Go to the next one.">'
        "{{ title }} <b>{{ s.parts }}</b> <small>{{ percent }}</small></button>",
        s=share,
        parts=counted(share.parts, "part"),
        title=TITLES[share.kind],
        percent=_percent(share.share),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "< 1 %"


def _map(text: str) -> Markup:
    """The whole thought as a bar, part after part; a click goes there."""
    stops, at = [], 0
    for each in parts_of(text):
        end = at + len(each.text)
        stops.append(f"var(--lens-{each.kind}) {100 * at / len(text):.2f}% {100 * end / len(text):.2f}%")
        at = end
    lengths = ", ".join(f"{TITLES[share.kind].lower()} {_percent(share.share)}" for share in shares(text))
    return render(
        '<div class="lens-map" data-lens="map" role="img" aria-label="Length by part: {{ lengths }}" '
        'style="background-image:linear-gradient(to right,{{ stops }})"></div>',
        lengths=lengths,
        stops=",".join(stops),
    )


def _strip(tokens: Sequence[Token]) -> Markup:
    """How far the models differ along the text, and the tokens where they differ most; a click goes there."""
    values = columns(tokens)
    if not values:
        return Markup("")
    step = 100 / len(values)
    stops = [
        f"rgb(217 70 239 / {value:.2f}) {at * step:.2f}% {(at + 1) * step:.2f}%" for at, value in enumerate(values)
    ]
    top = sorted(tokens, key=lambda token: -token[1])[:8]
    return render(
        '<div class="lens-strip" data-lens="map" role="img" aria-label="Where the two models differ" '
        'style="background-image:linear-gradient(to right,{{ stops }})"></div>'
        '<p class="note">Most different: '
        "{% for text, value in top %}<code>{{ text }}</code> {{ value }} {% endfor %}</p>",
        stops=",".join(stops),
        top=[(text.strip() or "␣", f"{value:.2f}") for text, value in top],
    )


def _section(section: Section) -> Markup:
    return render(
        '<div class="lens-section" style="--lines:{{ lines }}">{{ pieces }}</div>',
        lines=section.lines,
        pieces=join(map(_piece, section.pieces)),
    )


def _piece(piece: Piece) -> Markup:
    """One piece, built without a template: there are thousands of pieces, and a template takes ten times as long."""
    title = f"{TITLES[piece.kind]}: “{piece.cue}”" if piece.cue else TITLES[piece.kind]
    sign = SIGNS[piece.kind] if piece.opens else ""
    style = "" if piece.importance is None else Markup(' style="--importance:{:.2f}"').format(piece.importance)
    here = Markup('<span class="lens-parting" role="note">They part here</span>') if piece.parts_here else Markup("")
    words = len(piece.text.split())
    return here + _PIECE.format(piece.kind, piece.number, sign, words, title, style, piece.text)
