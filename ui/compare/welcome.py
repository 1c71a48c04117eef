"""The first screen: what this is, which two models answer, and what was found so far."""

from collections.abc import Sequence

from eval.results.overview import SetResult
from models.config.registry import ModelSpec, PairSpec
from ui.kit.html import Markup, render, term

MOST_SETS = 3


def size_of(model: ModelSpec) -> str:
    """E.g. `135M` or `7.6B`, from the numbers that spaces.yaml gives."""
    millions = model.architecture.parameters / 1e6
    if millions < 1000:
        return f"{millions:.0f}M"
    return f"{millions / 1000:.1f}".rstrip("0").rstrip(".") + "B"


def welcome_html(pair: PairSpec, why: str = "") -> Markup:
    """What the page is, which two models answer, and why these two if the machine chose."""
    same = size_of(pair.base) == size_of(pair.distilled)
    return render(
        '<div class="welcome"><h2>Two models, one question</h2>'
        '<p><b class="name base">{{ base }}</b> ({{ size }} parameters) and '
        '<b class="name distilled">{{ distilled }}</b>{% if other %} ({{ other }}){% endif %}, {{ term }} to think '
        "before it answers, reply without their names. Vote, read their reasoning, then see who was who.</p>"
        '{% if why %}<p class="why">{{ why }}</p>{% endif %}</div>',
        base=pair.base.title,
        size=size_of(pair.base),
        distilled=pair.distilled.title,
        other="" if same else size_of(pair.distilled),
        term=term("distilled"),
        why=why,
    )


def finding_html(results: Sequence[SetResult]) -> Markup:
    """The findings so far: a sentence, a figure for each set, and a link to all results. Empty without runs."""
    if not results:
        return Markup()
    ranked = _ranked(results)
    shown = [*ranked[: MOST_SETS - 1], ranked[-1]] if len(ranked) > MOST_SETS else ranked  # the worst is never left out
    return render(
        '<section class="finding" aria-label="What was found so far"><p>{{ sentence }} '
        '<a href="?tab=benchmarks" data-tab="benchmarks">All results</a></p><div class="bars">'
        "{% for one, base, distilled in shown %}<figure><figcaption>{{ one.title }}</figcaption>"
        '<div class="bar base"><i style="width: {{ (100 * one.base)|round(1) }}%"></i>'
        "<span>{{ base }} % base</span></div>"
        '<div class="bar distilled"><i style="width: {{ (100 * one.distilled)|round(1) }}%"></i>'
        "<span>{{ distilled }} % distilled</span></div>"
        "</figure>{% endfor %}</div></section>",
        sentence=sentence(results),
        shown=[(one, *_percents(one)) for one in shown],
    )


def sentence(results: Sequence[SetResult]) -> str:
    """The finding in words: the largest gain that is no chance, and where the difference is smallest."""
    ranked = _ranked(results)
    best, last = next((one for one in ranked if one.decided and one.difference > 0), None), ranked[-1]
    if best is None:
        return f"So far: no clear gain. Best on “{ranked[0].title}”: {_both(ranked[0])}."
    text = f"So far: better on “{best.title}”, right {_both(best)}"
    if last is best:
        return f"{text}."
    return f"{text}; least on “{last.title}”, {_both(last)}{'' if last.decided else ', which may be chance'}."


def _ranked(results: Sequence[SetResult]) -> list[SetResult]:
    """The sets, the largest gain first."""
    return sorted(results, key=lambda one: -one.difference)


def _both(one: SetResult) -> str:
    base, distilled = _percents(one)
    return f"{distilled} % instead of {base} % of the time"


def _percents(one: SetResult) -> tuple[str, str]:
    """Base and distilled in whole per cent, or to a tenth where two different shares would look the same."""
    whole, tenths = ((f"{100 * one.base:.{n}f}", f"{100 * one.distilled:.{n}f}") for n in (0, 1))
    return tenths if whole[0] == whole[1] and tenths[0] != tenths[1] else whole
