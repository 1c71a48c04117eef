"""Rows come back from a repository: after `kill -9` and a lost disk, from other replicas, and past what is damaged."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from common.errors import ConfigError, DataError
from tests.votes.helpers import Clock, play
from votes.backup.keeper import Keeper
from votes.backup.repository import Fetched, FolderRepository, HubRepository, open_repository
from votes.ballot import HiddenRecord, RevealRecord
from votes.casting.desk import Desk
from votes.errors import UnknownBattle
from votes.store import Store

ROOT = Path(__file__).resolve().parents[3]
INTERVAL = 0.5


def keeper_of(store: Store, folder: Path, **options: float) -> Keeper:
    folder.mkdir(exist_ok=True)
    return Keeper(store, FolderRepository(folder), **options)


def reveal(name: object) -> RevealRecord:
    return RevealRecord(f"row-{name}", f"battle-{name}", "visitor", False, "2026-01-01T00:00:00.000+00:00")


VOTING = f"""
import sys, time
from pathlib import Path
from tests.votes.backup.test_keeper import keeper_of, reveal
from votes.store import Store
store = Store(Path(sys.argv[1]) / "votes.duckdb")
keeper_of(store, Path(sys.argv[2]), seconds={INTERVAL}).start()
for number in range(10**6):
    store.append(reveal(f"{{sys.argv[3]}}-{{number}}"))
    print(number, time.time(), flush=True)
    time.sleep(0.01)
