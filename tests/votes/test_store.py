"""Rows that were acknowledged are there: under threads, after `kill -9`, and when the database cannot be used."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.votes.helpers import Clock, make_replies, play
from votes.ballot import RevealRecord, Vote
from votes.casting.desk import Desk
from votes.errors import StoreError
from votes.store import Store
from votes.store.journal import Journal, waiting
from votes.store.tables import to_entry

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534


def reveal(number: int) -> RevealRecord:
    return RevealRecord(f"row-{number}", f"battle-{number}", "visitor", False, "2026-01-01T00:00:00.000+00:00")


def ids(store: Store) -> set[str]:
    return store.revealed()


def reopen(store: Store) -> Store:
    store.close()
    return Store(store.path)


def start_holder(path: Path) -> subprocess.Popen[str]:
    """Another process that has the database open until its input ends."""
    code = "import sys, duckdb; con = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "open\n"
    return holder


def test_what_is_written_is_read_back(store: Store, desk: Desk) -> None:
    battle = play(desk, sampling={"top_p": 0.9, "max_tokens": 5, "stop": None})
    desk.cast(battle, "visitor", "answers", "both_bad", ("safer",), "x")
    before = (list(store.votes()), store.ballots(), store.battle(battle), store.reveal_of(battle))
    again = reopen(store)
    assert (list(again.votes()), again.ballots(), again.battle(battle), again.reveal_of(battle)) == before
    assert again.notice == ""


def test_odd_text_is_kept(store: Store, desk: Desk) -> None:
    battle = play(desk)
    desk.cast(battle, "visitor", "answers", "a")
    [vote] = store.votes()
    odd = replace(vote.turns[0], a=replace(vote.turns[0].a, answer="nul \x00 lone \ud800 han 中 line\u2028"))
    store.append(replace(vote, row_id="odd", turns=(odd,)))
    assert list(store.votes())[1].turns[0].a.answer == "nul \x00 lone ? han 中 line\u2028"
    assert store.notice == ""


def test_the_same_row_twice_is_one_row(store: Store) -> None:
    store.append(reveal(1))
    store.append(reveal(1))
    with duckdb.connect(reopen(store).path) as con:
        assert con.execute("SELECT count(*) FROM reveals").fetchone() == (1,)


def test_many_threads_lose_nothing(store: Store) -> None:
    def write(worker: int) -> None:
        for number in range(10):
            store.append(reveal(1000 * worker + number))

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(16)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        ids(store)  # Reading at the same time disturbs nobody.
    assert len(ids(reopen(store))) == 160


KILLED = """
import sys, threading
from pathlib import Path
from tests.votes.test_store import reveal
from votes.store import Store
store, lock = Store(Path(sys.argv[1])), threading.Lock()
def write(worker):
    for number in range(10**6):
        row = 10**9 * int(sys.argv[2]) + 10**7 * worker + number
        store.append(reveal(row))
        with lock:
            print(row, flush=True)
for worker in range(4):
    threading.Thread(target=write, args=(worker,)).start()
