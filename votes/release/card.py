"""The dataset card of a release: what it is, how it was made, every count, every column, the licence."""

from votes.agreement import AGREEMENT, LICENCE
from votes.release.choose import Counts
from votes.release.personal import SEARCHED

COLUMNS = {
    "row_id": "a number for each vote, which means nothing outside this release",
    "battle_id": "a number for each battle, as above; a battle has at most two votes",
    "voted_at": "day of the vote (UTC)",
    "visitor": "a number for each visitor, as above",
    "pair": "which pair of models, as named in spaces.yaml",
    "stage": "`answers`: a vote on the answers alone; `reasoning`: the second vote, after reading the reasoning",
    "verdict": "`a`, `b`, `tie` or `both_bad`",
    "a_role": "which model was side A: `base` or `distilled`; the other one was B",
    "mode": "`blind`: sides shuffled and unnamed; `named`: the visitor knew which model was which, A is the base",
    "delivery": "`together`: both answers appeared once both were finished; `live`: as they were written",
    "language": "of the questions: `en`, `zh` or `other`, a coarse guess",
    "retracts": "always empty: votes that were withdrawn are not released",
    "reasoning_seen": "whether the reasoning had been shown before this vote",
    "licence": "the licence that the visitor agreed to",
    "blocked": "sides with an answer that the guard model blocked (`a`, `b`, `ab`); its text is empty",
    "reasons": "JSON list of the reasons that the visitor ticked",
    "comment": "the visitor's comment",
    "base_model": "name of the base model",
    "base_weight_hash": "hash of its weights",
    "distilled_model": "name of the distilled model",
    "distilled_weight_hash": "hash of its weights",
    "sampling": "JSON object: temperature, token limit and so on, of both sides or of each",
    "seed": "seed of the sampling, if there was one",
    "seconds_to_vote": "from the end of the answers (for a second vote, from the first vote) to the vote",
    "app_version": "version of Journey Arena",
    "turns": "JSON list of turns; each has the question and both replies with thought, answer, tokens and seconds",
}


def dataset_card(counts: Counts, day: str) -> str:
    """README.md of the release."""
    size = next((name for name, most in _SIZES.items() if counts.released < most), "n>1M")
    columns = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in COLUMNS.items())
    numbers = "\n".join(f"| {what} | {number} |" for what, number in count_rows(counts))
    return f"""---
license: {LICENCE.lower()}
pretty_name: Votes of Journey Arena
size_categories:
- {size}
tags:
- reasoning
- distillation
- preference-data
- human-feedback
configs:
- config_name: votes
  data_files: votes.parquet
  default: true
- config_name: preferences
  data_files: preferences.jsonl
---

# Votes of Journey Arena

People asked a base model and its distilled version the same question and said which answer is better. Released on
{day}.

## How the votes were cast

In a blind battle the sides are shuffled, the names and the reasoning are hidden, and both answers appear together. A
visitor votes on the answers, may then read the reasoning and vote again, and sees the names last. Votes that were
withdrawn, and battles that can still be voted on, are not in here.

Each visitor agreed to publication beforehand, in these words: “{AGREEMENT}”

## Counts

| votes | number |
|---|---|
{numbers}

## Personal data

Questions, replies and comments were searched for {" ".join(SEARCHED.split())}. Names of people were not searched for.
Visitors, battles and votes are numbers, and times are cut to the day. To have a battle removed, send its question to
whoever published this dataset.

## Columns of `votes`

| column | meaning |
|---|---|
{columns}

`preferences` has pairs for DPO, made from votes on the answers alone that name a winner: `prompt`, `chosen` and
`rejected` are lists of messages.

## Licence

[{LICENCE}](https://creativecommons.org/licenses/by/4.0/). The models' own licences may limit what their replies can be
used for.
"""


def count_rows(counts: Counts) -> list[tuple[str, int]]:
    """Every number, as the card and the command print them."""
    fate = "released all the same" if counts.flagged_included else "left out"
    return [
        ("that stand and can no longer change", counts.standing),
        ("without agreement to publication, left out", counts.not_agreed),
        (f"that seem to have personal data, {fate}", counts.flagged_votes),
        *((f"– of these with a {kind}", number) for kind, number in counts.flagged.items()),
        ("released", counts.released),
        ("released, with an answer that the guard model blocked", counts.blocked),
        ("visitors who cast the released votes", counts.visitors),
        ("battles taken down by the owner, in no other number", counts.hidden_battles),
    ]


_SIZES = {"n<1K": 1_000, "1K<n<10K": 10_000, "10K<n<100K": 100_000, "100K<n<1M": 1_000_000}
