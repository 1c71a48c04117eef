"""Plain chat without a thought, mixed into training so that ordinary talk survives it.

Four sources: short dialogues written for this project; basics (facts, words in other languages, short code) and forms
(requests of which hardly two are put alike), written for it as well; and what the untrained base itself replies
(`traces.thoughts.rehearse`).
"""

import json
from functools import cache
from pathlib import Path

WRITTEN = Path(__file__).with_name("chat.jsonl")
BASICS = Path(__file__).with_name("basics.jsonl")
FORMS = Path(__file__).with_name("forms.jsonl")
REHEARSAL = Path(__file__).with_name("rehearsal.jsonl")


@cache
def dialogues(file: Path) -> tuple[tuple[str, str], ...]:
    """(prompt, reply) pairs of one file."""
    entries = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return tuple((entry["prompt"], entry["reply"]) for entry in entries)
