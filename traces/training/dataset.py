"""Training rows: one example each, as a file pinned by its hash and as tokens with labels.

A row is a prompt and the pieces of its completion; the loss covers only the learned pieces.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError

from common import jsonl
from common.errors import ConfigError, DataError
from common.strict import describe
from models.weights.files import sha256_of

Kind = Literal["journey", "shortcut", "drill", "chat"]
Piece = tuple[str, bool]
"""Text, and whether it is learned."""
THOUGHT_BEGINS, THOUGHT_ENDS = "<think>", "</think>\n\n"
_OPENED = re.compile(rf"{THOUGHT_BEGINS}\s*\Z")


@dataclass(frozen=True)
class Row:
    """One training example."""

    kind: Kind
    prompt: str
    pieces: tuple[Piece, ...]
    """In order; together they are the completion."""
    history: tuple[tuple[str, str], ...] = ()
    """Earlier questions and answers, as they are sent to a model, without thoughts. Never learned."""

    @property
    def completion(self) -> str:
        return "".join(text for text, _ in self.pieces)

    @property
    def spoken(self) -> str:
        """The reply as later turns show it: the completion without its thought."""
        return self.completion.rpartition(THOUGHT_ENDS)[2]


_ROW = TypeAdapter(Row)


def write_rows(path: Path, rows: Iterable[Row]) -> str:
    """Write the rows as JSONL, whole or not at all; returns the file's sha256."""
    # A row without a history has no such key: files made before rows had histories keep their hash.
    values = ({name: value for name, value in asdict(row).items() if name != "history" or value} for row in rows)
    jsonl.write(path, values)
    return sha256_of(path)


def check_data(path: Path, sha256: str | None) -> None:
    """Raise DataError unless the file is there and has this hash, where one is given."""
    if not path.is_file():
        raise DataError(f"There is no training data at {path}.", "Make it first: `arena train make RECIPE`.")
    if sha256 and (actual := sha256_of(path)) != sha256:
        raise DataError(
            f"{path} has sha256 {actual}, but the recipe was written for {sha256}.",
            "Make the data again from the recipe's seed, or put the new hash into the recipe if the change is meant.",
        )


def read_rows(path: Path, sha256: str | None = None) -> list[Row]:
    """The rows of a file. Raises DataError if it is missing, broken, or not the file with this hash."""
    check_data(path, sha256)
    rows = []
    for number, values in jsonl.read(path):
        try:
            rows.append(_ROW.validate_python(values))
        except ValidationError as error:
            raise DataError(
                f"{path}, line {number} is not a training row: {describe(error, 1)}.",
                "A row has kind, prompt, pieces of [text, learned] and maybe a history of [question, answer].",
            ) from error
    return rows


@dataclass(frozen=True)
class PreferenceRow:
    """A right and a wrong reply to one prompt."""

    prompt: str
    chosen: str
    rejected: str
    problem: str = ""
    """Id of the problem, or of the battle."""
    source: str = ""
    """Where the pair comes from, in words: votes, graded samples."""


_PREFERENCE = TypeAdapter(PreferenceRow)


def write_preferences(path: Path, rows: Iterable[PreferenceRow]) -> str:
    """Write the pairs as JSONL, whole or not at all; returns the file's sha256."""
    # A pair without a source has no such key: files made before pairs had one keep their hash.
    jsonl.write(path, ({k: v for k, v in asdict(row).items() if k != "source" or v} for row in rows))
    return sha256_of(path)


def read_preferences(path: Path, sha256: str | None = None) -> list[PreferenceRow]:
    """The pairs of a file. Raises DataError if it is missing, broken, or not the file with this hash."""
    check_data(path, sha256)
    rows = []
    for number, values in jsonl.read(path):
        try:
            rows.append(_PREFERENCE.validate_python(values))
        except ValidationError as error:
            raise DataError(
                f"{path}, line {number} is not a preference pair: {describe(error, 1)}.",
                "A pair has prompt, chosen and rejected: `arena traces keep` writes them.",
            ) from error
    return rows