"""


@pytest.mark.parametrize("life", [1, 2])
def test_what_was_acknowledged_before_the_last_interval_survives_kill_9_and_the_loss_of_the_disk(
    tmp_path: Path, life: int
) -> None:
    repository = tmp_path / "repository"
    page = subprocess.Popen(
        [sys.executable, "-c", VOTING, str(tmp_path / f"disk {life}"), str(repository), str(life)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert page.stdout is not None
    acknowledged = [page.stdout.readline().split()]
    files = FolderRepository(repository)
    end = time.time() + 2 * INTERVAL + random.random()  # at any moment between two pushes
    while time.time() < end or len(files.names()) < 3:
        acknowledged.append(page.stdout.readline().split())
    os.kill(page.pid, signal.SIGKILL)
    page.communicate()
    with_new_disk = Store(tmp_path / "new disk" / "votes.duckdb")
    keeper_of(with_new_disk, repository).sync()
    # The last push began after the one before it had ended, however long a busy machine took for either.
    pushed_before = sorted((repository / name).stat().st_mtime for name in files.names())[-2]
    old = {f"battle-{life}-{n}" for n, at in acknowledged if float(at) < pushed_before}
    assert old and old <= with_new_disk.revealed()
    with_new_disk.close()


def test_everything_of_a_battle_comes_back(store: Store, desk: Desk, tmp_path: Path) -> None:
    battle = play(desk, sampling={"top_p": 0.9, "stop": None}, seed=7)
    desk.cast(battle, "visitor", "answers", "a", ("safer",), "a comment")
    desk.undo(battle, "visitor")
    desk.cast(battle, "visitor", "answers", "b", licence="CC-BY-4.0")
    desk.reveal(battle, "visitor")
    assert keeper_of(store, tmp_path / "repository").sync() == (0, 5)
    again = Store(tmp_path / "again.duckdb")
    keeper = keeper_of(again, tmp_path / "repository")
    assert keeper.sync() == (5, 0)
    assert again.battle(battle) == store.battle(battle) and again.reveal_of(battle) == store.reveal_of(battle)
    assert again.votes_of(battle) == store.votes_of(battle) and again.ballots() == store.ballots()
    # The desk goes on where it was, with the visitor's own battle.
    assert Desk(again, clock=Clock()).mine(battle, "visitor").record == store.battle(battle)
    again.close()


def test_nothing_new_adds_no_file(store: Store, tmp_path: Path) -> None:
    keeper = keeper_of(store, tmp_path / "repository")
    assert keeper.sync() == (0, 0)
    store.append(reveal(1))
    assert [keeper.sync(), keeper.sync()] == [(0, 1), (0, 0)]
    # Another start finds in the repository what was pushed before it.
    assert keeper_of(store, tmp_path / "repository").sync() == (0, 0)
    assert len(FolderRepository(tmp_path / "repository").names()) == 1


def test_replicas_share_what_they_have(tmp_path: Path) -> None:
    stores = [Store(tmp_path / f"{number}.duckdb") for number in range(3)]
    clock = Clock()  # all push in the same second
    keepers = [keeper_of(store, tmp_path / "repository", clock=clock) for store in stores]
    for turn in range(2):
        for number, store in enumerate(stores):
            store.append(reveal(f"{turn}-{number}"))
        for keeper in keepers:
            keeper.sync()
    for keeper in keepers:
        keeper.sync()
    assert all(len(store.revealed()) == 6 for store in stores)
    assert len(FolderRepository(tmp_path / "repository").names()) == 6
    for store in stores:
        store.close()


def test_two_pages_that_share_only_their_copies_both_get_everything_back(tmp_path: Path) -> None:
    battles = []
    for number in range(2):
        store = Store(tmp_path / f"page {number}" / "votes.duckdb")
        desk = Desk(store, clock=Clock())
        battles.append(play(desk, f"visitor {number}"))
        desk.cast(battles[-1], f"visitor {number}", "answers", "ab"[number])
        keeper_of(store, tmp_path / "repository").sync()
        store.close()
    for number in range(2):  # both disks are lost
        store = Store(tmp_path / f"new page {number}" / "votes.duckdb")
        assert keeper_of(store, tmp_path / "repository").sync() == (4, 0)
        assert [len(store.votes_of(battle)) for battle in battles] == [1, 1]
        assert len(store.ballots()) == 2
        store.close()


def test_a_battle_hidden_on_one_desk_is_hidden_on_the_page(store: Store, desk: Desk, tmp_path: Path) -> None:
    battle = play(desk)
    desk.cast(battle, "visitor", "answers", "a")
    page = keeper_of(store, tmp_path / "repository")
    page.sync()
    owners = Store(tmp_path / "owner.duckdb")
    owner = keeper_of(owners, tmp_path / "repository")
    owner.sync()
    owners.append(HiddenRecord("row", battle, True, "a name", "2027-01-15T08:00:00.000+00:00"))
    owner.sync()
    assert desk.load_battle(battle)
    page.sync()
    with pytest.raises(UnknownBattle, match="taken down"):
        desk.load_battle(battle)
    assert store.ballots() == []
    owners.close()


def test_while_rows_come_back_a_battle_that_was_taken_down_is_never_readable(
    store: Store, desk: Desk, tmp_path: Path
) -> None:
    battle = play(desk)
    desk.cast(battle, "visitor", "answers", "a")
    desk.reveal(battle, "visitor")
    page = keeper_of(store, tmp_path / "repository")
    page.sync()
    store.append(HiddenRecord("row", battle, True, "a name", "2027-01-15T08:00:00.000+00:00"))
    page.sync()
    again = Store(tmp_path / "again.duckdb")
    restarted, readable, tables = Desk(again, clock=Clock()), [], []

    class Slow(FolderRepository):
        def fetch(self, names: Iterable[str]) -> Iterator[Fetched]:
            for each in super().fetch(names):
                tables.append(each.name.split("/")[0])
                yield each
                with contextlib.suppress(UnknownBattle):
                    readable.append(restarted.load_battle(battle))

    Keeper(again, Slow(tmp_path / "repository")).sync()
    assert tables == ["hidden", "reveals", "votes", "battles"] and readable == []
    assert again.battle(battle) == store.battle(battle)
    again.close()


def test_a_folder_that_is_not_there_is_no_empty_one(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "bucket" / "votes"
    store.append(reveal(1))
    keeper = Keeper(store, FolderRepository(folder))
    with pytest.raises(DataError, match=r"There is no folder .*votes for the copies"):
        keeper.sync()
    keeper.stop()
    assert "has not worked" in keeper.sentence and not folder.parent.exists()
    folder.mkdir(parents=True)
    assert keeper.sync() == (0, 1), "what was not copied then is copied now"


def test_fetching_copies_nothing_and_single_rows_can_be_pushed(store: Store, tmp_path: Path) -> None:
    for number in range(3):
        store.append(reveal(number))
    keeper = keeper_of(store, tmp_path / "repository")
    assert keeper.fetch() == 0 and FolderRepository(tmp_path / "repository").names() == set()
    keeper.push([reveal(1)])
    assert [row.row_id for row in keeper.new_rows()] == ["row-0", "row-2"]
    other = Store(tmp_path / "other.duckdb")
    assert keeper_of(other, tmp_path / "repository").fetch() == 1 and other.revealed() == {"battle-1"}
    other.close()


@pytest.mark.parametrize("content", [b"", b"no parquet", b"PAR1 but torn"])
def test_a_damaged_file_is_left_out_and_told(store: Store, tmp_path: Path, content: bytes) -> None:
    repository = tmp_path / "repository"
    (repository / "votes").mkdir(parents=True)
    (repository / "votes" / "odd.parquet").write_bytes(content)
    (repository / "other").mkdir()
    (repository / "other" / "thing.parquet").write_bytes(content)
    (repository / "readme.parquet").write_bytes(content)
    store.append(reveal(1))
    keeper = keeper_of(store, repository)
    assert keeper.sync() == (0, 1)
    assert "One file there is unreadable" in keeper.sentence


def test_a_file_of_other_columns_is_left_out(store: Store, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "repository" / "reveals").mkdir(parents=True)
    pq.write_table(pa.table({"row_id": ["x"]}), tmp_path / "repository" / "reveals" / "x.parquet")
    keeper = keeper_of(store, tmp_path / "repository")
    assert keeper.sync() == (0, 0) and "unreadable" in keeper.sentence


class Away(FolderRepository):
    """A repository that is out of reach while `away`."""

    away = True

    def names(self) -> set[str]:
        if self.away:
            raise DataError("The dataset cannot be reached.")
        return super().names()


def test_the_page_says_how_often_and_that_it_does_not_work(store: Store, tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()
    repository = Away(tmp_path / "repository")
    keeper = Keeper(store, repository, clock=Clock())
    assert "every 5 minutes" in keeper.sentence and "being fetched" in keeper.sentence
    store.append(reveal(1))
    keeper.stop()
    assert "has not worked;" in keeper.sentence and keeper.failures == 1
    repository.away = False
    keeper.stop()
    assert "votes of the last 5 minutes are lost" in keeper.sentence
    assert str(tmp_path) not in keeper.sentence
    repository.away = True
    keeper.stop()
    assert "has not worked since 08:00 UTC" in keeper.sentence


def test_the_end_pushes_what_is_new(store: Store, tmp_path: Path) -> None:
    keeper = keeper_of(store, tmp_path / "repository", seconds=3600)
    keeper.start()
    until = time.monotonic() + 20
    while keeper.copied_at is None and time.monotonic() < until:
        time.sleep(0.02)
    store.append(reveal(1))
    keeper.stop()
    assert len(FolderRepository(tmp_path / "repository").names()) == 1


def test_rows_that_wait_in_a_journal_are_copied_too(tmp_path: Path) -> None:
    (tmp_path / "votes.duckdb").mkdir()  # no database can be opened there
    store = Store(tmp_path / "votes.duckdb")
    store.append(reveal(1))
    assert store.notice
    assert keeper_of(store, tmp_path / "repository").sync() == (0, 1)
    store.close()


class Hub:
    """What the hub's client would answer, on a folder."""

    def __init__(self, folder: Path, private: bool = True) -> None:
        self.folder, self.private, self.commits = folder, private, 0

    def create_repo(self, repo: str, *, repo_type: str, private: bool, exist_ok: bool) -> None:
        assert (repo_type, private, exist_ok) == ("dataset", True, True)

    def repo_info(self, repo: str, *, repo_type: str) -> "Hub":
        return self

    def list_repo_files(self, repo: str, *, repo_type: str) -> list[str]:
        return [".gitattributes", *FolderRepository(self.folder).names()]

    def hf_hub_download(self, repo: str, name: str, *, repo_type: str) -> str:
        return str(self.folder / name)

    def create_commit(self, repo: str, added: list, *, commit_message: str, repo_type: str) -> None:
        self.commits += 1
        FolderRepository(self.folder).add({a.path_in_repo: Path(a.path_or_fileobj) for a in added}, "")


