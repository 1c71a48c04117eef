"""What the votes mean, on the Preferences tab: controlled preference, preference against correctness, topics."""

from collections.abc import Mapping
from math import exp

from insights.confidence import TONES
from insights.preference import NotEnough, Preference, PreferenceModel
from insights.reading import MOST_QUESTIONS, Once, TopicReading, TopicVotes, count_copied
from insights.truth import MIN_CHOICES, Choices, Truth
from ui.kit.html import Markup, below, bullets, join, note, render, section, table
from ui.preferences.quadrants import Questions, linked_count, quadrants_html, shorten
from votes.ranking import FEWEST_VOTES

EXAMPLES = 3
"""Battles quoted for each topic."""
TONE_RULE = (
    "Blind votes before reading. A wrong answer sounds confident if it states a final answer and has no hedge such as "
    "“perhaps”, “I think” or “可能”; this is a rule on words and says nothing of how sure the model is."
)


def preference_html(model: PreferenceModel | NotEnough) -> Markup:
    """Counted and controlled preference side by side, with what moved it."""
    title = "Is it the model, or how the answer looks?"
    if isinstance(model, NotEnough):
        return section(title, note(model.sentence))
    rows = [
        ("As counted", *_preference(model.raw)),
        ("At equal position, length and Markdown", *_preference(model.controlled)),
    ]
    return section(
        title,
        table(("", "Prefer the distilled model", "95 %"), rows, "slim"),
        note(_verdict(model)),
        note(f"{model.votes} votes by {model.visitors} visitors on {model.prompts} prompts."),
        _effects(model),
    )


def truth_html(truth: Truth, shareable: Questions) -> Markup:
    """How often people preferred the right answer. Only battles in `shareable` are linked."""
    title = "Do people prefer the right answer?"
    if not truth.graded:
        return section(
            title,
            note("No votes yet on problems with a known answer. “A maths problem” under Compare draws one to vote on."),
        )
    groups = {
        "before reading the reasoning": truth.by_stage["answers"],
        "after reading it": truth.by_stage["reasoning"],
        "before, where the right answer is the longer one": truth.by_length["longer"],
        "before, where it is not": truth.by_length["not longer"],
        "after, where the thought before the right answer is the longer one": truth.by_thought["longer"],
        "after, where it is not": truth.by_thought["not longer"],
        "with names and reasoning shown from the start": truth.named,
    }
    shares = [(name, *_choices(choices, shareable)) for name, choices in groups.items()]
    return section(
        title,
        note(
            f"{truth.graded} votes on problems with a known answer. Both answers were graded; visitors did not see it."
        ),
        table(("Preferred the right answer", "share", "95 %", "votes"), shares, "slim"),
        note(_reading(truth)),
        *_tones(truth, shareable),
        quadrants_html(truth, shareable),
    )


def topics_html(reading: TopicReading, shareable: Questions) -> Markup:
    """Each topic with its votes. Only battles in `shareable` are quoted."""
    title = "What people ask about"
    if not reading.topics:
        return section(title, note("No blind votes yet."))
    rows = [
        (
            below(one.topic.name, *_examples(one, shareable, reading.copied)),
            str(len(one.votes)),
            str(one.different),
            *_win_rate(one.once),
        )
        for one in reading.topics
    ]
    facts = []
    if reading.copies:
        facts.append(
            f"{reading.copies} of {len(reading.votes)} votes are on a near-copy of another vote's question. In the win "
            "rates, every question counts once."
        )
    if reading.left_out:
        facts.append(
            f"{reading.left_out} votes are not shown here: only the {MOST_QUESTIONS:,} questions with most votes are."
        )
    if reading.copied:
        facts.append(f"{reading.benchmark_copies} are on a problem of a benchmark: {count_copied(reading.copied)}.")
    return section(
        title,
        table(("topic", "votes", "different questions", "win rate", "95 %"), rows, "words lead"),
        bullets(facts) if facts else "",
    )


def _preference(preference: Preference) -> tuple[str, str]:
    return f"{100 * preference.share:.0f} %", f"{100 * preference.low:.0f}–{100 * preference.high:.0f} %"


def _verdict(model: PreferenceModel) -> str:
    if model.controlled.decided:
        better = "distilled model" if model.controlled.share > 0.5 else "base"
        return f"With position, length and Markdown held equal, people prefer the {better}."
    if model.more_votes is None:
        return "With position, length and Markdown held equal, neither is preferred."
    return (
        "With position, length and Markdown held equal, there is no clear preference yet; "
        f"about {model.more_votes:,} more votes are needed."
    )


def _effects(model: PreferenceModel) -> Markup:
    if not model.effects:
        return Markup("")
    rows = [
        (
            effect.title,
            below(f"× {effect.odds_ratio:.2f}", f"{effect.low:.2f} to {effect.high:.2f}"),
            "< 0.001" if effect.p_value < 0.001 else f"{effect.p_value:.3f}",
            f"{_points(model, effect.moved):+.1f}",
        )
        for effect in model.effects
    ]
    return join(
        [
            table(("", "odds of being preferred", "p (Holm)", "points of the counted preference"), rows, "slim"),
            note("Effect of going from equal lengths to all the text on one side, or from place B to place A."),
        ]
    )


def _points(model: PreferenceModel, moved: float) -> float:
    """A change in log odds, converted to percentage points of the controlled preference."""
    share = model.controlled.share
    odds = share / (1 - share) * exp(moved)
    return 100 * (odds / (1 + odds) - share)


def _choices(choices: Choices, shareable: Questions) -> tuple[str, str, str]:
    if choices.share is None or choices.interval is None:
        return "not enough yet", "", linked_count(choices.battles, shareable, of=MIN_CHOICES)
    low, high = choices.interval
    votes = linked_count(choices.battles, shareable)
    return f"{100 * choices.share:.0f} %", f"{100 * low:.0f}–{100 * high:.0f} %", votes


def _tones(truth: Truth, shareable: Questions) -> tuple[Markup, Markup]:
    rows = [(title, *_choices(truth.by_tone[tone].wrong, shareable)) for tone, title in TONES.items()]
    return table(("Preferred the wrong answer", "share", "95 %", "votes"), rows, "slim"), note(TONE_RULE)


def _reading(truth: Truth) -> str:
    reading = truth.reading
    if reading.p_value is None:
        return "Nobody has yet changed their vote after reading the reasoning, where one answer is right."
    chance = f"p = {reading.p_value:.2f}" if reading.p_value >= 0.01 else "p < 0.01"
    return (
        f"After reading the reasoning, {reading.to_right} of {reading.battles} turned to the right answer and "
        f"{reading.to_wrong} away from it ({chance}, McNemar's exact test)."
    )


def _win_rate(once: Once) -> tuple[str, str]:
    if once.questions < FEWEST_VOTES or once.rate is None or once.interval is None:
        return "not enough yet", ""
    return f"{100 * once.rate:.0f} %", f"{100 * once.interval.low:.0f}–{100 * once.interval.high:.0f} %"


def _examples(one: TopicVotes, shareable: Questions, copied: Mapping[str, str]) -> list[Markup]:
    seen: dict[str, Markup] = {}
    for vote in one.votes:
        question = shareable.get(vote.battle_id)
        if question is not None and question not in seen and len(seen) < EXAMPLES:
            seen[question] = render(
                '<a href="?battle={{ battle }}" translate="no">{{ text }}</a>{% if set %} ({{ set }}){% endif %}',
                battle=vote.battle_id,
                text=shorten(question),
                set=copied.get(vote.battle_id, ""),
            )
    return list(seen.values())
