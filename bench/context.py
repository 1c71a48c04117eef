"""State shared by the measurements: the two served models, started once, and how long that took."""

import asyncio
import time

import psutil

from common.errors import ArenaError
from models.config.registry import ROLES, PairSpec, Role, load_config
from models.serving.pair import ServedPair
from models.weights.find import find_weights

PAIR = "smol-135m"


class Bench:
    """One run of the benchmark. A context manager that stops the servers it started."""

    def __init__(self, quick: bool) -> None:
        self.quick = quick
        self.notes: list[str] = []
        self.ready_seconds: dict[Role, float] = {}
        self.server_gib = 0.0
        self._served: ServedPair | None = None

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *_: object) -> None:
        if self._served:
            self._served.stop()

    def served(self) -> ServedPair:
        """Both models, ready. The first call prepares the weights, then starts the servers and times them."""
        if self._served is None:
            config = load_config()
            pair = self._with_weights(config.pairs[PAIR])
            self._served = ServedPair(config, pair)
            before = tree_gib()
            begun = time.perf_counter()
            self._served.start()
            asyncio.run(self._wait(begun))
            self.server_gib = tree_gib() - before
        return self._served

    def _with_weights(self, pair: PairSpec) -> PairSpec:
        """The pair with its weights on disk. If nothing has been distilled yet, the base is used for both."""
        find_weights(pair.base.weights)
        try:
            find_weights(pair.distilled.weights, pair.base.weights)
        except ArenaError as error:
            self.notes.append(f"The base was served in the distilled model's place, which is of the same size: {error}")
            stand_in = pair.base.model_copy(update={"key": pair.distilled.key, "title": pair.distilled.title})
            return pair.model_copy(update={"distilled": stand_in})
        return pair

    async def _wait(self, begun: float) -> None:
        assert self._served

        async def ready(role: Role) -> None:
            assert self._served
            await self._served.wait_ready(role)
            self.ready_seconds[role] = time.perf_counter() - begun

        await asyncio.gather(*(ready(role) for role in ROLES))


def tree_gib() -> float:
    """Resident memory of all child processes, in GiB. Pages that several of them share are counted in each."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 2**30