def test_a_dataset_of_the_hub_works_alike(store: Store, desk: Desk, tmp_path: Path) -> None:
    battle = play(desk)
    desk.cast(battle, "visitor", "answers", "a")
    (tmp_path / "hub").mkdir()
    hub = Hub(tmp_path / "hub")
    assert Keeper(store, HubRepository("me/votes", api=hub)).sync() == (0, 2)
    assert hub.commits == 1  # one for all tables
    again = Store(tmp_path / "again.duckdb")
    assert Keeper(again, HubRepository("me/votes", api=hub)).sync() == (2, 0)
    assert again.votes_of(battle) == store.votes_of(battle)
    again.close()


def test_a_public_dataset_is_refused(store: Store, tmp_path: Path) -> None:
    store.append(reveal(1))
    with pytest.raises(DataError, match="public"):
        Keeper(store, HubRepository("me/votes", api=Hub(tmp_path, private=False))).sync()
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_hub_out_of_reach_is_a_sentence(store: Store) -> None:
    from httpx2 import ConnectError

    class Gone(Hub):
        def create_repo(self, *_: object, **__: object) -> None:
            raise ConnectError("no route")

    with pytest.raises(DataError, match="cannot be reached"):
        Keeper(store, HubRepository("me/votes", api=Gone(Path("/")))).sync()


@pytest.mark.parametrize("where", ["me", "me/votes/x", "https://example.org/me/votes", "", "me votes/x"])
def test_what_names_no_repository_is_refused(where: str) -> None:
    with pytest.raises(ConfigError, match="JOURNEY_VOTES_REPO"):
        open_repository(where)


def test_a_folder_and_a_dataset_are_told_apart(tmp_path: Path) -> None:
    folder = open_repository(f"{tmp_path}/x")
    assert isinstance(folder, FolderRepository)
    assert isinstance(open_repository("me/votes"), HubRepository)
