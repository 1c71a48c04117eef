"""The rules of equivalence without workers: notations, units, and what holds for every answer."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.grading.equality import assignment, claimed, congruence, members, same_name
from eval.grading.equivalence import compare, is_listed, quick
from eval.grading.notation import as_pieces, covered, in_radians, matrix_cells, split_list
from eval.grading.numerals import based, numeral
from eval.grading.partwise import Equality
from eval.grading.spelling import clean
from eval.grading.units import parse_unit, split_unit


def undecided(answer: str, gold: str) -> Equality:
    return Equality(None, "not asked")


NUMERALS = [
    ("025", Fraction(25)),
    ("1,234", Fraction(1234)),
    ("12,34", None),
    (".5", Fraction(1, 2)),
    ("-0.5", Fraction(-1, 2)),
    (r"\frac59", Fraction(5, 9)),
    (r"-\frac{35}{9}", Fraction(-35, 9)),
    (r"\frac{270}7", Fraction(270, 7)),
    ("22/7", Fraction(22, 7)),
    (r"137 \frac{1}{2}", Fraction(275, 2)),
    ("1 1/2", Fraction(3, 2)),
    (r"6.7\times10^{-5}", Fraction(67, 1_000_000)),
    ("1e3", Fraction(1000)),
    (r"0.1\overline{6}", Fraction(1, 6)),
    (r"5\frac{3}{2}", Fraction(15, 2)),
    ("1 000 000", Fraction(1_000_000)),
    ("２½", Fraction(5, 2)),
    ("1/0", None),
    ("1 2", None),
    ("x", None),
    ("", None),
    (".", None),
]


@pytest.mark.parametrize(("text", "value"), NUMERALS)
def test_numerals_are_read_exactly(text: str, value: Fraction | None) -> None:
    assert numeral(clean(text)) == value


@given(st.fractions(max_denominator=10**6))
def test_any_fraction_reads_back(value: Fraction) -> None:
    sign = "-" if value < 0 else ""
    assert numeral(f"{sign}\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}") == value
    assert numeral(f"{value.numerator}/{value.denominator}") == value


@given(st.integers(min_value=0, max_value=10**12))
def test_thousands_separators_change_nothing(value: int) -> None:
    for text in (f"{value:,}", f"{value:,}".replace(",", "{,}"), f"{value:,}".replace(",", ",\\!"), f"00{value}"):
        assert numeral(clean(text)) == value


UNITS = [
    (r"5\text{ cm}", "5", "length", Fraction(1, 100)),
    (r"864 \mbox{ inches}^2", "864", "length^2", Fraction(127, 5000) ** 2),
    ("864 square inches", "864", "length^2", Fraction(127, 5000) ** 2),
    (r"\$18.90", "18.90", "dollar", Fraction(1)),
    (r"90^\circ", "90", "degree", Fraction(1)),
    (r"10\%", "10", "%", Fraction(1, 100)),
    (r"60\text{ miles per hour}", "60", "length/time", Fraction(201168, 125 * 3600)),
    ("60 km/h", "60", "length/time", Fraction(1000, 3600)),
]


@pytest.mark.parametrize(("text", "body", "dimension", "factor"), UNITS)
def test_units_are_split_off(text: str, body: str, dimension: str, factor: Fraction) -> None:
    value, unit = split_unit(clean(text), bare_letters=False)
    assert unit is not None
    assert (value, unit.dimension, unit.factor) == (body, dimension, factor)


@pytest.mark.parametrize("text", ["2k", "2d", "5t", "3R^2", "2k+2", r"\cot x", "5 m", r"\sin 30^\circ", "xy"])
def test_letters_of_algebra_are_no_units(text: str) -> None:
    assert split_unit(clean(text), bare_letters=False) == (clean(text), None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("5 million", "5000000"), (r"-2.5\text{ thousand}", "-2500"), (r"5\text{ dozen eggs}", r"60\text{ eggs}"),
        (r"\frac{1}{3} dozen", "4"), (r"\frac{1}{7} dozen", r"\frac{12}{7}"), (r"\{2 million, 3\}", r"\{2000000, 3\}"),
        ("5 thousandths", "5 thousandths"), ("x_2 million", "x_2 million"), ("two million", "two million"),
    ],
)  # fmt: skip
def test_number_words_are_part_of_the_number(text: str, shown: str) -> None:
    assert clean(text) == shown
    assert clean(clean(text)) == clean(text)


def test_words_that_are_no_unit_are_none() -> None:
    assert parse_unit("apples") is None
    assert parse_unit("a/b/c") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("4210_5", ("4210", 5)), ("4210_{5}", ("4210", 5)), ("4210 base 5", ("4210", 5)), (r"1A_{16}", ("1A", 16)),
     ("0x1A", ("1A", 16)), ("0b101", ("101", 2)), ("0b102", None),
     ("9_5", None), ("x_1", None), ("42", None), (r"204_{\text{five}}", ("204", 5))],
)  # fmt: skip
def test_bases(text: str, expected: tuple[str, int] | None) -> None:
    assert based(clean(text)) == expected


@pytest.mark.parametrize(
    ("text", "kind", "parts"),
    [("1,234", "bare", ["1234"]), ("1, 234", "bare", ["1", "234"]), ("(1,234)", "tuple", ["1", "234"]),
     (r"\{1, 2\}", "set", ["1", "2"]), ("3 and 4", "bare", ["3", "4"]), (r"f(1,2)", "bare", ["f(1,2)"])],
)  # fmt: skip
def test_lists(text: str, kind: str, parts: list[str]) -> None:
    listing = split_list(clean(text))
    assert (listing.kind, listing.parts) == (kind, parts)


def test_inequalities_and_intervals_read_the_same() -> None:
    pieces = as_pieces(clean(r"2 < x \le 3"))
    assert pieces is not None
    assert pieces.pieces == as_pieces(clean("(2, 3]")).pieces  # type: ignore[union-attr]
    assert as_pieces(clean("x = 3")) is None
    assert as_pieces(clean("2 < x > 3")) is None


def test_matrices() -> None:
    assert matrix_cells(r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}") == [["1", "2"], ["3", "4"]]
    assert matrix_cells(r"\begin{vmatrix} 1 & 2 \\ 3 & 4 \end{vmatrix}") is None


@pytest.mark.parametrize(
    ("text", "parts"),
    [("10*5 = 50+3", ["10*5", "50+3"]), ("x=y=2", ["x", "y", "2"]), ("f(x=2) = 5", ["f(x=2)", "5"]), ("= 5", ["5"]),
     ("x =", ["x", ""]), (r"\sum_{i=1}^{3} i", [r"\sum_{i=1}^{3} i"]), ("a = 1, b = 2", ["a = 1, b = 2"]),
     ("2 < x = 3", ["2 < x = 3"]), ("x = 12,345", ["x", "12,345"]), ("5!=120", ["5!", "120"]), ("x!=7", ["x!=7"]),
     (r"y = \begin{cases} 1 & x = 0 \end{cases}", ["y", r"\begin{cases} 1 & x = 0 \end{cases}"])],
)  # fmt: skip
def test_members_of_a_chain(text: str, parts: list[str]) -> None:
    assert members(text) == parts


def test_an_unknown_is_named_at_either_end() -> None:
    assert assignment("x = 10/2 = 5") == assignment("5 = x") == ("x", "5")
    assert assignment("f(x) = 2x") == ("f(x)", "2x")
    assert assignment("x + y = 7") is assignment("xy = 12") is assignment("2 + 3 = 5") is assignment("5") is None


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [("|AB|", r"\overline{AB}", True), ("AB", "BA", True), (r"x_{\max}", "x_{max}", True), (r"x_{\max}", "x", True),
     ("x", "y", None), ("f(x)", "g(x)", None), ("x_1", "x_2", False), ("AB", "CD", False)],
)  # fmt: skip
def test_names_of_one_quantity(a: str, b: str, same: bool | None) -> None:
    assert same_name(a, b) is same


@pytest.mark.parametrize(
    ("text", "parts"),
    [(r"x\equiv 7\pmod{10}", ("7", "10")), ("7 (mod 10)", ("7", "10")), (r"7 \text{ (mod 10)}", ("7", "10")),
     (r"x \equiv 1, 7 \pmod 8", ("1, 7", "8")), (r"x\equiv 7", ("7", "")), ("modulus 10", None), ("7", None)],
)  # fmt: skip
def test_congruences(text: str, parts: tuple[str, str] | None) -> None:
    assert congruence(clean(text)) == parts


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(2, 12))
def test_a_congruence_includes_exactly_its_class(residue: int, value: int, modulus: int) -> None:
    stated = congruence(clean(f"x \\equiv {residue} \\pmod{{{modulus}}}"))
    assert stated is not None
    assert stated.includes(str(value)) is ((value - residue) % modulus == 0)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 5), st.booleans(), st.booleans()), min_size=1, max_size=4))
def test_a_union_covers_the_points_of_its_pieces(ends: list[tuple[int, int, bool, bool]]) -> None:
    text = r"\cup ".join(f"{'[('[a]}{low},{low + size}{'])'[b]}" for low, size, a, b in ends)
    pieces = as_pieces(clean(text))
    assert pieces is not None
    spans = covered(pieces.pieces)
    assert spans is not None
    for point in (Fraction(n, 2) for n in range(-1, 40)):
        inside = any(
            low < point < low + size or (point == low and not a) or (point == low + size and not b)
            for low, size, a, b in ends
        )
        assert inside is any(
            s.low < point < s.high or (point == s.low and not s.open_below) or (point == s.high and not s.open_above)
            for s in spans
        )


def test_degrees_are_radians_in_functions_only() -> None:
    assert "180" in in_radians(r"\cos 60^\circ")
    assert in_radians(r"60^\circ") == r"60^\circ"
    assert in_radians(r"\cos 60") == r"\cos 60"


@pytest.mark.parametrize(
    ("gold", "listed"), [("1, 2", True), (r"\pm 7", True), ("{1,2,3}", True), ("(3,1)", True), ("10,080", False),
                         ("7", False), (r"f(1,2)", False), ("", False)],
)  # fmt: skip
def test_golds_of_several_elements(gold: str, listed: bool) -> None:
    assert is_listed(gold) is listed


def test_factors_side_by_side_get_a_sign() -> None:
    assert clean("(2)(3)") == r"(2)\cdot (3)"
    assert clean("1,200(20)") == r"1200\cdot (20)"
    for text in ("(1,2)(3,4)", "3 (mod 7)", "f(2)", r"\log_2(8)", "(0,5)"):
        assert "cdot" not in clean(text)


NUMBERS = st.integers(-999, 999)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_a_chain_is_right_exactly_when_its_last_value_is(a: int, b: int, value: int, gold: int) -> None:
    for chain in (f"{a} * {b} = {value}", f"x = {a} = {value}", f"{a} + {b} = {gold} = {value}", f"{value} = x"):
        assert compare(chain, str(gold), undecided).same is (value == gold)
        assert compare(f"{chain} when n = {gold}", str(gold), undecided).same is (value == gold)
        assert compare(f"{chain} =", str(gold), undecided).same is False


@given(NUMBERS, st.integers(2, 9), NUMBERS)
def test_a_number_is_no_equation(answer: int, a: int, b: int) -> None:
    assert compare(str(answer), f"{a}x + y = {b}", undecided).same is False
    assert compare(str(answer), f"y = {a}x", undecided).same is not True
    assert compare(str(b), f"y = {b}", undecided).same is True


ANSWERS = st.text(alphabet=st.sampled_from(list("0123456789xyab+-*/^_=<>%$(){}[],.; \\")), max_size=40)


@given(ANSWERS, ANSWERS)
def test_rules_never_crash_and_quick_agrees_with_them(answer: str, gold: str) -> None:
    verdict = compare(answer, gold, undecided)
    at_once = quick(answer, gold)
    if at_once is not None and at_once.same:
        assert verdict.same is True


@given(ANSWERS, ANSWERS)
def test_a_claim_is_shorter_than_what_makes_it(answer: str, gold: str) -> None:
    value = claimed(clean(answer), clean(gold))
    assert value is None or len(value) < len(clean(answer))


@given(ANSWERS)
def test_an_answer_equals_itself_unless_it_is_empty(answer: str) -> None:
    assert compare(answer, answer, undecided).same is bool(clean(answer))


@given(ANSWERS)
def test_cleaning_twice_changes_nothing_for_numerals(answer: str) -> None:
    if numeral(clean(answer)) is not None:
        assert numeral(clean(clean(answer))) == numeral(clean(answer))
