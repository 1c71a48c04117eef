"""Preference against correctness as four quadrants, in which every count opens the list of its battles."""

from collections.abc import Mapping, Sequence

from insights.truth import Quadrant, Truth
from ui.kit.html import Markup, note, render

QUADRANTS: dict[Quadrant, str] = {
    (True, True): "both right",
    (True, False): "only the distilled model right",
    (False, True): "only the base right",
    (False, False): "both wrong",
}
VOTED = {"distilled": "distilled", "base": "base", "tie": "tie", "both_bad": "both bad"}
LISTED = 50
"""Battles listed behind a count."""
Questions = Mapping[str, str]
"""Battle → its first question on one line, for battles that may be linked."""


def quadrants_html(truth: Truth, shareable: Questions) -> Markup:
    """Which answers were right and, within each quadrant, how people voted, as bars on a common scale."""
    most = max((len(battles) for votes in truth.quadrants.values() for battles in votes.values()), default=0)
    fields = [
        (
            name,
            sum(map(len, truth.quadrants[quadrant].values())),
            [_bar(vote, truth.quadrants[quadrant].get(vote, ()), most, shareable) for vote in VOTED],
        )
        for quadrant, name in QUADRANTS.items()
    ]
    return note(
        "Blind votes on the answers alone, by which answers were right. Open a count to see its battles."
    ) + render(
        '<div class="quadrants">{% for name, votes, bars in fields %}<section class="card"><h4>{{ name|capitalize }}: '
        "{{ votes }}</h4>{% for bar in bars %}{{ bar }}{% endfor %}</section>{% endfor %}</div>",
        fields=fields,
    )


def linked_count(battles: Sequence[str], shareable: Questions, of: int | None = None) -> Markup:
    """The number of battles, which opens links to those that may be linked. `of`: how many are needed."""
    links = [(battle, shareable[battle]) for battle in battles if battle in shareable][:LISTED]
    return render(
        '{% if links %}<details class="battles"><summary>{{ count }}</summary><ol>{% for battle, question in links %}'
        '<li><a href="?battle={{ battle }}" translate="no">{{ question }}</a></li>{% endfor %}</ol>'
        '{% if hidden %}<p class="note">'
        "{{ hidden }} more are not linked here.</p>{% endif %}</details>{% else %}{{ count }}{% endif %}",
        links=[(battle, shorten(question)) for battle, question in links],
        count=str(len(battles)) if of is None else f"{len(battles)} of {of}",
        hidden=len(battles) - len(links),
    )


def _bar(vote: str, battles: Sequence[str], most: int, shareable: Questions) -> Markup:
    return render(
        '<div class="bar {{ vote }}"><span>voted {{ title }}</span><span class="track"><span '
        'style="width: {{ width }}%"></span></span>{{ count }}</div>',
        vote=vote,
        title=VOTED[vote],
        width=round(100 * len(battles) / most) if most else 0,
        count=linked_count(battles, shareable),
    )


def shorten(question: str, most: int = 90) -> str:
    """The question, cut with an ellipsis where it is long."""
    return question if len(question) <= most else f"{question[: most - 1]}…"