class Encoded(NamedTuple):
    """Token rows as the trainer takes them."""

    rows: list[dict[str, list[int]]]
    """Each {"input_ids", "labels"}; label −100 where nothing is learned."""
    dropped: int
    """Rows longer than the limit: left out, never truncated."""
    tokens: int
    learned: int
    empty: int = 0
    """Rows without a question or without anything to learn, left out as well."""


def encode_row(row: Row, tokenizer: Any) -> dict[str, list[int]]:
    """Conversation and completion as token ids, labelling every token that begins in a learned piece.

    Raises ConfigError if the base has no chat template, or one that closes the thought.
    """
    earlier = [(role, text) for turn in row.history for role, text in zip(("user", "assistant"), turn, strict=True)]
    messages = [{"role": role, "content": text} for role, text in [*earlier, ("user", row.prompt)]]
    prompt = _rendered(messages, tokenizer)
    pieces = _after(prompt, row)
    head = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    completion = "".join(text for text, _ in pieces)
    body = tokenizer(completion, add_special_tokens=False, return_offsets_mapping=True)
    ends, at = [], 0
    for text, learn in pieces:
        at += len(text)
        ends.append((at, learn))
    labels, piece = [], 0
    for token, (start, _) in zip(body["input_ids"], body["offset_mapping"], strict=True):
        while start >= ends[piece][0]:
            piece += 1
        labels.append(token if ends[piece][1] else -100)
    end = tokenizer.eos_token_id
    ids = [*head, *body["input_ids"], end]
    return {"input_ids": ids, "labels": [-100] * len(head) + labels + [end]}


def _rendered(messages: list[dict[str, str]], tokenizer: Any) -> str:
    """The conversation as the chat template writes it, up to the reply. Raises ConfigError if there is no template."""
    if not tokenizer.chat_template:
        raise ConfigError(
            "The base has no chat template, so its prompts cannot be written.",
            "Train the chat or instruct version of the model, or put a chat_template.jinja into the base's folder.",
        )
    return str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))


def _after(prompt: str, row: Row) -> Sequence[Piece]:
    """The row's pieces as they continue the rendered prompt.

    Some chat templates end by opening the thought. The row then does not open it again, and a reply without a thought
    closes it first; otherwise its answer would be learned as part of a thought. Raises ConfigError if the template has
    already closed the thought.
    """
    thinks = row.completion.startswith(THOUGHT_BEGINS)
    if thinks and prompt.rstrip().endswith(THOUGHT_ENDS.strip()):
        raise ConfigError(
            "The chat template of the base closes the thought before the reply, so no long thought can be learned.",
            "Train a base whose template leaves the thought to the model.",
        )
    opened = _OPENED.search(prompt)
    if not opened:
        return row.pieces
    if not thinks:
        return [(f"\n{THOUGHT_ENDS}", True), *row.pieces]
    first_line = f"{THOUGHT_BEGINS}\n"
    written = len(first_line if "\n" in opened.group() and row.completion.startswith(first_line) else THOUGHT_BEGINS)
    pieces = []
    for text, learn in row.pieces:
        pieces.append((text[written:], learn))
        written = max(0, written - len(text))
    return pieces


def is_usable(row: Row) -> bool:
    """Whether the row has a question and something to learn."""
    return bool(row.prompt.strip()) and any(text.strip() for text, learn in row.pieces if learn)


def encode(rows: Sequence[Row], tokenizer: Any, max_length: int) -> Encoded:
    """All rows as tokens; rows over `max_length` tokens and empty ones are left out and counted."""
    usable = [row for row in rows if is_usable(row)]
    encoded = [encode_row(row, tokenizer) for row in usable]
    kept = [row for row in encoded if len(row["input_ids"]) <= max_length]
    return Encoded(
        rows=kept,
        dropped=len(encoded) - len(kept),
        tokens=sum(len(row["input_ids"]) for row in kept),
        learned=sum(label != -100 for row in kept for label in row["labels"]),
        empty=len(rows) - len(usable),
    )


