"""In how many components chains are seen: which points can be joined by a path on the manifold.

A path from a to b goes straight towards b, one short step and one projection at a time, and is accepted where no
projection moved a point by more than the step itself. Points joined by a chain of paths lie in one component
(numerically: no proof is made). Points that no tried path joins may still be connected, and further
components may hold no chain at all; the count is of parts seen, neither bound nor proof.
"""

import numpy as np
from numpy.typing import NDArray

from symbinv.sampler.walks.walk import Manifold

Array = NDArray[np.float64]
Indices = NDArray[np.int_]
STEPS = 48
ROUNDS = 5


def label_components(manifold: Manifold, u: Array, rng: np.random.Generator) -> NDArray[np.int_]:
    """Return a label for each point: equal labels are joined by paths. (n, k) -> (k,), labels from 0."""
    k = u.shape[1]
    parent = np.arange(k)
    for attempt in range(ROUNDS):
        labels = _roots(parent)
        if (labels == labels[0]).all():
            break
        begin, end = _pairs(u, labels, attempt, rng)
        joined = follow_paths(manifold, u[:, begin], u[:, end])
        for a, b in zip(begin[joined], end[joined], strict=True):
            ra, rb = _root(parent, int(a)), _root(parent, int(b))
            parent[max(ra, rb)] = min(ra, rb)
    _, labels = np.unique(_roots(parent), return_inverse=True)
    return np.asarray(labels)


def follow_paths(manifold: Manifold, begin: Array, end: Array) -> NDArray[np.bool_]:
    """Tell which paths from points to other points could be followed on the manifold."""
    with np.errstate(all="ignore"):
        u = begin.copy()
        length = np.sqrt(((end - begin) ** 2).sum(axis=0))
        stride = np.maximum(2 * length / STEPS, 1e-12)
        lost = np.zeros(u.shape[1], dtype=bool)
        near = length <= stride
        for _ in range(STEPS):
            gap = end - u
            distance = np.sqrt((gap * gap).sum(axis=0))
            near |= distance <= 1.5 * stride
            if (near | lost).all():
                break
            place = manifold.place(u, with_density=False)
            way = manifold.tangent(place, gap)
            size = np.sqrt((way * way).sum(axis=0))
            lost |= ~near & ~(size > 0.05 * distance)  # the goal lies across, not along
            way *= np.minimum(stride, distance) / np.maximum(size, 1e-300)
            moved, arrived = manifold.restore(u + way, place, 1e-8, 10)
            jump = np.sqrt(((moved - u) ** 2).sum(axis=0))
            lost |= ~near & (~arrived | ~(jump <= 2 * stride))
            np.copyto(u, moved, where=~(lost | near))
        return np.asarray(near & ~lost)


def _pairs(u: Array, labels: NDArray[np.int_], attempt: int, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """Choose pairs of points of different parts: nearest ones first, random ones later."""
    k = u.shape[1]
    classes, sizes = np.unique(labels, return_counts=True)
    main = classes[np.argmax(sizes)]
    if attempt == 0:  # each point to its nearest among those before it: at once a tree over all
        begin = np.arange(1, k)
        end = np.array([int(np.argmin(((u[:, :j] - u[:, j : j + 1]) ** 2).sum(axis=0))) for j in begin])
        return begin, end
    begin = np.flatnonzero(labels != main)
    end = np.empty_like(begin)
    for place, j in enumerate(begin):
        others = np.flatnonzero(labels != labels[j])
        if attempt % 2:
            gap = ((u[:, others] - u[:, j : j + 1]) ** 2).sum(axis=0)
            end[place] = others[np.argsort(gap, kind="stable")[min(attempt // 2, len(others) - 1)]]
        else:
            end[place] = rng.choice(others)
    return begin, end


def _root(parent: NDArray[np.int_], i: int) -> int:
    while parent[i] != i:
        i = int(parent[i])
    return i


def _roots(parent: NDArray[np.int_]) -> NDArray[np.int_]:
    return np.array([_root(parent, i) for i in range(len(parent))])
