"""Who may try again, or try twice: the effector's pool, its breaker, the root decision's share, and its tree's pool.

A tree is a root decision with all that its calls have submitted. What nests draws on its own effector's pool and on
the pool of its tree, so that layers do not multiply each other's extra work (`capacity.extra_work` says how).
"""

from __future__ import annotations

from typing import Any

from lictor.capacity.extra_work import EXTRA_PER_ROOT_MAX, ExtraWorkPool
from lictor.declarations.effectors import Effector
from lictor.errors import Code

from .executing import Executing
from .work import Work


class ExtraAttempts:
    """The extra attempts of one node."""

    def __init__(self, executor: Executing) -> None:
        self._executor = executor
        #: Extra attempts so far, by root decision.
        self.spent: dict[int, int] = {}
        #: Decisions whose calls have submitted others that have been attempted.
        self.nesting: set[int] = set()
        #: Child -> root, and how many children of a root are open: a root that closes first leaves them its share.
        self.roots: dict[int, int] = {}
        self._children: dict[int, int] = {}
        #: Pools of trees, by the effector of their roots.
        self._trees: dict[str, ExtraWorkPool] = {}

    def adopt(self, work: Work) -> None:
        """A child is open."""
        parent = work.open.decision.parent
        if parent is not None and work.open.decision.id not in self.roots:
            root = self.roots[work.open.decision.id] = self.roots.get(parent, parent)
            self._children[root] = self._children.get(root, 0) + 1

    def _root(self, work: Work) -> int:
        decision = work.open.decision.id
        return self.roots.get(decision, decision) if self.roots else decision

    def nested(self, work: Work) -> None:
        """A first attempt of a child has come back.

        One at the leaves of a tree pays for the whole tree, unless an extra attempt above has brought it about.
        """
        extra, root = False, work
        while (parent := self._parent(root)) is not None:
            self.nesting.add(parent.open.decision.id)
            extra = extra or any(action.attempts > 1 for action in parent.open.actions)
            root = parent
        if not extra and work.open.decision.id not in self.nesting:
            self._tree(root).deposit()

    def refused(self, work: Work, effector: Effector[..., Any]) -> str | None:
        """Why there is no extra attempt; None when there is, and it is paid for."""
        lane = self._executor.lanes[effector.name]
        root = self._root(work)
        spent = self.spent.get(root, 0)
        if lane.breaker.open or spent >= EXTRA_PER_ROOT_MAX:
            return Code.RETRY_BUDGET
        tree = self._tree(self._top(work)) if work.depth or work.open.decision.id in self.nesting else None
        if (tree is not None and tree.tokens < 1.0) or not lane.pool.withdraw():
            return Code.RETRY_BUDGET
        if tree is not None:
            tree.withdraw()
        self.spent[root] = spent + 1
        return None

    def recovered(self, work: Work) -> None:
        """Extra attempts of an earlier incarnation stay spent, so that crashes do not multiply them (I17)."""
        self.adopt(work)
        extra = sum(max(0, action.attempts - 1) for action in work.open.actions)
        if extra:
            root = self._root(work)
            self.spent[root] = self.spent.get(root, 0) + extra

    def forget(self, decision: int) -> None:
        """A decision is closed. What its tree has spent is known as long as any of it is open."""
        self.nesting.discard(decision)
        root = self.roots.pop(decision, None)
        if root is not None:
            left = self._children.pop(root) - 1
            if left:
                self._children[root] = left
            elif root not in self._executor.work:
                self.spent.pop(root, None)
        elif decision not in self._children:
            self.spent.pop(decision, None)

    def _tree(self, root: Work) -> ExtraWorkPool:
        plan = root.open.plan
        name = root.effector or (plan.actions[0].effector if plan else "")
        found = self._trees.get(name)
        if found is None:
            found = self._trees[name] = ExtraWorkPool(self._executor.app.effectors[name].extra_work)
        return found

    def _top(self, work: Work) -> Work:
        while (parent := self._parent(work)) is not None:
            work = parent
        return work

    def _parent(self, work: Work) -> Work | None:
        parent = work.open.decision.parent
        return None if parent is None else self._executor.work.get(parent)
