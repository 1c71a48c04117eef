"""Agreement statistics against library values and published worked examples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact
from sklearn.metrics import accuracy_score, cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa

from eval.statistics.agreement import agreement, agreement_by_chance, icc, krippendorff_alpha

LABELS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=60)


@given(LABELS)
def test_labels_agree_with_sklearn(pairs: list[tuple[str, str]]) -> None:
    judge, human = [a for a, _ in pairs], [b for _, b in pairs]
    found = agreement(judge, human)
    assert found.accuracy == pytest.approx(accuracy_score(human, judge))
    assert found.accuracy_low - 1e-12 <= found.accuracy <= found.accuracy_high + 1e-12
    if found.kappa is not None:
        assert found.kappa == pytest.approx(cohen_kappa_score(judge, human))
    assert sum(sum(row.values()) for row in found.confusion.values()) == len(pairs)


def test_kappa_of_a_textbook_table() -> None:
    """20 both yes, 15 both no, 5 and 10 mixed: observed 0.70, expected 0.50, kappa 0.40."""
    judge = ["y"] * 20 + ["y"] * 5 + ["n"] * 10 + ["n"] * 15
    human = ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    found = agreement(judge, human)
    assert (found.accuracy, found.kappa) == (pytest.approx(0.7), pytest.approx(0.4))
    reference = cohens_kappa(np.array([[15, 10], [5, 20]]))
    assert found.kappa_low == pytest.approx(reference.kappa_low, abs=1e-3)
    assert found.kappa_high == pytest.approx(reference.kappa_upp, abs=1e-3)


@pytest.mark.parametrize("labels", ["ab", "aabb", "abc" * 30])
def test_where_all_agree_kappa_has_no_interval(labels: str) -> None:
    found = agreement(list(labels), list(labels))
    assert (found.kappa, found.kappa_low, found.kappa_high) == (1.0, None, None)


@pytest.mark.parametrize(
    ("judge", "human", "expected"),
    [
        ("ab", "ab", 1 / 2),
        ("ba", "ab", 1.0),
        ("a", "a", 1.0),
        ("aab", "aab", 1 / 3),
        ("aabbb", "aabbb", 1 / 10),
        ("aabbb", "bbaaa", 1.0),  # it always disagrees
        ("abc", "abc", 1 / 6),
        ("aaaabbbb", "aaaabbbb", 1 / 70),
        ("aaaaa", "aaabb", 1.0),
    ],
)
def test_agreement_by_chance_against_counting(judge: str, human: str, expected: float) -> None:
    found = agreement_by_chance(agreement(list(judge), list(human)).confusion)
    assert found == pytest.approx(expected, abs=0.005)


def test_agreement_by_chance_is_fishers_test_for_two_labels() -> None:
    judge, human = ["y"] * 25 + ["n"] * 25, ["y"] * 20 + ["n"] * 5 + ["y"] * 12 + ["n"] * 13
    expected = fisher_exact([[20, 5], [12, 13]], alternative="greater").pvalue
    assert agreement_by_chance(agreement(judge, human).confusion) == pytest.approx(expected, abs=0.005)


def test_an_invalid_verdict_agrees_with_nothing() -> None:
    found = agreement([None, "safe", None, "unsafe"], ["safe", "safe", "unsafe", "unsafe"])
    assert (found.items, found.invalid, found.accuracy) == (4, 2, 0.5)
    assert found.confusion["safe"]["invalid"] == 1


def test_one_label_everywhere_has_no_kappa() -> None:
    assert agreement(["safe"] * 5, ["safe"] * 5).kappa is None


@pytest.mark.parametrize(("judge", "human"), [([], []), (["a"], ["a", "b"])])
def test_unequal_or_empty_input_is_refused(judge: list[str | None], human: list[str]) -> None:
    with pytest.raises(ValueError, match="as many"):
        agreement(judge, human)


def test_alpha_of_krippendorffs_own_example() -> None:
    """Krippendorff 2011, part C: four observers, twelve units, missing data; interval alpha 0.849."""
    n = None
    observers = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, n, n, n],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, n, 3],
        [n, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, n],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, n],
    ]
    assert krippendorff_alpha(observers) == pytest.approx(0.849, abs=5e-4)


def test_icc_of_shrout_and_fleiss() -> None:
    """Shrout and Fleiss 1979, table 2: six targets, four judges; ICC(2,1) = 0.29."""
    targets = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    raters = [list(column) for column in zip(*targets, strict=True)]
    assert icc(raters) == pytest.approx(0.29, abs=5e-3)


def test_perfect_agreement_and_nothing_to_agree_on() -> None:
    same = [[10, 50, 90], [10, 50, 90]]
    assert krippendorff_alpha(same) == pytest.approx(1.0)
    assert icc(same) == pytest.approx(1.0)
    assert krippendorff_alpha([[5, 5], [5, 5]]) is None
    assert krippendorff_alpha([[1, None], [None, 2]]) is None
    assert icc([[1, 2, 3]]) is None


@given(st.lists(st.lists(st.integers(0, 100), min_size=3, max_size=3), min_size=2, max_size=30))
def test_alpha_and_icc_never_pass_one(items: list[list[int]]) -> None:
    raters = [list(column) for column in zip(*items, strict=True)]
    for value in (krippendorff_alpha(raters), icc(raters)):
        assert value is None or value <= 1 + 1e-9
