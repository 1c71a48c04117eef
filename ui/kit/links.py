"""Links from one part of the page to another."""

from urllib.parse import quote

from traces.cases.cases import Case, CaseRun


def case_link(case: Case, run: CaseRun | None = None) -> str:
    """The address, on this page, that opens the case, and one of its runs if there is one to open."""
    return f"?case={quote(case.key)}" + (f"&case_run={quote(run.id)}" if run else "")