"""


@pytest.mark.parametrize("locked", [False, True], ids=["database", "journal"])
def test_an_acknowledged_row_survives_kill_9(tmp_path: Path, locked: bool) -> None:
    path, acknowledged = tmp_path / "votes.duckdb", set[str]()
    holder = start_holder(path) if locked else None
    for life, count in enumerate((1, 60), start=1):
        writer = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path), str(life)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert writer.stdout is not None
        acknowledged |= {f"battle-{writer.stdout.readline().strip()}" for _ in range(count)}
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read().splitlines(keepends=True)
        acknowledged |= {f"battle-{line.strip()}" for line in rest if line.endswith("\n")}
        writer.wait(30)
    if holder is not None:
        holder.communicate(timeout=30)
    store = Store(path)
    assert store.notice == ""
    assert len(acknowledged) >= 61 and acknowledged <= ids(store)


def test_a_locked_database_costs_no_vote(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "votes.duckdb"
    Store(path).close()
    holder = start_holder(path)
    store = Store(path, clock=clock)
    desk = Desk(store, clock=clock)
    battle = play(desk)
    receipt = desk.cast(battle, "visitor", "answers", "a")
    assert "in use by another program" in receipt.notice and "journal" in receipt.notice
    assert desk.reveal(battle, "visitor") and Desk(store, clock=clock).load_battle(battle).verdicts == {"answers": "a"}
    holder.communicate(timeout=30)
    assert store.notice
    clock.now += 31
    assert [vote.row_id for vote in store.votes()] == [receipt.row_id]
    assert store.notice == "" and not list(tmp_path.glob("*.jsonl")) and len(list(tmp_path.glob("*.replayed"))) == 1
    assert len(list(reopen(store).votes())) == 1


def test_a_journal_that_is_being_written_is_left_alone(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "votes.duckdb"
    holder = start_holder(path)
    writing = Store(path, clock=clock)
    writing.append(reveal(1))
    holder.communicate(timeout=30)
    other = Store(path)
    assert ids(other) == set() and len(list(tmp_path.glob("*.jsonl"))) == 1
    other.close()
    clock.now += 31
    assert ids(writing) == {"battle-1"} and writing.notice == ""


@pytest.mark.parametrize("damage", ["garbage", "flipped", "empty"])
def test_a_corrupt_database_is_set_aside(store: Store, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    store.append(reveal(1))
    store.close()
    whole = store.path.read_bytes()
    flipped = whole[:4096] + bytes(255 - byte for byte in whole[4096:8192]) + whole[8192:]
    broken = {"garbage": b"no database" * 500, "flipped": flipped, "empty": b""}[damage]
    store.path.write_bytes(broken)
    again = Store(store.path)
    [aside] = store.path.parent.glob("*.corrupt-*")
    assert aside.read_bytes() == broken
    assert "damaged" in again.notice and store.path.stem + "." not in again.notice
    assert aside.name in caplog.text
    again.append(reveal(2))
    assert ids(reopen(again)) == {"battle-2"}


def test_damage_found_while_running_costs_no_row(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.append(reveal(1))
    insert, calls = "votes.store.database.insert_all", []

    def fail(con: object, entries: list[object]) -> None:
        calls.append(entries)
        raise duckdb.FatalException("FATAL Error: database has been invalidated")

    with monkeypatch.context() as patch:
        patch.setattr(insert, fail)
        store.append(reveal(2))
        assert calls and "cannot be used" in store.notice
    store.append(reveal(3))
    assert ids(store) == {"battle-1", "battle-2", "battle-3"}
    assert ids(reopen(store)) == {"battle-1", "battle-2", "battle-3"}


def as_nobody(work: Callable[[], None]) -> int:
    """Run `work` in a child without the rights of root; 0 when it passed."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.parametrize("spare", [False, True])
def test_a_read_only_folder(open_folder: Path, spare: bool) -> None:
    folder, other = open_folder / "home", open_folder / "spare"
    store = Store(folder / "votes.duckdb")
    store.append(reveal(1))
    store.close()
    other.mkdir()
    other.chmod(0o777)
    (folder / "votes.duckdb").chmod(0o444)
    folder.chmod(0o555)

    def work() -> None:
        limited = Store(folder / "votes.duckdb", spare=other if spare else None)
        assert "read-only" in limited.notice
        assert ids(limited) == {"battle-1"}
        if spare:
            limited.append(reveal(2))
            assert ids(limited) == {"battle-1", "battle-2"}
        else:
            with pytest.raises(StoreError, match=r"could not be saved.*no place to write it"):
                limited.append(reveal(2))

    assert as_nobody(work) == 0
    folder.chmod(0o755)
    (folder / "votes.duckdb").chmod(0o644)
    expected = {"battle-1", "battle-2"} if spare else {"battle-1"}
    assert ids(Store(folder / "votes.duckdb", spare=other)) == expected


def test_a_folder_that_may_not_be_entered(open_folder: Path) -> None:
    folder = open_folder / "closed"
    folder.mkdir(mode=0o700)

    def work() -> None:
        closed = Store(folder / "home" / "votes.duckdb")
        assert "read-only" in closed.notice
        with pytest.raises(StoreError, match="could not be saved"):
            closed.append(reveal(1))

    if os.getuid() == 0:
        assert as_nobody(work) == 0


