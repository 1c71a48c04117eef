"""Tree search over solution steps: width, depth, a judge that scores each step, beam pruning; the tree is kept.

`traces.thoughts.steps` proposes the steps; `traces.thoughts.journey` turns the tree into a thought.
"""

import re
from dataclasses import dataclass, field, replace
from random import Random
from typing import Literal, NamedTuple

from common.errors import DataError
from eval.records import Problem
from traces.thoughts.steps import STEPS
from traces.thoughts.steps.step import SolutionStep

Status = Literal["on_path", "wrong", "pruned"]
CLAIM = re.compile(r"(-?\d+(?:[+*-]\d+)+)=(-?\d+)")
"""Matches a calculation with its claimed result, as it appears in a step's text."""


@dataclass(frozen=True)
class SearchSettings:
    """How wide and how deep the search looks."""

    width: int = 24
    """Candidate steps judged below one node."""
    depth: int = 32
    """Longest chain of steps."""
    beam: int = 4
    """Open nodes kept at each depth; the rest is pruned."""
    slips: float = 0.3
    """Probability that a step with a wrong calculation is followed to its end instead of being pruned at once."""


class Rating(NamedTuple):
    score: float
    """From 0 (wrong) through 0.3 (right, but a dead end) to 1 (confirmed answer)."""
    reason: str
    """Why a step is given up; empty for a step to continue from."""


@dataclass
class Node:
    """One step in the tree."""

    id: int
    parent: int
    """Id of the step before; −1 for the root."""
    step: SolutionStep
    rating: Rating
    slip: bool = False
    """Whether its calculation was made wrong on purpose."""
    astray: bool = False
    """Whether it is a slip or a descendant of one."""
    status: Status = "pruned"
    children: list[int] = field(default_factory=list)


def false_claims(text: str) -> list[str]:
    """Every calculation in the text that is wrong, e.g. ["7*8 is not 54"]."""
    wrong = []
    for expression, claimed in CLAIM.findall(text):
        total = 0
        for term in re.findall(r"[+-]?[\d*]+", expression):
            factors = [int(n) for n in term.lstrip("+-").split("*")]
            result = 1
            for n in factors:
                result *= n
            total += -result if term.startswith("-") else result
        if total != int(claimed):
            wrong.append(f"{expression} is not {claimed}")
    return wrong


def judge(step: SolutionStep) -> Rating:
    """Scores a step from its text alone: every calculation is redone, and a dead end scores low."""
    wrong = false_claims(step.text)
    if wrong:
        return Rating(0.1, wrong[-1])
    if step.dead:
        return Rating(0.3, "it leads nowhere")
    return Rating(1.0 if step.final else 0.8, "")


def slipped(step: SolutionStep, rng: Random) -> SolutionStep | None:
    """The same step with a plausible wrong result: off by one, by ten, or by one row of the table."""
    claims = CLAIM.findall(step.text)
    if not step.work or not claims:
        return None
    expression, result = claims[-1]
    steps = [1, -1, 10, -10]
    if "*" in expression:
        steps = [int(n) * sign for n in expression.split("*") for sign in (1, -1)]
    wrong = int(result) + rng.choice(steps)
    if wrong <= 0:
        return None
    head, _, tail = step.text.rpartition(f"{expression}={result}")
    return replace(step, text=f"{head}{expression}={wrong}{tail}", value=step.value + wrong - int(result))


def path_to(nodes: list[Node], node: Node) -> list[SolutionStep]:
    """The steps from the root to this node, without the root's own."""
    steps: list[SolutionStep] = []
    while node.parent >= 0:
        steps.append(node.step)
        node = nodes[node.parent]
    return steps[::-1]


def search(problem: Problem, settings: SearchSettings, seed: int) -> list[Node]:
    """The tree, breadth first, with statuses set; its path ends in a `final` step with the problem's answer.

    Raises DataError for a problem whose family has no steps, or if nothing is found within the depth.
    """
    propose = STEPS.get(problem.subject)
    if propose is None or not problem.extra:
        raise DataError(
            f"Problem {problem.id} is of no family the search has steps for.", f"Known: {', '.join(STEPS)}."
        )
    params = {name: int(number) for name, number in problem.extra.items()}
    rng = Random(f"{problem.id}/{seed}")
    followed = rng.randint(1, 4) if rng.random() < settings.slips else 0
    nodes = [Node(0, -1, SolutionStep("root", problem.question), Rating(1.0, ""))]
    frontier, slips, end = [nodes[0]], 0, None
    for _ in range(settings.depth):
        grown: list[Node] = []
        for parent in frontier:
            for step in propose(params, path_to(nodes, parent))[: settings.width]:
                wrong = slipped(step, rng)
                if wrong is not None and not parent.astray:
                    slips += 1
                    node = add(nodes, parent, wrong, slip=True)
                    grown += [node] if slips == followed else []
                grown.append(add(nodes, parent, step, slip=False))
        if end is None:
            right = (n for n in grown if n.step.final and not n.astray and str(n.step.value) == problem.gold)
            end = next(right, None)
        frontier = next_frontier(grown, 0 if end else settings.beam)
        if not frontier:
            break
    if end is None:
        raise DataError(f"The search found no answer to {problem.id} within {settings.depth} steps.")
    mark(nodes, end)
    return nodes


def next_frontier(grown: list[Node], beam: int) -> list[Node]:
    """The open nodes to expand: the judge's `beam` best, and all descendants of the slip."""
    open_nodes = [n for n in grown if not n.step.dead and not n.step.final]
    best = sorted((n for n in open_nodes if not n.astray), key=lambda n: -n.rating.score)[:beam]
    return [*(n for n in open_nodes if n.astray), *best]


def add(nodes: list[Node], parent: Node, step: SolutionStep, slip: bool) -> Node:
    node = Node(len(nodes), parent.id, step, judge(step), slip, slip or parent.astray)
    nodes.append(node)
    parent.children.append(node.id)
    return node


def below(nodes: list[Node], node: Node) -> list[Node]:
    """The node and everything under it."""
    return [node, *(deeper for child in node.children for deeper in below(nodes, nodes[child]))]


def mark(nodes: list[Node], end: Node) -> None:
    """Sets the status of every node: on the path to `end`, followed and failed, or never followed.

    A slip that no check caught (right by luck, or invisible to the check) is left out of the thought.
    """
    on_path = set()
    node = end
    while node.parent >= 0:
        on_path.add(node.id)
        node = nodes[node.parent]
    on_path.add(0)
    for node in nodes:
        node.status = "on_path" if node.id in on_path else "wrong" if node.step.dead or node.children else "pruned"
    for node in nodes:
        subtree = below(nodes, node) if node.slip else []
        if any(deeper.step.final for deeper in subtree) or not any(deeper.step.dead for deeper in subtree):
            for deeper in subtree:
                deeper.status = "pruned"
