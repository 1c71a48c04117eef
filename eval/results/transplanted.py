"""Results of transplanted thoughts as Markdown: each model against its own answers, and where the gain comes from."""

from eval.results.comparison import interval, points
from eval.runs.log import RunLog
from eval.thoughts.carried import carried, gain
from eval.thoughts.transplant import GIVEN

HEAD = ("model", "given", "problems", "own answer", "then", "difference [95 %]", "tokens added", "cut off")


def transplanted(log: RunLog) -> str:
    """A table with one row per model and kind of thought, and the gain in points; empty if there are no transplants."""
    rows = [
        f"| {row.role} | {GIVEN[row.given]} | {row.paired.problems} | {row.paired.base:.1%} | "
        f"{row.paired.distilled:.1%} | {points(row.paired.difference)} {interval(row.paired)} | {row.tokens:.0f} | "
        f"{row.cut_share:.0%} |"
        for row in carried(log)
    ]
    if not rows:
        return ""
    return "\n".join([f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|", *rows, "", *gain_lines(log)]).rstrip()


def gain_lines(log: RunLog) -> list[str]:
    """The gain, and how much the thought alone and the weights alone contribute, against the base's own answers."""
    gains = gain(log)
    if gains is None:
        return []
    parts = {
        "distilled": gains.own,
        "base with the distilled model's thought": gains.thought,
        "distilled with the base's reasoning": gains.weights,
    }
    return ["Against the base's own answers, in points:", ""] + [
        f"- {name}: {points(paired.difference)} {interval(paired)}"
        for name, paired in parts.items()
        if paired is not None
    ]