def test_a_database_of_a_later_version_is_not_touched(store: Store) -> None:
    store.close()
    with duckdb.connect(store.path) as con:
        con.execute("INSERT INTO migrations VALUES (99, 'later', '')")
    again = Store(store.path)
    again.append(reveal(1))
    assert "later version" in again.notice and ids(again) == {"battle-1"}
    again.close()
    with duckdb.connect(store.path) as con:
        con.execute("DELETE FROM migrations WHERE step = 99")
    assert ids(Store(store.path)) == {"battle-1"}


def test_a_damaged_journal_gives_what_it_can(store: Store, tmp_path: Path) -> None:
    store.close()
    good = '{"table": "reveals", "row": {"row_id": "r", "battle_id": "b", "visitor": "v", "forfeited": true, '
    good += '"revealed_at": "2026"}}\n'
    lines = [good, "not json\n", '{"table": "nowhere", "row": {}}\n', '{"table": "reveals", "row": {}}\n', good[:30]]
    (tmp_path / "votes.journal-x-1.jsonl").write_text("".join(lines))
    again = Store(store.path)
    assert ids(again) == {"b"}
    assert "3 rows" in again.notice and (tmp_path / "votes.journal-x-1.damaged").exists()


def test_migrations_are_applied_once(store: Store) -> None:
    again = reopen(reopen(store))
    again.close()
    with duckdb.connect(store.path) as con:
        steps = con.execute("SELECT step, name FROM migrations ORDER BY step").fetchall()
    assert steps == [(1, "m001_votes_battles_reveals"), (2, "m002_licence_blocked_hidden")]


def test_a_vote_is_one_row_with_everything(store: Store, desk: Desk) -> None:
    desk.cast(play(desk), "visitor", "answers", "a")
    store.close()
    with duckdb.connect(store.path) as con:
        names = {row[0] for row in con.execute("DESCRIBE votes").fetchall()}
        thought = con.execute("SELECT turns->'$[0].a.thought' FROM votes").fetchone()
    assert names == set(Vote.__dataclass_fields__)
    assert thought is not None and "thought of" in thought[0]