class EncodedPreferences(NamedTuple):
    """Preference pairs as TRL takes them."""

    pairs: list[dict[str, str]]
    """Each {"prompt", "chosen", "rejected"}: the prompt as the chat template renders it."""
    counts: Encoded
    """Tokens of both replies of each pair, prompts included; no rows."""


def sides_of(pair: PreferenceRow) -> list[Row]:
    """The pair as two rows: the chosen reply, then the rejected one."""
    return [Row("journey", pair.prompt, ((text, True),)) for text in (pair.chosen, pair.rejected)]


def encode_preferences(rows: Sequence[PreferenceRow], tokenizer: Any, max_length: int) -> EncodedPreferences:
    """All pairs; those with a reply longer than `max_length` tokens are left out and counted, never truncated."""
    pairs, tokens, learned = [], 0, 0
    for row in rows:
        sides = sides_of(row)
        both = [encode_row(side, tokenizer) for side in sides]
        if max(len(side["input_ids"]) for side in both) > max_length:
            continue
        tokens += sum(len(side["input_ids"]) for side in both)
        learned += sum(label != -100 for side in both for label in side["labels"])
        prompt = _rendered([{"role": "user", "content": row.prompt}], tokenizer)
        chosen, rejected = ("".join(text for text, _ in _after(prompt, side)) for side in sides)
        pairs.append({"prompt": prompt, "chosen": chosen, "rejected": rejected})
    return EncodedPreferences(pairs, Encoded([], len(rows) - len(pairs), tokens, learned))


def check_some_fit(rows: Sequence[Row | PreferenceRow], tokenizer: Any, max_length: int, source: Path) -> None:
    """Raise DataError if `encode` or `encode_preferences` would leave out every row of the file `source`.

    Encodes no more rows than it takes to find one that is kept.
    """
    lengths: list[int] = []
    for row in rows:
        if isinstance(row, Row) and not is_usable(row):
            continue
        sides = [row] if isinstance(row, Row) else sides_of(row)
        lengths.append(max(len(encode_row(side, tokenizer)["input_ids"]) for side in sides))
        if lengths[-1] <= max_length:
            return
    if not lengths:
        why = "holds only rows without a question or without anything to learn" if rows else "is empty"
        raise DataError(f"{source} {why}.", "Put rows there that a model can learn from.")
    what = "pairs" if isinstance(rows[0], PreferenceRow) else "rows"
    if empty := len(rows) - len(lengths):
        what += f" (apart from {empty:,} empty)"
    raise DataError(
        f"All {len(lengths):,} {what} of {source} are longer than max_length {max_length}.",
        f"The shortest has {min(lengths)} tokens: set max_length to that or more.",
    )


def in_even_batches(rows: Sequence[dict[str, list[int]]], size: int, seed: int) -> list[dict[str, list[int]]]:
    """The rows ordered so that each batch of `size` has rows of similar length, which saves padding.

    Batches come in random order. Rows are sorted only within groups of 16 batches, so that a batch mixes problem kinds.
    """
    rng = Random(f"batches/{seed}")
    shuffled = rng.sample(list(rows), len(rows))
    chunks = [shuffled[at : at + 16 * size] for at in range(0, len(rows), 16 * size)]
    ordered = [row for chunk in chunks for row in sorted(chunk, key=lambda row: len(row["input_ids"]))]
    batches = [ordered[at : at + size] for at in range(0, len(rows), size)]
    whole = [batch for batch in batches if len(batch) == size]
    return [row for batch in [*rng.sample(whole, len(whole)), *batches[len(whole) :]] for row in batch]
