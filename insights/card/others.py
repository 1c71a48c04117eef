"""The rest of a card: the case studies, what plain chat lost, and the transparency index."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from common.paths import ROOT
from eval.grading.grader import Grader
from eval.judging.labelled import check_sentence
from eval.judging.scored import pair_scores, score_sentence
from eval.paper.transparency import ANSWERS, DIMENSIONS, earns, full_marks, items, score, self_score
from eval.runs.log import ROLES, RunLog, list_runs
from eval.runs.open_ended import is_probe, probe_outcome, probe_readings
from eval.statistics.paired import mcnemar
from insights.card.values import READINGS, Finding, Line, Section, Table, corrected, finding_of, p_text, percent, quoted
from models.config.registry import PairSpec
from models.config.sources import AdapterSource
from traces.cases.cases import CaseRun, paper_cases, runs_of
from traces.publishing.report import Figures, chat_replies, part, read_report

CHAT_HEAD = ("plain chat", "base", "distilled", "p", "reading")
CHAT_NOTE = (
    "The same prompts for both, asked once. P-values are exact McNemar tests, corrected by Holm’s method. “More” and "
    "“fewer” are said only where the corrected p-value is below 0.05."
)
MORE: Mapping[Finding, str] = {"distilled": "more", "base": "fewer", "open": READINGS["open"]}
CASES_HEAD = ("case", "base, tokens", "distilled, tokens", "made")


class Feature(NamedTuple):
    """A feature that a reply to plain chat may have."""

    name: str
    key: str
    holds: Callable[[Mapping[str, Any]], bool]


FEATURES = (
    Feature("thought before answering", "thought", lambda reply: bool(reply.get("thought", "").strip())),
    Feature("cut off at the token limit", "cut", lambda reply: bool(reply.get("cut_off"))),
    Feature("no answer", "empty", lambda reply: not reply["answer"].strip()),
)


def case_section(pair: str) -> tuple[Section, Table]:
    """The paper's cases with the newest run of this pair each. People's own cases stay where they are."""
    newest = [(case, next((run for run in runs_of(case.key) if run.pair == pair and not run.failed), None))
             for case in paper_cases()]  # fmt: skip
    rows = [row for case, run in newest if run for row in _case_rows(case.key, case.title, run)]
    lines = [_case_line(case.key, case.title, run) for case, run in newest if run]
    sentence = f"{len(lines)} of the paper’s {len(newest)} case studies have been asked."
    note = "Tokens of thought and answer. Both answers are in the rows, for people to judge."
    return Section("cases", "Case studies", sentence, CASES_HEAD if lines else (), tuple(lines), note), rows


def _case_rows(key: str, title: str, run: CaseRun) -> list[dict[str, Any]]:
    return [
        {
            "key": key, "title": title, "run": run.id, "at": run.at, "origin": run.origin, "role": role,
            "model": side.title, "thought_tokens": side.reply.thought_tokens,
            "answer_tokens": side.reply.answer_tokens, "finish_reason": side.reply.finish_reason,
            "answer": side.reply.answer,
        }
        for role, side in run.sides.items()
    ]  # fmt: skip


def _case_line(key: str, title: str, run: CaseRun) -> Line:
    tokens: dict[str, int | None] = {
        role: run.sides[role].reply.output_tokens if role in run.sides else None for role in ROLES
    }
    cells = (*("–" if count is None else f"{count:,}" for count in tokens.values()), f"{run.origin}, {run.at[:10]}")
    return Line(title, cells, {**tokens, "at": run.at}, "cases", f"key = {quoted(key)}")


def chat_section(pair: PairSpec, open_ended: Path) -> tuple[Section, dict[str, Table]]:
    """How plain chat fares, from the adapter's report and from judged runs, and how firmly answers are held, from the
    newest probe."""
    replies = _chat_replies(pair)
    rows = [
        {"prompt": entry.get("prompt", ""), "form": entry.get("form", ""), "role": role,
         "tokens": entry[role].get("tokens"),
         **{feature.key: int(feature.holds(entry[role])) for feature in FEATURES}}
        for entry in replies for role in ROLES
    ]  # fmt: skip
    lines, probe = _probe_lines(pair.key, open_ended)
    tables: dict[str, Table] = {name: table for name, table in (("chat", rows), ("probe", probe)) if table}
    judged = [
        f"{score_sentence(score).rstrip('.')}. Judge: {score.judge}. {check_sentence(score.check, score.rubric)}"
        for score in pair_scores(open_ended, pair.key)
    ]
    if not replies and not lines and not judged:
        sentence = "Not measured yet: arena train measure ADAPTER asks an adapter plain chat before and after."
        return Section("chat", "What chat lost", sentence), tables
    p_values = corrected([mcnemar(*_discordant(replies, feature)) for feature in FEATURES]) if replies else []
    lines = [_chat_line(replies, feature, p) for feature, p in zip(FEATURES, p_values, strict=False)] + lines
    sentences = [f"{len(replies)} plain requests that are in no training data."] if replies else []
    return Section(
        "chat", "What chat lost", " ".join([*sentences, *judged]), CHAT_HEAD if lines else (), tuple(lines), CHAT_NOTE
    ), tables


def _chat_replies(pair: PairSpec) -> list[Figures]:
    """Plain prompts with both replies, from the report beside the pair's adapter."""
    source = pair.distilled.weights
    folder = ROOT / Path(source.adapter).expanduser() if isinstance(source, AdapterSource) else None
    return chat_replies(part(read_report(folder), "evaluation")) if folder else []


