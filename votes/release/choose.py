"""Which votes may be published, and how many are left out for which reason. Pure functions."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field

from votes.agreement import agreed, without_identity
from votes.ballot import Vote
from votes.ranking import effective_votes
from votes.release.personal import Kind, Scanner


@dataclass(frozen=True)
class Counts:
    """Counts over votes that stand and can no longer change, without those of hidden battles."""

    standing: int = 0
    not_agreed: int = 0
    """Left out: the visitor did not agree to publication."""
    flagged: Mapping[Kind, int] = field(default_factory=dict)
    """Votes that seem to have personal data, by kind; a vote may have several."""
    flagged_votes: int = 0
    flagged_included: bool = False
    """Whether they are released anyway, at the owner's request."""
    hidden_battles: int = 0
    """Battles that the owner took down; none of their votes is in any other number."""
    blocked: int = 0
    """Released votes on a battle in which the guard model blocked an answer, whose text is therefore empty."""
    visitors: int = 0
    released: int = 0


def choose(
    votes: Iterable[Vote], final: Set[str], scan: Scanner, *, include_flagged: bool, hidden: int
) -> tuple[list[Vote], Counts]:
    """The votes to release, anonymous, and what was counted. `final`: see `votes.export.final_battles`."""
    standing = effective_votes(vote for vote in votes if vote.battle_id in final)
    public = [vote for vote in standing if agreed(vote)]
    flags = [frozenset(kind for text in set(texts(vote)) for kind in scan(text)) for vote in public]
    released = [vote for vote, kinds in zip(public, flags, strict=True) if include_flagged or not kinds]
    anonymous = list(without_identity(released))
    return anonymous, Counts(
        standing=len(standing),
        not_agreed=len(standing) - len(public),
        flagged=dict(sorted(Counter(kind for kinds in flags for kind in kinds).items())),
        flagged_votes=sum(bool(kinds) for kinds in flags),
        flagged_included=include_flagged,
        hidden_battles=hidden,
        blocked=sum(bool(vote.blocked) for vote in released),
        visitors=len({vote.visitor for vote in anonymous}),
        released=len(anonymous),
    )


def texts(vote: Vote) -> Iterator[str]:
    """Everything in a vote that a person or a model wrote."""
    yield vote.comment
    for turn in vote.turns:
        yield turn.prompt
        for reply in (turn.a, turn.b):
            yield from (reply.raw, reply.thought, reply.answer)
