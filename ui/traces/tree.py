"""A search tree as a plotly figure: its nodes with their verdicts, and the thought's walk through it.

A tree is `{"nodes": [{"id", "parent", "text", "score", "reason", "status"}], "walk": [id, …]}`, as stored by the
search; a debate's turns can be turned into one as well.
"""

import textwrap
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import plotly.graph_objects as go

from traces.keeping.trace import Trace
from ui.kit.html import Markup, join
from ui.kit.palette import figure_layout

Tree = dict[str, Any]
STATUSES = {
    "on_path": ("On the path", "#0d9488", "circle", 15),
    "wrong": ("Followed and left", "#ea580c", "x", 12),
    "pruned": ("Never followed", "#94a3b8", "circle-open", 9),
}
"""Status → name, colour, symbol, size: told apart by shape as well as by colour."""
WALK_COLOUR = "rgba(124, 135, 150, 0.75)"
HERE_COLOUR = "#eab308"
LABELLED_LEAVES = 4
"""With more leaves, labels would overlap on a narrow page."""


class Place(NamedTuple):
    """A node's coordinates: x in leaves from the left, y in steps from the root downwards."""

    x: float
    y: float


def tree_of_trace(trace: Trace) -> Tree | None:
    """The tree of a searched or debated trace; None for the others."""
    if "tree" in trace.extra:
        tree: Tree = trace.extra["tree"]
        return tree
    turns = trace.extra.get("turns")
    return tree_of_turns(trace.problem.question, turns) if turns else None


def tree_of_turns(question: str, turns: Sequence[dict[str, Any]]) -> Tree:
    """A debate as a tree: each step below the one it followed; steps taken back are the wrong ones."""
    nodes = [{"id": 0, "parent": -1, "text": question, "score": None, "reason": "", "status": "on_path"}]
    path, walk = [0], [0]
    for number, turn in enumerate(turns, start=1):
        nodes.append({
            "id": number, "parent": path[-1], "text": turn["step"], "score": None, "reason": turn["reason"],
            "status": "wrong",
        })  # fmt: skip
        path.append(number)
        walk.append(number)
        if turn["verdict"] == "go back":
            path = path[: int(turn["to"] or 0) + 1]
            walk.append(path[-1])
    for number in path:
        nodes[number]["status"] = "on_path"
    return {"nodes": nodes, "walk": walk}


def layout(nodes: Sequence[dict[str, Any]]) -> dict[int, Place]:
    """Where each node stands: leaves side by side in order, every parent in the middle above its children."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for each in nodes:
        children[each["parent"]].append(each["id"])
    places: dict[int, Place] = {}
    leaves = 0
    stack = [(root, 0, False) for root in reversed(children[-1])]
    while stack:
        node, depth, seen = stack.pop()
        below = children[node]
        if below and not seen:
            stack.append((node, depth, True))
            stack += [(child, depth + 1, False) for child in reversed(below)]
        elif below:
            places[node] = Place((places[below[0]].x + places[below[-1]].x) / 2, depth)
        else:
            places[node] = Place(leaves, depth)
            leaves += 1
    return places


def tree_figure(tree: Tree, at: int = 0) -> go.Figure:
    """The tree with the walk drawn through it; `at` counts the walk's places from 0 and is marked."""
    places = layout(tree["nodes"])
    figure = go.Figure()
    _add_edges(figure, tree, places)
    _add_walk(figure, tree, places)
    labelled = max(place.x for place in places.values()) < LABELLED_LEAVES
    for status, (name, colour, symbol, size) in STATUSES.items():
        nodes = [node for node in tree["nodes"] if node["status"] == status]
        if nodes:
            figure.add_trace(_markers(nodes, places, name, colour, symbol, size, labelled))
    here = places[tree["walk"][min(at, len(tree["walk"]) - 1)]]
    figure.add_scatter(
        x=[here.x], y=[here.y], mode="markers", name="The thought is here", hoverinfo="skip",
        marker={"size": 26, "symbol": "circle-open", "color": HERE_COLOUR, "line": {"width": 3}},
    )  # fmt: skip
    depth = max(place.y for place in places.values())
    figure_layout(figure)
    figure.update_layout(
        height=min(640, 190 + 52 * (int(depth) + 1)), legend={"y": -0.04, "yanchor": "top"},
        margin={"l": 8, "r": 8, "t": 8, "b": 8}, hovermode="closest",
    )  # fmt: skip
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, autorange="reversed")
    return figure


def _add_edges(figure: go.Figure, tree: Tree, places: dict[int, Place]) -> None:
    x: list[float | None] = []
    y: list[float | None] = []
    for node in tree["nodes"]:
        if node["parent"] in places:
            start, end = places[node["parent"]], places[node["id"]]
            x += [start.x, end.x, None]
            y += [start.y, end.y, None]
    line = {"color": "rgba(124, 135, 150, 0.35)", "width": 1}
    figure.add_scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False)


def _add_walk(figure: go.Figure, tree: Tree, places: dict[int, Place]) -> None:
    """The walk, shifted slightly to the right as it proceeds, so that the way back is visible next to the way there."""
    stops = [places[node] for node in tree["walk"]]
    x: list[float] = []
    y: list[float] = []
    for start, end in pairwise(stops):
        side = 0.12 if end.y < start.y else -0.06
        below = 0.25 if end.y == start.y else 0.0
        x += [start.x, (start.x + end.x) / 2 + side, end.x]
        y += [start.y, (start.y + end.y) / 2 + below, end.y]
    figure.add_scatter(
        x=x, y=y, mode="lines", name="Path of the thought", hoverinfo="skip",
        line={"color": WALK_COLOUR, "width": 3, "dash": "dot", "shape": "spline"},
    )  # fmt: skip


def _markers(
    nodes: Sequence[dict[str, Any]],
    places: dict[int, Place],
    name: str,
    colour: str,
    symbol: str,
    size: int,
    labelled: bool,
) -> go.Scatter:
    return go.Scatter(
        x=[places[node["id"]].x for node in nodes],
        y=[places[node["id"]].y for node in nodes],
        mode="markers+text" if labelled else "markers",
        text=[_label(node) for node in nodes] if labelled else None,
        textposition="top center",
        textfont={"size": 11},
        name=name,
        marker={"color": colour, "symbol": symbol, "size": size, "line": {"width": 2, "color": colour}},
        customdata=[[node_text(node)] for node in nodes],
        hovertext=[_hover(node) for node in nodes],
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _label(node: dict[str, Any]) -> str:
    if node["parent"] < 0:
        return "question"
    line = node["text"].split("\n")[-1]
    return line if len(line) <= 12 else f"{line[:11]}…"


def _hover(node: dict[str, Any]) -> str:
    lines = textwrap.wrap(node_text(node), 60)
    return str(join([*lines[:8], *(["… click for the rest"] if len(lines) > 8 else [])], Markup("<br>")))


def node_text(node: dict[str, Any]) -> str:
    """The full text of the step, with its outcome and the reason."""
    status = STATUSES[node["status"]][0].lower()
    score = f", judged {node['score']:g}" if node.get("score") is not None else ""
    reason = f": {node['reason']}" if node["reason"] else ""
    return f"{node['text']} — {status}{score}{reason}"


def walk_text(tree: Tree, at: int) -> str:
    """Where the thought is at one place of its walk, in full."""
    walk = tree["walk"]
    at = min(at, len(walk) - 1)
    by_id = {node["id"]: node for node in tree["nodes"]}
    return f"{at} of {len(walk) - 1}. {node_text(by_id[walk[at]])}"
