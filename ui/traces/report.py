"""The report of a trained adapter as HTML: what it gained on which set, whether it corrects itself, what was lost.

Every figure is read from the adapter's report.json, which `traces.publishing.publish` wrote.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from traces.publishing.report import REPORT, Figures, chat_replies, part, read_report
from traces.publishing.ways import MEASUREMENTS
from ui.kit.html import Markup, join, note, render, table

CORRECTIONS = {
    "thoughts": "thoughts",
    "dead_ends": "leave a dead end",
    "false_steps": "contain a false step",
    "false_steps_right_in_the_end": "… and are right in the end",
    "failed_checks": "find a fault by a check",
    "saved": "… and are right in the end because of it",
    "checks_said_good": "end with a check that says “good”",
    "sham_checks": "… and are wrong",
}


def report_html(folder: Path) -> Markup:
    """Everything the report says: evaluation first, where the adapter comes from below it."""
    if not (folder / REPORT).is_file():
        return note("This training has no report yet.")
    report = read_report(folder)
    try:
        evaluation = join(_evaluation(part(report, "evaluation")))
    except (KeyError, TypeError, ValueError, AttributeError):  # made elsewhere
        evaluation = note(f"The evaluation in {REPORT} does not have the form that arena train distil writes.")
    return render(
        '{{ evaluation }}<details><summary>Where it comes from</summary><div translate="no">{{ origin }}</div>'
        "</details>",
        evaluation=evaluation or note(f"This adapter has not been evaluated yet, or {REPORT} is damaged."),
        origin=value_html({key: value for key, value in report.items() if key != "evaluation"}),
    )


def _evaluation(evaluation: Figures) -> Iterator[Markup]:
    for key, measurement in MEASUREMENTS.items():
        if measured := evaluation.get(key):
            title = heading(f"{measurement.title}: accuracy and mean output tokens")
            yield title + settings_line(measured.get("settings", {}))
            yield accuracy_table(measured["summary"])
    greedy = evaluation.get("greedy", {}).get("summary")
    if greedy:
        yield folded("By family and level, greedy", breakdown_tables(greedy))
        yield heading("Does it really turn back and correct itself?") + corrections_table(greedy)
    if chat := chat_replies(evaluation):
        yield folded("Plain chat before and after", chat_html(chat))


def heading(text: str) -> Markup:
    return render("<h4>{{ text }}</h4>", text=text)


def folded(title: str, inner: Markup) -> Markup:
    return render("<details><summary>{{ title }}</summary>{{ inner }}</details>", title=title, inner=inner)


def small(value: str, remark: str) -> Markup:
    """A value with a small remark after it."""
    return render('{{ value }} <span class="note">{{ remark }}</span>', value=value, remark=remark)


def settings_line(settings: Figures) -> Markup:
    words = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in settings.items())
    return note(f"Same problems and prompt for both; {words}. 95 % intervals.")


def accuracy_table(summary: Figures) -> Markup:
    """A row for each set: accuracy with its interval and mean tokens, base beside distilled."""
    rows = []
    for split, roles in summary.items():
        either = roles.get("distilled") or roles["base"]
        cells = [cell for role in ("base", "distilled") for cell in _pair(roles.get(role))]
        rows.append([split.replace("_", " ").capitalize(), str(either["problems"]), *cells])
    return table(["Set", "Problems", "Base", "Tokens", "Distilled", "Tokens"], rows)


def _pair(figures: Figures | None) -> tuple[str, str]:
    if not figures:
        return "–", "–"
    accuracy = small(f"{figures['accuracy']:.1%}", f"({figures['low']:.0%} to {figures['high']:.0%})")
    return accuracy, f"{figures['mean_tokens']:,.0f}"


def breakdown_tables(summary: Figures) -> Markup:
    """Accuracy by family and by level of each set."""
    parts = []
    for split, roles in summary.items():
        for key, name in (("by_family", "Family"), ("by_level", "Level")):
            by_role = {role: roles.get(role, {}).get(key, {}) for role in ("base", "distilled")}
            groups = dict.fromkeys(group for groups in by_role.values() for group in groups)
            rows = [[group, *(_share(by_role[role].get(group)) for role in by_role)] for group in groups]
            if rows:
                title = heading(split.replace("_", " ").capitalize())
                parts.append(title + table([name, "Base", "Distilled"], rows))
    return join(parts)


def _share(figures: Figures | None) -> str:
    return small(f"{figures['accuracy']:.0%}", f"of {figures['problems']}") if figures else "–"


def corrections_table(summary: Figures) -> Markup:
    """Counts over the distilled model's thoughts, a column for each set."""
    splits = {split: roles["distilled"]["corrections"] for split, roles in summary.items() if roles.get("distilled")}
    rows = [[title, *(str(counts.get(key, "–")) for counts in splits.values())] for key, title in CORRECTIONS.items()]
    return table(["Thoughts that …", *(split.replace("_", " ") for split in splits)], rows)


def chat_html(chat: list[Figures]) -> Markup:
    """Each plain prompt with both answers, under a heading for each form of prompt."""
    items, form = [], ""
    for entry in chat:
        if entry.get("form", "") != form:
            form = str(entry["form"])
            items.append(render("<h3>Prompts of {{ form }}</h3>", form=form))
        items.append(
            render(
                '<h4 translate="no">{{ prompt }}</h4><div class="cards">{% for role, reply in replies %}'
                '<section class="card {{ role }}"><h4>{{ role|capitalize }}</h4>'
                '<div class="text" translate="no">{{ reply }}</div></section>{% endfor %}</div>',
                prompt=entry["prompt"],
                replies=[(role, _reply(entry[role])) for role in ("base", "distilled") if role in entry],
            )
        )
    return join(items)


def _reply(reply: Figures) -> str:
    if reply["answer"].strip():
        return str(reply["answer"])
    what = f"thought for {reply['tokens']} tokens and gave no answer" if reply.get("thought") else "gave no answer"
    return render('<span class="note">({{ what }})</span>', what=what)


def value_html(value: Any, title: str = "") -> Markup:
    """JSON as HTML: lists of like objects as a table, objects as lines, the rest as text."""
    head = heading(title.replace("_", " ").capitalize()) if title else Markup("")
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        columns = list(dict.fromkeys(key for row in value for key in row))
        rows = [[_cell(row.get(key, "")) for key in columns] for row in value]
        return head + table([column.replace("_", " ") for column in columns], rows)
    if isinstance(value, dict):
        if value and all(isinstance(inner, dict) for inner in value.values()):
            return head + value_html([{"": key, **inner} for key, inner in value.items()])
        plain = {key: inner for key, inner in value.items() if not isinstance(inner, dict | list)}
        lines = render(
            "{% if lines %}<ul>{% for key, cell in lines %}<li>{{ key }}: {{ cell }}</li>{% endfor %}</ul>{% endif %}",
            lines=[(key.replace("_", " "), _cell(inner)) for key, inner in plain.items()],
        )
        return head + lines + join(value_html(inner, key) for key, inner in value.items() if key not in plain)
    return head + render("<p>{{ cell }}</p>", cell=_cell(value))


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, dict):
        return join((join((str(key), " ", _cell(inner))) for key, inner in value.items()), Markup("<br>"))
    if isinstance(value, list):
        return join((_cell(inner) for inner in value), ", ")
    return str(value)
