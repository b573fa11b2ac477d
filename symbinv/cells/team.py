"""Processes that work on parts of a search together; what is found does not depend on how many they are.

The topmost parts of the stack are handed out, this process works too, and results are taken in the order of the
stack. Helpers are interpreters of their own, started from this package and not by forking or from the
user's script, so nothing of that script runs again. They speak through pipes in plain data. A search that is
over soon starts none, and those of an earlier search are kept for the next.
"""

import atexit
import json
import marshal
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import IO, Any, cast

from threadpoolctl import ThreadpoolController

from symbinv.cells.half_space_search import HalfSpaceSearch
from symbinv.cells.half_space_wire import (
    read_branch,
    read_half_space_part,
    read_half_space_search,
    write_branch,
    write_half_space_part,
    write_half_space_search,
)
from symbinv.cells.search import Search, collection_paused
from symbinv.cells.wire import read_batches, read_part, read_search, write_batches, write_part, write_search
from symbinv.cores import available_cores
from symbinv.errors import OptionError

PATIENCE = 1.0  # seconds of work after which helpers are started
PILE = 256  # parts that may be done before their turn
AHEAD = 2  # parts that a helper holds, so that it need not wait for the next
READY = "ready"
START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from symbinv.cells.team import serve; serve()"
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def check_workers(workers: int | None) -> int:
    """Return a number of processes; None stands for one a core.

    Raises:
        OptionError: For a number below 1.
    """
    if workers is None:
        return available_cores()
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise OptionError(f"workers must be a positive integer or None, not {workers!r}.")
    return workers


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def _write(stream: IO[bytes], message: Any) -> None:
    data = marshal.dumps(message)
    stream.write(len(data).to_bytes(8, "little"))
    stream.write(data)
    stream.flush()


def _listen(stream: IO[bytes], take: Callable[[Any], None]) -> None:
    """Pass on every message of a stream, and None at its end."""
    try:
        while len(head := stream.read(8)) == 8:
            size = int.from_bytes(head, "little")
            data = stream.read(size)
            if len(data) < size:
                break
            take(marshal.loads(data))
    except (OSError, ValueError, EOFError):
        pass
    take(None)


class Helper:
    """A process that works on parts.

    Attributes:
        held: The numbers of the parts it has been given and not returned.
        is_ready: Whether it has started up.
        inbox: Where its messages go, each with the helper itself.
    """

    def __init__(self) -> None:
        environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1")}
        command = [sys.executable, "-P", "-c", START, json.dumps(sys.path)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True
        )
        self.held: list[int] = []
        self.is_ready = False
        self.inbox: Inbox = SimpleQueue()
        self._listener = threading.Thread(
            target=_listen, args=(self.process.stdout, lambda m: self.inbox.put((self, m))), daemon=True
        )
        self._listener.start()

    def send(self, message: Any) -> bool:
        """Send a message; tell whether the process still takes any."""
        assert self.process.stdin is not None
        try:
            _write(self.process.stdin, message)
        except (OSError, ValueError):
            return False
        return True

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        self._listener.join()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()


class Reserve:
    """Helpers without work, kept for the next search."""

    def __init__(self) -> None:
        self.idle: list[Helper] = []
        self._owner = os.getpid()

    def hire(self) -> Helper | None:
        """Return an idle helper or a new one; None where no process can be started."""
        if self._owner != os.getpid():  # forked: they belong to another process
            self._owner = os.getpid()
            self.idle.clear()
        while self.idle:
            helper = self.idle.pop()
            if helper.process.poll() is None:
                return helper
            helper.end()
        try:
            return Helper() if sys.executable else None
        except OSError:
            return None

    def dismiss(self) -> None:
        """End all."""
        while self._owner == os.getpid() and self.idle:
            self.idle.pop().end()


Inbox = SimpleQueue[tuple[Helper, Any]]
RESERVE = Reserve()
atexit.register(RESERVE.dismiss)


@dataclass(frozen=True)
class Kind:
    """How a kind of search, its tasks and their results are written and read.

    A search has a `stack` of tasks, the next one last; `work` does a task without changing the search and
    returns a result whose tasks are `left`; `copy` copies a task.
    """

    name: str
    write_search: Callable[[Any], Any]
    read_search: Callable[[Any], Any]
    write_task: Callable[[Any, Any], Any]
    read_task: Callable[[Any, Any], Any]
    write_part: Callable[[Any, Any], Any]
    read_part: Callable[[Any, Any], Any]


CELLS = Kind(
    "cells",
    write_search,
    read_search,
    lambda search, batch: write_batches(search, [batch]),
    lambda search, data: read_batches(search, data)[0],
    write_part,
    read_part,
)
HALF_SPACES = Kind(
    "half-spaces",
    write_half_space_search,
    read_half_space_search,
    lambda _, branch: write_branch(branch),
    lambda _, data: read_branch(data),
    lambda _, part: write_half_space_part(part),
    read_half_space_part,
)
KINDS = {kind.name: kind for kind in (CELLS, HALF_SPACES)}


