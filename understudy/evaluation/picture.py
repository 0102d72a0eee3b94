"""The picture of a pipeline: boxes in layers, arrows between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

__all__ = ["draw", "layers"]

BOX, GAP, LANE, ROW, TALL, MARGIN = (
    164,
    18,
    22,
    112,
    66,
    2,
)  # widths of a box, a gap and a passing arrow; heights of a row and a box; margin


@dataclass
class _Place:
    """A box, or a point (`node` None) through which an arrow passes a layer."""

    node: int | None
    width: int
    above: list[_Place] = field(default_factory=list)
    below: list[_Place] = field(default_factory=list)
    x: float = 0.0  # centre

    def pull(self, others: Sequence[_Place]) -> float:
        return sum(o.x for o in others) / len(others) if others else self.x


def layers(parents: Sequence[Sequence[int]]) -> list[int]:
    """The layer of every node, given each node's parents, which come before it: 0 without parents, else below the lowest.

    A node without parents stands right above its first reader, so that no arrow is longer than it must be.
    """
    depth: list[int] = []
    for above in parents:
        depth.append(1 + max((depth[p] for p in above), default=-1))
    for node, above in enumerate(parents):
        readers = [depth[child] for child, others in enumerate(parents) if node in others]
        if readers and not above:
            depth[node] = min(readers) - 1
    return depth


def draw(parents: Sequence[Sequence[int]]) -> dict[str, Any]:
    """A layered drawing, top to bottom, of nodes given by their parents, which come before them. JSON-ready, in pixels.

    Gives width, height, `boxes` (x and y of the left upper corner, width, height; one per node, in order) and `arrows` (SVG
    path data from a parent's foot to a child's head). An arrow that passes a layer gets a lane of its own there.
    """
    depth = layers(parents)
    nodes = [_Place(index, BOX) for index in range(len(parents))]
    rows: list[list[_Place]] = [[] for _ in range(max(depth, default=-1) + 1)]
    for node, level in zip(nodes, depth, strict=True):
        rows[level].append(node)
    routes = [_route(nodes, rows, depth, parent, child) for child, above in enumerate(parents) for parent in above]
    _arrange(rows)
    left = min((p.x - p.width / 2 for row in rows for p in row), default=0.0)
    right = max((p.x + p.width / 2 for row in rows for p in row), default=0.0)
    top = {id(p): level * ROW + MARGIN for level, row in enumerate(rows) for p in row}

    def head(place: _Place) -> tuple[float, float]:
        return place.x - left + MARGIN, top[id(place)]

    boxes = [{"x": round(head(n)[0] - BOX / 2, 1), "y": head(n)[1], "width": BOX, "height": TALL} for n in nodes]
    arrows = [_arrow([head(p) for p in route]) for route in routes]
    height = max(len(rows) - 1, 0) * ROW + TALL + 2 * MARGIN
    return {"width": round(right - left + 2 * MARGIN), "height": height, "boxes": boxes, "arrows": arrows}


def _route(nodes: Sequence[_Place], rows: Sequence[list[_Place]], depth: Sequence[int], parent: int, child: int) -> list[_Place]:
    route = [nodes[parent]]
    for level in range(depth[parent] + 1, depth[child]):
        lane = _Place(None, LANE)
        rows[level].append(lane)
        route.append(lane)
    route.append(nodes[child])
    for upper, lower in pairwise(route):
        upper.below.append(lower)
        lower.above.append(upper)
    return route


def _arrange(rows: list[list[_Place]]) -> None:
    """Order and position each row by the mean place of its neighbours, downwards and upwards in turn."""
    for row in rows:
        _spread(row)
    for sweep in range(12):
        downwards = sweep % 2 == 0
        for row in rows if downwards else rows[::-1]:
            wish = {id(p): p.pull(p.above if downwards else p.below) for p in row}
            row.sort(key=lambda p: wish[id(p)])
            for p in row:
                p.x = wish[id(p)]
            _spread(row)


def _spread(row: Sequence[_Place]) -> None:
    """Move the places of a row apart, in their order, as little as may be: the mean of a push rightwards and a push leftwards."""

    def pushed(places: Sequence[_Place], sign: int) -> list[float]:
        at, found = float("-inf"), []
        for p in places:
            x = max(sign * p.x, at + p.width / 2)
            found.append(sign * x)
            at = x + p.width / 2 + GAP
        return found

    rightwards, leftwards = pushed(row, 1), pushed(row[::-1], -1)[::-1]
    for p, a, b in zip(row, rightwards, leftwards, strict=True):
        p.x = (a + b) / 2


def _arrow(points: Sequence[tuple[float, float]]) -> str:
    """SVG path data through the feet and heads of the boxes, straight down where an arrow passes a layer."""
    x, y = points[0]
    path = [f"M{x:.1f},{y + TALL:.1f}"]
    y += TALL
    for step, (next_x, next_y) in enumerate(points[1:], start=1):
        half = (next_y - y) / 2
        path.append(f"C{x:.1f},{y + half:.1f} {next_x:.1f},{y + half:.1f} {next_x:.1f},{next_y:.1f}")
        x, y = next_x, next_y
        if step < len(points) - 1:
            y += TALL
            path.append(f"V{y:.1f}")
    return " ".join(path)