def _discordant(replies: Sequence[Mapping[str, Any]], feature: Feature) -> tuple[int, int]:
    """How many prompts show the feature with the base alone, and with the distilled model alone."""
    pairs = [(feature.holds(entry["base"]), feature.holds(entry["distilled"])) for entry in replies]
    return sum(b and not d for b, d in pairs), sum(d and not b for b, d in pairs)


def _chat_line(replies: Sequence[Mapping[str, Any]], feature: Feature, p: float | None) -> Line:
    shares = [sum(feature.holds(entry[role]) for entry in replies) / len(replies) for role in ROLES]
    finding = finding_of(shares[1] - shares[0], p)
    reading = MORE[finding]
    values = {"base": shares[0], "distilled": shares[1], "n": len(replies), "p": p, "reading": reading}
    return Line(feature.name, (*map(percent, shares), p_text(p), reading), values, "chat")


def _probe_lines(pair: str, open_ended: Path) -> tuple[list[Line], Table]:
    """How often each model gives in to a false claim, from the newest run of the probe with answers of both."""
    logs = [RunLog(open_ended / info.id) for info in list_runs(open_ended)
            if info.config.pair == pair and len(info.sides) == len(ROLES)]  # fmt: skip
    log = next((log for log in logs if is_probe(log)), None)
    if log is None:
        return [], ()
    with Grader(workers=1) as grader:
        readings = probe_readings(log, grader)
    outcomes, p = probe_outcome(readings)
    if p is None:
        return [], ()
    rows = [{"role": role, **asdict(reading)} for role in ROLES for reading in readings[role]]
    shares = [outcomes[role].gave_in.count / max(1, outcomes[role].problems) for role in ROLES]
    finding = finding_of(shares[1] - shares[0], p)
    reading = MORE[finding]
    values = {
        "base": shares[0],
        "distilled": shares[1],
        "n": outcomes["distilled"].problems,
        "p": p,
        "reading": reading,
    }
    cells = (*map(percent, shares), p_text(p), reading)
    return [Line("took a false claim over its own answer", cells, values, "probe", "form = 'claimed'")], rows


def transparency_section() -> tuple[Section, Table]:
    """This product's own score on the paper's index, judged by the files it has."""
    assessment = self_score()
    standing, full = score(assessment), full_marks()
    entries = {entry.item: entry for entry in assessment.entries}
    rows = [
        {"item": item.key, "dimension": item.dimension, "question": item.question, "of": item.weight,
         "points": item.weight if earns(item, entries[item.key]) else 0, "answer": ANSWERS[entries[item.key].answer],
         "evidence": entries[item.key].evidence}
        for item in items()
    ]  # fmt: skip
    parts = [(title, getattr(standing, key), getattr(full, key), f"dimension = '{key}'")
             for key, title in DIMENSIONS.items()]  # fmt: skip
    lines = [
        Line(name, (str(got), str(of)), {"points": got, "of": of}, "transparency", where)
        for name, got, of, where in [*parts, ("Together", standing.total, full.total, "")]
    ]
    sentence = f"{assessment.work} scores {standing.total} of {full.total} on the Technical Transparency Index."
    return Section("transparency", "Transparency", sentence, ("dimension", "points", "of"), tuple(lines)), rows