class Team:
    """This process and its helpers at work on one search.

    Args:
        search: Gives the stack, of which `next_part` does the topmost task.
        workers: How many processes, this one included; None for one a core.
    """

    def __init__(self, search: Search | HalfSpaceSearch, workers: int | None) -> None:
        self.search: Any = search
        self._kind = CELLS if isinstance(search, Search) else HALF_SPACES
        self.size = check_workers(workers)
        self.helpers: list[Helper] = []
        self._inbox: Inbox = SimpleQueue()
        self._done: dict[int, Any] = {}  # by the identity of the task
        self._given: dict[int, Any] = {}  # by the number of the part
        self._taken: set[int] = set()
        self._count = 0
        self._began = time.monotonic()
        self._hired = self.size == 1

    def __enter__(self) -> "Team":
        self._threads = _controller().limit(limits=1, user_api="blas")  # as in helpers, bit by bit
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._threads.restore_original_limits()
        for helper in self.helpers:
            if helper.held or not helper.is_ready or kind not in (None, GeneratorExit):
                helper.end()
            else:
                RESERVE.idle.append(helper)
        self.helpers = []

    def next_part(self) -> Any:
        """Return the result of the topmost task of the stack."""
        search = self.search
        front = search.stack[-1]
        patience = PATIENCE / 8 if RESERVE.idle else PATIENCE
        if not self._hired and time.monotonic() - self._began >= patience and len(search.stack) > 1:
            self._hire()
        while id(front) not in self._done:
            self._collect(wait=False)
            if id(front) in self._done:
                break
            self._hand_out()
            mine = next(self._open(search.stack), None)
            if mine is front:
                return search.work(front)
            if mine is None:
                self._collect(wait=True)
            else:  # a copy, so that the task is as it was if its turn never comes
                self._done[id(mine)] = search.work(search.copy(mine))
        return self._done.pop(id(front))

    def _open(self, stack: Sequence[Any]) -> Iterator[Any]:
        """Yield the tasks that nobody has begun, in the order of the search."""
        if len(self._done) >= PILE:
            stack = stack[-1:]
        for task in reversed(stack):
            if id(task) in self._done:
                yield from self._open(self._done[id(task)].left)
            elif id(task) not in self._taken:
                yield task

    def _hire(self) -> None:
        self._hired = True
        for _ in range(self.size - 1):
            helper = RESERVE.hire()
            if helper is None:
                return
            self.helpers.append(helper)
            helper.inbox = self._inbox
            if helper.is_ready and not helper.send(self._job()):
                self._lose(helper)

    def _job(self) -> Any:
        return "search", self._kind.name, self._kind.write_search(self.search)

    def _hand_out(self) -> None:
        """Give every helper parts enough, the topmost but one first: the topmost is done here."""
        if not self.helpers:
            return
        waiting = self._open(self.search.stack)
        if next(waiting, None) is not self.search.stack[-1]:
            waiting = self._open(self.search.stack)
        for helper in [h for h in self.helpers if h.is_ready]:
            while len(helper.held) < AHEAD:
                task = next(waiting, None)
                if task is None:
                    return
                self._count += 1
                if not helper.send(("part", self._count, self._kind.write_task(self.search, task))):
                    self._lose(helper)
                    break
                self._given[self._count] = task
                self._taken.add(id(task))
                helper.held.append(self._count)

    def _collect(self, wait: bool) -> None:
        """Take what helpers have done; wait for the first message where nothing else is to be done."""
        while True:
            try:
                helper, message = self._inbox.get(block=wait)
            except Empty:
                return
            wait = False
            if helper not in self.helpers:
                continue
            if message is None:
                self._lose(helper)
            elif message == READY:
                helper.is_ready = True
                if not helper.send(self._job()):
                    self._lose(helper)
            else:
                number, data = message
                place = id(self._given.pop(number))
                self._taken.remove(place)
                helper.held.remove(number)
                if data is not None:  # else it failed there; it is done again here, and raises here
                    self._done[place] = self._kind.read_part(self.search, data)

    def _lose(self, helper: Helper) -> None:
        """Take back the parts of a helper that has ended."""
        for number in helper.held:
            self._taken.remove(id(self._given.pop(number)))
        helper.held = []
        helper.end()
        self.helpers.remove(helper)


def serve() -> None:
    """Work on parts for another process until its pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what is printed goes where errors go, never between messages
    inbox: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, inbox.put), daemon=True).start()
    _write(output, READY)
    kind, search = CELLS, cast(Any, None)  # a search is always sent first
    with collection_paused():
        while True:
            message = inbox.get()
            if message is None:
                os._exit(0)
            if message[0] == "search":
                kind = KINDS[message[1]]
                search = kind.read_search(message[2])
                continue
            _, number, data = message
            try:
                answer = kind.write_part(search, search.work(kind.read_task(search, data)))
            except Exception:
                answer = None
            try:
                _write(output, (number, answer))
            except OSError:
                os._exit(0)
