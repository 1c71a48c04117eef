"""`arena votes model`, `truth` and `topics`: what the votes mean."""

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from commands.kit.arguments import Commands, leaf
from commands.kit.printing import show
from commands.votes.elsewhere import add_source_options, chosen_votes

if TYPE_CHECKING:
    from insights.preference import Preference
    from insights.truth import Choices


def add_insights(commands: Commands) -> None:
    for name, action, text in (
        ("model", model_command, "preference with position, length and Markdown held equal"),
        ("truth", truth_command, "how often people prefer the right answer"),
        ("topics", topics_command, "what people ask about, and who is preferred there"),
    ):
        parser = leaf(commands, name, action, text, f"arena votes {name} --pair smol-135m")
        add_source_options(parser)
        if name == "model":
            parser.add_argument(
                "--topics",
                action="store_true",
                help="hold the topic of the question equal as well, and take near-copies for one question",
            )


def model_command(options: argparse.Namespace) -> None:
    from insights.preference import NotEnough
    from insights.reading import known_benchmarks, read_preference, read_topics

    votes = chosen_votes(options)
    if options.topics:
        from traces.problems.decontaminate import minilm_embedder

        topics = read_topics(votes, minilm_embedder, known_benchmarks())
        model = read_preference(votes, topics.topic_of(), topics.first_copy)
    else:
        model = read_preference(votes)
    if isinstance(model, NotEnough):
        return show(options, {"model": None, "why": model.sentence}, model.sentence)
    lines = [
        f"as counted, {_preference(model.raw)}",
        f"at equal position, length and Markdown, {_preference(model.controlled)}",
        f"{model.votes} votes by {model.visitors} visitors on {model.prompts} prompts",
    ]
    if model.more_votes:
        lines.append(f"about {model.more_votes:,} more votes are needed to tell")
    lines += [
        f"{effect.title}: odds × {effect.odds_ratio:.2f} [{effect.low:.2f}, {effect.high:.2f}], p {effect.p_value:.3f}"
        for effect in model.effects
    ]
    return show(options, {"model": model}, "\n".join(lines))


def truth_command(options: argparse.Namespace) -> None:
    from insights.confidence import TONES
    from insights.reading import known_benchmarks, read_truth

    truth = read_truth(chosen_votes(options), known_benchmarks())
    reading = truth.reading
    lines = [
        f"{truth.graded} votes on problems with a known answer",
        f"preferred the right answer before reading the reasoning: {_choices(truth.by_stage['answers'])}",
        f"after reading it: {_choices(truth.by_stage['reasoning'])}",
        f"with names and reasoning shown from the start: {_choices(truth.named)}",
        f"turned to the right answer by reading: {reading.to_right} of {reading.battles}; away: {reading.to_wrong}",
        *(f"preferred the wrong answer {TONES[tone]}: {_choices(one.wrong)}" for tone, one in truth.by_tone.items()),
    ]
    quadrants = {
        f"distilled {'right' if d else 'wrong'}, base {'right' if b else 'wrong'}": votes
        for (d, b), votes in truth.quadrants.items()
    }
    shares = {name: _shares(getattr(truth, name)) for name in ("by_stage", "by_length", "by_thought", "by_tone")}
    values = {**vars(truth), **shares, "named": _values(truth.named), "quadrants": quadrants}
    show(options, values, "\n".join(lines))


def topics_command(options: argparse.Namespace) -> None:
    from insights.reading import MOST_QUESTIONS, count_copied, known_benchmarks, read_topics
    from traces.problems.decontaminate import minilm_embedder

    reading = read_topics(chosen_votes(options), minilm_embedder, known_benchmarks())
    topics: list[dict[str, Any]] = [
        {
            "topic": one.topic.name,
            "votes": len(one.votes),
            "different": one.different,
            "rate": one.once.rate,
            "interval": one.once.interval,
            "battles": [vote.battle_id for vote in one.votes],
        }
        for one in reading.topics
    ]
    lines = [f"{one['topic']}: {one['votes']} votes, {one['different']} different questions" for one in topics]
    lines.append(f"{reading.copies} votes are on a near-copy of another question; each question counts once")
    if reading.left_out:
        lines.append(f"{reading.left_out} votes are left out: only the {MOST_QUESTIONS:,} questions with most are read")
    if reading.copied:
        lines.append(
            f"{reading.benchmark_copies} votes are on a problem of a benchmark: {count_copied(reading.copied)}"
        )
    values = {
        "topics": topics,
        "copies": reading.copies,
        "benchmark_copies": reading.benchmark_copies,
        "copied": reading.copied,
        "left_out": reading.left_out,
    }
    show(options, values, "\n".join(lines))


def _preference(preference: "Preference") -> str:
    low, high = preference.low, preference.high
    return f"the distilled model is preferred in {preference.share:.1%} [{low:.1%}, {high:.1%}]"


def _shares(groups: "Mapping[str, Choices]") -> dict[str, dict[str, Any]]:
    return {name: _values(choices) for name, choices in groups.items()}


def _values(choices: "Choices") -> dict[str, Any]:
    """`share` and `interval` are of the right answer, and null where there are too few votes."""
    return {**choices._asdict(), "share": choices.share, "interval": choices.interval}


def _choices(choices: "Choices") -> str:
    if choices.share is None or choices.interval is None:
        return f"not enough yet ({choices.total})"
    low, high = choices.interval
    return f"{choices.share:.1%} [{low:.1%}, {high:.1%}] of {choices.total}"
