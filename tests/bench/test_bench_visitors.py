"""The processes that the benchmark of many visitors starts."""

from pathlib import Path

import pytest

from bench.sections import visitors


def test_a_page_that_does_not_start_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "START_SECONDS", 0.1)
    with pytest.raises(RuntimeError, match="bare process ended with -9"), visitors.child("bare", tmp_path):
        pass
