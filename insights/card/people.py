"""What people prefer: win rates, the style-adjusted preference, and how often the right answer was preferred."""

from collections import Counter
from collections.abc import Mapping, Sequence

from common.text import counted
from eval.problems.benchmark import Benchmark
from eval.statistics.paired import sign_flips
from insights.card.values import (
    READINGS,
    Finding,
    Line,
    Section,
    Table,
    between,
    corrected,
    finding_of,
    p_text,
    percent,
)
from insights.preference import NotEnough, PreferenceModel, fit_preference
from insights.reading import graded_votes
from insights.style import Design, build_design
from insights.truth import Choices, GradedVote, compare_with_truth
from votes.agreement import agreed
from votes.ballot import Ballot, Vote
from votes.ranking import effective_votes, win_rate

LANGUAGES = {"en": "Asked in English", "zh": "Asked in Chinese", "other": "Asked in other languages"}
HEAD = ("votes", "distilled preferred", "n", "p", "reading")
BLIND = "Blind, on the answers alone"
ALONE = "alone = 1 AND mode = 'blind'"
AFTER = "stage = 'reasoning' AND mode = 'blind'"
NOTE = (
    "A tie, or “both are bad”, counts as half a win. Intervals are 95 % (Wilson). P-values exchange the two models in "
    "all votes of a visitor together, since these are not independent (exact for up to 13 visitors, else 9,999 "
    "exchanges); those by language are corrected by Holm’s method. The preference at equal position, length and "
    "Markdown is the intercept of a fractional logistic regression of the score on the columns from position to bold, "
    "language, stage and mode."
)


def people_section(votes: Sequence[Vote], absent: str, benchmarks: Sequence[Benchmark]) -> tuple[Section, Table]:
    """`votes`: final ones on the pair; `absent`: why there are none, if there is a reason."""
    standing = effective_votes(votes)
    counted = [vote for vote in standing if not vote.blocked]
    first = [vote for vote in counted if vote.before_reading]
    if not counted:
        sentence = absent or "Nobody has voted on this pair yet."
        return Section("people", "What people prefer", sentence), ()
    graded = graded_votes(counted, benchmarks)
    languages = [name for name in LANGUAGES if any(vote.language == name for vote in first)]
    groups: list[tuple[str, list[Vote], str]] = [(BLIND, first, ALONE)]
    second = [vote for vote in counted if vote.after_reading]
    groups.append(("Blind, after reading the reasoning", second, AFTER))
    shown_p = [sign_test(group) for _, group, _ in groups]
    if len(languages) > 1:
        chosen = [[vote for vote in first if vote.language == name] for name in languages]
        groups += [
            (LANGUAGES[name], group, f"{ALONE} AND language = '{name}'")
            for name, group in zip(languages, chosen, strict=True)
        ]
        shown_p += corrected([sign_test(group) for group in chosen])
    lines = [_rate_line(*group, p) for group, p in zip(groups, shown_p, strict=True) if group[1]]
    design = build_design(counted)
    model = fit_preference(design)
    if isinstance(model, PreferenceModel):
        lines.append(_model_line(model))
    lines += _truth_lines(graded)
    table = _table(counted, design, {(one.vote.battle_id, one.vote.stage): one for one in graded})
    blocked = len(standing) - len(counted)
    return Section("people", "What people prefer", _sentence(counted, blocked, model), HEAD, tuple(lines), NOTE), table


def sign_test(votes: Sequence[Ballot]) -> float | None:
    """Two-sided p-value of the votes that name a winner, by visitor (`sign_flips`); None if there are none.

    With one vote a visitor it is the exact sign test for up to 13 visitors, and approximates it beyond.
    """
    lead: Counter[str] = Counter()
    for vote in votes:
        if vote.winner:
            lead[vote.visitor] += 1 if vote.winner == "distilled" else -1
    return sign_flips(list(lead.values())) if lead else None


def _rate_line(name: str, votes: Sequence[Vote], where: str, p: float | None) -> Line:
    rate = win_rate(votes)
    assert rate.rate is not None
    low, high = rate.interval or (None, None)
    finding = finding_of(rate.rate - 0.5, p)
    cells = (percent(rate.rate) + between(low, high), str(rate.votes), p_text(p), READINGS[finding])
    values = {"share": rate.rate, "low": low, "high": high, "votes": rate.votes, "p": p, "reading": finding}
    return Line(name, cells, values, "votes", where)


def _model_line(model: PreferenceModel) -> Line:
    chance = model.controlled
    finding: Finding = ("distilled" if chance.share > 0.5 else "base") if chance.decided else "open"
    cells = (percent(chance.share) + between(chance.low, chance.high), str(model.votes), "–", READINGS[finding])
    values = {"share": chance.share, "low": chance.low, "high": chance.high, "votes": model.votes, "reading": finding}
    return Line("At equal position, length and Markdown", cells, values, "votes")


def _truth_lines(graded: Sequence[GradedVote]) -> list[Line]:
    shares = compare_with_truth(graded).by_stage
    stages = (("before", shares["answers"], ALONE), ("after", shares["reasoning"], AFTER))
    return [_truth_line(when, choices, where) for when, choices, where in stages if choices.share is not None]


def _truth_line(when: str, choices: Choices, where: str) -> Line:
    low, high = choices.interval or (None, None)
    cells = (percent(choices.share) + between(low, high), str(choices.total), "–", "share that preferred the right one")
    values = {"share": choices.share, "low": low, "high": high, "votes": choices.total}
    where += " AND right_base + right_distilled = 1 AND score <> 0.5"
    return Line(f"One answer right, the other wrong, {when} reading", cells, values, "votes", where)


def _table(votes: Sequence[Vote], design: Design, graded: Mapping[tuple[str, str], GradedVote]) -> Table:
    """One row per vote, without texts or identities: visitors and prompts are numbers, times are days. The columns of
    `design` are those the preference model was fitted to.

    Battles without consent to publication are numbered too, since anyone with a battle's id can open it.
    """
    battles: dict[str, int] = {}
    rows = []
    for at, vote in enumerate(votes):
        number = battles.setdefault(vote.battle_id, len(battles))
        one = graded.get((vote.battle_id, vote.stage))
        rows.append({
            "battle": vote.battle_id if agreed(vote) else f"battle {number}",
            "stage": vote.stage,
            "mode": vote.mode,
            "alone": int(vote.on_answers_alone),
            "language": vote.language,
            "voted_at": vote.voted_at[:10],
            "visitor": int(design.visitors[at]),
            "prompt": int(design.prompts[at]),
            "shown_as_a": vote.a_role,
            "vote": vote.winner or vote.verdict,
            "score": float(design.outcome[at]),
            **{name: float(column[at]) for name, column in design.differences.items()},
            "right_base": int(one.right["base"]) if one else "",
            "right_distilled": int(one.right["distilled"]) if one else "",
        })  # fmt: skip
    return rows


def _sentence(votes: Sequence[Vote], blocked: int, model: PreferenceModel | NotEnough) -> str:
    battles = len({vote.battle_id for vote in votes})
    parts = [f"{counted(len(votes), 'vote')} on {counted(battles, 'battle')}."]
    if blocked:
        parts.append(f"{blocked} more on battles that the guard model blocked are left out.")
    if isinstance(model, NotEnough):
        parts.append(f"No model of preference yet: {model.sentence}")
    elif model.more_votes:
        parts.append(f"About {model.more_votes:,} more votes are needed to tell the two apart at equal style.")
    return " ".join(parts)