def full_disk(monkeypatch: pytest.MonkeyPatch, folder: Path, written: int = 0) -> None:
    """Files of this folder can be created, but once one holds `written` bytes the disk is full."""
    sync = os.fsync

    def fsync(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if path.parent == folder and path.suffix == ".jsonl":
            os.truncate(path, written)
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("written", [0, 40])
def test_the_spare_folder_is_used_when_the_disk_is_full(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    home, spare = tmp_path / "home", tmp_path / "spare"
    holder = start_holder_at(home)
    store = Store(home / "votes.duckdb", spare=spare, clock=clock)
    with monkeypatch.context() as patch:
        full_disk(patch, home, written)
        store.append(reveal(1))
        store.append(reveal(2))
    assert not list(home.glob("*.jsonl")), "a journal that took nothing is not left behind"
    assert len(list(spare.glob("*/*.jsonl"))) == 1
    holder.communicate(timeout=30)
    clock.now += 31
    assert ids(store) == {"battle-1", "battle-2"} and store.notice == ""


def test_a_journal_that_fills_its_disk_goes_on_in_the_spare_folder(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, spare = tmp_path / "home", tmp_path / "spare"
    holder = start_holder_at(home)
    store = Store(home / "votes.duckdb", spare=spare, clock=clock)
    store.append(reveal(1))
    [journal] = home.glob("*.jsonl")
    before = journal.read_bytes()
    with monkeypatch.context() as patch:
        full_disk(patch, home, len(before) + 9)
        store.append(reveal(2))
    assert journal.read_bytes() == before, "half a line is taken back"
    store.append(reveal(3))
    holder.communicate(timeout=30)
    clock.now += 31
    assert ids(store) == {"battle-1", "battle-2", "battle-3"} and store.notice == ""


def test_what_no_folder_takes_is_refused_and_never_turns_up(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    holder = start_holder_at(home)
    store = Store(home / "votes.duckdb", clock=clock)
    with monkeypatch.context() as patch:
        full_disk(patch, home, 40)
        with pytest.raises(StoreError) as refusal:
            store.append(reveal(1))
    for word in (str(tmp_path), "votes.duckdb", "No space", "Error"):
        assert word not in str(refusal.value)
    holder.communicate(timeout=30)
    clock.now += 31
    assert ids(store) == set()


def start_holder_at(home: Path) -> subprocess.Popen[str]:
    Store(home / "votes.duckdb").close()
    return start_holder(home / "votes.duckdb")


CRASHED = """
import os, sys
from pathlib import Path
from tests.votes.test_store import reveal
from votes.store import Store
store = Store(Path(sys.argv[1]))
for number in range(9):
    store.append(reveal(number))
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("cut", [1, 300, 10**6])
def test_rows_lost_with_a_torn_log_are_noticed_once(tmp_path: Path, cut: int) -> None:
    path, log = tmp_path / "votes.duckdb", tmp_path / "votes.duckdb.wal"
    Store(path).close()  # the tables are in the file itself, the rows are in the log
    subprocess.run([sys.executable, "-c", CRASHED, str(path)], cwd=ROOT, check=False)
    log.write_bytes(log.read_bytes()[:-cut])
    store = Store(path)
    lost = 9 - len(ids(store))
    assert lost >= 1
    assert (f"{lost} rows" if lost > 1 else "One row") in store.notice and "lost" in store.notice
    store.append(reveal(99))
    assert reopen(store).notice == ""


def test_a_crash_that_loses_nothing_is_not_told_as_a_loss(tmp_path: Path) -> None:
    path = tmp_path / "votes.duckdb"
    subprocess.run([sys.executable, "-c", CRASHED, str(path)], cwd=ROOT, check=False)
    store = Store(path)
    assert len(ids(store)) == 9 and store.notice == ""
    again = reopen(store)
    again.append(reveal(1))  # there already
    assert reopen(again).notice == ""


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"null", b'{"votes": "x"}', b"\xff\xfe"])
def test_a_damaged_tally_is_no_loss(store: Store, text: bytes) -> None:
    store.append(reveal(1))
    store.close()
    store.path.with_name("votes.duckdb.tally").write_bytes(text)
    assert Store(store.path).notice == ""


@given(st.lists(st.integers(0, 30), max_size=20), st.integers(0, 400))
@settings(deadline=None, max_examples=40)
def test_a_journal_cut_anywhere_gives_every_whole_line(numbers: list[int], cut: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        journal = Journal([folder], "votes")
        paths = {journal.append([to_entry(reveal(number))]) for number in numbers}
        journal.close()
        for path in paths:
            content = path.read_bytes()[: -cut or None]
            path.write_bytes(content)
            [found] = waiting([folder], "votes")
            whole = numbers[: content.count(b"\n")]
            # A last line that lacks only its line end is whole.
            assert [entry.row["row_id"] for entry in found.entries][: len(whole)] == [f"row-{n}" for n in whole]
            assert len(found.entries) - len(whole) in (0, 1) and found.damaged == 0


def test_how_long_the_latest_turns_took_is_told_by_pair(tmp_path: Path) -> None:
    store, clock = Store(tmp_path / "votes.duckdb"), Clock()
    desk = Desk(store, clock=clock)
    assert store.waits("pair", 10) == []
    for number in range(1, 5):
        clock.now += 60
        battle = desk.open("visitor", pair="pair" if number < 4 else "other")
        replies = make_replies(seconds=float(number))
        replies["base"] = replace(replies["base"], seconds=0.5)
        desk.finish_turn(battle, desk.begin_turn(battle, "visitor", "Why?"), replies)
    assert store.waits("pair", 2) == [3.0, 2.0], "the newest first, of both sides the slower"
    assert store.waits("other", 10) == [4.0]
    store.close()
    assert store.waits("pair", 10) == []
