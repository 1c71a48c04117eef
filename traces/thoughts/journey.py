"""Turning a search tree into a thought: depth first, with reasons for leaving dead ends, corrections, a final check.

The derivation follows "O1 Replication Journey, Part 1".
"""

from typing import Any, NamedTuple

from eval.problems.prompts import maths_prompt
from eval.records import Problem
from traces.keeping.trace import Trace, compose
from traces.thoughts.search import CLAIM, Node, SearchSettings, search


class Segment(NamedTuple):
    """A piece of the thought; `learn` is False for a wrong calculation, which is masked in training."""

    text: str
    learn: bool
    node: int


def walk(nodes: list[Node]) -> list[Segment]:
    """The thought's pieces in order: the text of each followed node, and a sentence where a dead end is left."""
    segments: list[Segment] = []

    def visit(node: Node) -> None:
        if node.parent >= 0:
            segments.append(Segment(node.step.text, not node.slip, node.id))
        on_path = [i for i in node.children if nodes[i].status == "on_path"]
        for child in node.children:
            if on_path and child > on_path[0] and not nodes[child].slip:
                break
            if nodes[child].status == "pruned":
                continue
            visit(nodes[child])
            if nodes[child].status == "wrong":
                leave(nodes[child], node)

    def leave(wrong: Node, parent: Node) -> None:
        if wrong.slip:
            segments.append(Segment(f"Wait, that is wrong: {wrong.rating.reason}. Go back.", True, parent.id))
        elif wrong.children and not wrong.astray:
            calculation, result = CLAIM.findall(wrong.step.text)[-1]
            segments.append(Segment(f"{calculation}={result} leads nowhere. Go back.", True, parent.id))

    visit(nodes[0])
    return segments


def shortcut(nodes: list[Node]) -> str:
    """The solution without detours and without the check: the steps on the path, one line each."""
    lines = [
        node.step.text if node.step.brief is None else node.step.brief for node in nodes if node.status == "on_path"
    ]
    return "\n".join(line for line in lines[1:] if line)


def closing(answer: str) -> str:
    return f"The answer is $\\boxed{{{answer}}}$."


def tree_of(nodes: list[Node], segments: list[Segment]) -> dict[str, Any]:
    """The tree as JSON values: {"nodes": [{"id", "parent", "text", "score", "reason", "status"}], "walk": [id, …]}."""
    listed = [
        {
            "id": n.id,
            "parent": n.parent,
            "text": n.step.text,
            "score": n.rating.score,
            "reason": n.rating.reason,
            "status": n.status,
        }
        for n in nodes
    ]
    return {"nodes": listed, "walk": [0, *(segment.node for segment in segments)]}


def journey(problem: Problem, seed: int, settings: SearchSettings | None = None) -> Trace:
    """A long thought for a generated problem, from a fresh search.

    `extra` holds "tree", "shortcut" (the solution from the same tree, with the closing sentence) and "segments"
    ([text, learn] pairs whose texts, each on its own line, are the thought).
    """
    nodes = search(problem, settings or SearchSettings(), seed)
    segments = walk(nodes)
    thought = "\n".join(segment.text for segment in segments)
    answer = closing(problem.gold)
    return Trace(
        problem=problem,
        prompt=maths_prompt(problem),
        raw=compose(thought, answer),
        thought=thought,
        answer=answer,
        method="search",
        model="tree search",
        seed=seed,
        extra={
            "tree": tree_of(nodes, segments),
            "shortcut": f"{shortcut(nodes)}\n{answer}",
            "segments": [[segment.text, segment.learn] for segment in segments],
        },
    )
