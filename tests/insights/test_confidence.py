"""Whether an answer sounds sure of itself: hedges in both languages, and what is none."""

import pytest

from insights.confidence import hedge_in, tone_of


@pytest.mark.parametrize(
    ("answer", "hedge"),
    [
        ("It is probably 5.", "probably"),
        ("I think that \\boxed{5} is right.", "I think"),
        ("I am not entirely sure, but 5.", "not entirely sure"),
        ("This seems to be 5; I could be wrong.", "seems to be"),
        ("答案可能是 5。", "可能"),
        ("有可能是 5。", "可能"),
        ("应该是 5，但我不太确定。", "应该是"),
    ],
)
def test_a_hedge_is_found(answer: str, hedge: str) -> None:
    assert hedge_in(answer) == hedge and tone_of(answer, states_answer=True) == "hedged"


@pytest.mark.parametrize(
    "answer",
    [
        "The probability of two equally likely events is \\boxed{1/2}.",
        "It may be written as 5. A possible value is 5, surely.",
        "所有可能的取值共 5 种，可能性为 1/2，不可能更多。",
        "两种可能，答案确定为 5。",
    ],
)
def test_words_of_mathematics_are_no_hedges(answer: str) -> None:
    assert hedge_in(answer) == "" and tone_of(answer, states_answer=True) == "confident"


def test_without_a_final_answer_nothing_is_claimed() -> None:
    assert tone_of("Let us see.", states_answer=False) == "without an answer"
    assert tone_of("Perhaps.", states_answer=False) == "hedged"
