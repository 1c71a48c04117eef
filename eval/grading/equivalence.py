r"""Whether an extracted answer equals a gold answer: the rules, on text, before and around the symbolic comparison.

`compare` goes down this list; the first rule that applies decides, and its name is the verdict's note: same text ·
equalities · words and choice letters · number bases · inequalities and intervals · matrices · lists, tuples and sets ·
units · numerals (exactly, as fractions) · symbolic (`eval.grading.symbolic`, given as an argument).

Decisions that a reader may want to know:
- An answer that is a chain of equalities claims what stands after its last sign: 10 * 5 + 3 = 55 is 55, right or
  wrong as 55 is, and whatever 10 * 5 + 3 may be. Where the gold is an equation itself, so must the answer be; only
  y = 2x + 3 and its kind, which name an unknown, may be answered by what they say of it.
- A unit may be left out on either side, since the question fixes it: 5 cm equals 5. Two units must agree or convert:
  5 cm differs from 5 m and equals 0.05 m. Words that are no unit (5 apples) are labels and carry no weight.
- Number words are part of the number: 5 million is 5,000,000 and not 5, and 3 dozen eggs are 36.
- A base may be left out of the answer when the gold has one; two bases must be the same: 4210_5 differs from 4210_7.
- A per cent sign on one side only: 25 % equals 25 and 0.25.
- A bare list is without order, as a set is; a tuple has its order. A point and an open interval look the same.
- Capital and small letters of one name are two things within a text (Rr is not r^2), and the same between two texts
  that use one of them each: C + x equals c + x.
- A decimal equals a value with endless decimals only when it has at least six decimals, all of them right.

Pure, and quick but for the symbolic step. Does not know about workers, time limits or files.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple, TypeVar

from eval.grading.equality import assignment, claimed, is_calculation, members
from eval.grading.notation import Piece, as_pieces, clean, content_of, expand_signs, matrix_cells, split_list
from eval.grading.numerals import based, numeral
from eval.grading.units import split_unit


class Verdict(NamedTuple):
    """Whether two answers are the same; None when that could not be told."""

    same: bool | None
    note: str


Symbolic = Callable[[str, str], Verdict]
"""(answer, gold) → verdict, for two single expressions in LaTeX."""

T = TypeVar("T")
DECIMALS = 6
_CHOICE = re.compile(r"^\(?([A-J])\)?$")
_CHOSEN = re.compile(r"^(?:\(([A-J])\)|([A-J])[.):])\s*\S")
_WORDS = re.compile(r"^[A-Za-z][A-Za-z' -]*$")
_WORDY = re.compile(r"^\\text\{[^{}]*[A-Za-z]{2}[^{}]*\}$")


def compare(answer: str, gold: str, symbolic: Symbolic) -> Verdict:
    """Whether `answer` equals `gold`. Not quite symmetric: the gold's form decides what the answer may leave out."""
    answer, gold = clean(answer), clean(gold)
    if not answer or not gold:
        return Verdict(False, "empty")
    for rule in _RULES:
        verdict = rule(answer, gold, symbolic)
        if verdict is not None:
            return verdict
    if _is_prose(answer):
        return Verdict(False, "words where a value is expected")
    return symbolic(answer, gold)


def quick(answer: str, gold: str) -> Verdict | None:
    """What `compare` would say of equal texts and of two numerals, without the symbolic step; None for all else."""
    answer, gold = clean(answer), clean(gold)
    if not answer or not gold:
        return Verdict(False, "empty")
    return _by_text(answer, gold) or _by_numeral(answer, gold)


def whole_gold(gold: str) -> str | None:
    """The gold of a set such as AIME, a whole number, without leading zeros; None if it is not one."""
    value = numeral(clean(gold))
    return str(value.numerator) if value is not None and value.denominator == 1 else None


def _squeeze(text: str) -> str:
    """Without the white space that no two digits need between them, and without braces around a single sign."""
    return re.sub(r"([_^])\{(\w)\}", r"\1\2", re.sub(r"(?<!\d)\s+|\s+(?!\d)", "", text))


def _by_text(answer: str, gold: str, symbolic: Symbolic | None = None) -> Verdict | None:
    return Verdict(True, "same text") if _squeeze(answer) == _squeeze(gold) else None


def _by_words(answer: str, gold: str, symbolic: Symbolic) -> Verdict | None:
    plain_answer, plain_gold = content_of(answer), content_of(gold)
    if choice := _CHOICE.match(plain_gold):
        chosen = _CHOICE.match(plain_answer) or _CHOSEN.match(plain_answer)
        if chosen:
            return Verdict(choice[1] == next(filter(None, chosen.groups())), "choice letter")
    if not (_WORDY.match(gold) or (_WORDS.match(plain_gold) and re.search(r"[A-Za-z]{4}", plain_gold))):
        return None
    return Verdict(_words(plain_answer) == _words(plain_gold), "words")


def _words(text: str) -> str:
    text = re.sub(r"[^a-z0-9 ]", "", text.replace("-", " ").lower())
    return " ".join(word for word in text.split() if word not in {"a", "an", "the"})


def _by_base(answer: str, gold: str, symbolic: Symbolic) -> Verdict | None:
    ours, theirs = based(answer), based(gold)
    if theirs is not None:
        digits = ours[0] if ours else re.sub(r"\s", "", answer).upper()
        same = digits.lstrip("0") == theirs[0].lstrip("0") and (ours is None or ours[1] == theirs[1])
        return Verdict(same, "base" if ours else "base left out")
    if ours is None:
        return None
    value = numeral(gold)
    return Verdict(value == int(*ours), "base, by value") if value is not None else None


def _by_pieces(answer: str, gold: str, symbolic: Symbolic) -> Verdict | None:
    ours, theirs = as_pieces(answer), as_pieces(gold)
    if ours is None or theirs is None:
        return None
    if ours.variable and theirs.variable and ours.variable != theirs.variable:
        return Verdict(False, "intervals of different variables")

    def same_piece(a: Piece, b: Piece) -> Verdict:
        if (a.opening, a.closing) != (b.opening, b.closing):
            return Verdict(False, "intervals")
        return _all((compare(x, y, symbolic) for x, y in ((a.low, b.low), (a.high, b.high))), "intervals")

    return _matched(ours.pieces, theirs.pieces, same_piece, "intervals")


def _by_matrix(answer: str, gold: str, symbolic: Symbolic) -> Verdict | None:
    ours, theirs = matrix_cells(answer), matrix_cells(gold)
    if ours is None or theirs is None:
        return None
    if [len(row) for row in ours] != [len(row) for row in theirs]:
        return Verdict(False, "matrix shape")
    pairs = ((x, y) for a, b in zip(ours, theirs, strict=True) for x, y in zip(a, b, strict=True))
    return _all((compare(x, y, symbolic) for x, y in pairs), "matrix")


def _by_list(answer: str, gold: str, symbolic: Symbolic) -> Verdict | None:
    ours, theirs = split_list(answer), split_list(gold)
    if len(ours.parts) < len(theirs.parts):
        ours = split_list(answer, thousands=False)
    kinds = {ours.kind, theirs.kind}
    if kinds == {"set", "tuple"}:
        return Verdict(False, "a tuple is not a set")
    if kinds == {"tuple", "bare"} and 1 in (len(ours.parts), len(theirs.parts)):
        return None
    if "tuple" in kinds:
        if ours.brackets and theirs.brackets and ours.brackets != theirs.brackets:
            return Verdict(False, "brackets")
        if len(ours.parts) != len(theirs.parts):
            return Verdict(False, "tuple")
        return _all((compare(a, b, symbolic) for a, b in zip(ours.parts, theirs.parts, strict=True)), "tuple")
    our_parts, their_parts = expand_signs(ours.parts), expand_signs(theirs.parts)
    if kinds == {"bare"} and len(our_parts) == len(their_parts) == 1:
        return None
    return _matched(our_parts, their_parts, lambda a, b: compare(a, b, symbolic), "set")


def _by_equality(answer: str, gold: str, symbolic: Symbolic) -> Verdict | None:
    chain = members(answer)
    if len(members(gold)) == 1:
        value = claimed(answer, gold) if "=" in answer else None
        return None if value is None else _claim(compare(value, gold, symbolic))
    named, ours = assignment(gold), assignment(answer)
    if named is None and is_calculation(gold):
        return _claim(compare(answer, members(gold)[-1], symbolic))
    if len(chain) == 1 and "=" in answer:  # a list of equations
        return None
    if named is None:
        return Verdict(False, "a value where an equation is expected") if len(chain) == 1 else None
    if ours and _squeeze(ours.name) == _squeeze(named.name):
        return compare(ours.value, named.value, symbolic)
    return compare(chain[-1], named.value, symbolic) if len(chain) == 1 or is_calculation(answer) else None


def _claim(verdict: Verdict) -> Verdict:
    return Verdict(verdict.same, f"claimed value: {verdict.note.removeprefix('claimed value: ')}")


def _by_unit(answer: str, gold: str, symbolic: Symbolic) -> Verdict | None:
    gold_body, gold_unit = split_unit(gold, bare_letters=False)
    body, unit = split_unit(answer, bare_letters=numeral(gold_body) is not None)
    if body == answer and gold_body == gold:
        return None
    if unit is None or gold_unit is None:
        verdict = compare(body, gold_body, symbolic)
        percent = next((u for u in (unit, gold_unit) if u is not None and u.dimension == "%"), None)
        if percent and verdict.same is not True:
            hundredth = (
                (_scaled(body, percent.factor), gold_body) if unit else (body, _scaled(gold_body, percent.factor))
            )
            if compare(*hundredth, symbolic).same:
                return Verdict(True, "per cent")
        return verdict
    if unit.dimension != gold_unit.dimension:
        return Verdict(False, "units differ")
    if unit.factor == gold_unit.factor:
        return compare(body, gold_body, symbolic)
    verdict = compare(_scaled(body, unit.factor), _scaled(gold_body, gold_unit.factor), symbolic)
    return Verdict(verdict.same, "units converted")


def _scaled(body: str, factor: Fraction) -> str:
    value = numeral(body)
    if value is not None:
        value *= factor
        return f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
    return f"\\frac{{{factor.numerator}}}{{{factor.denominator}}}\\cdot({body})"


def _by_numeral(answer: str, gold: str, symbolic: Symbolic | None = None) -> Verdict | None:
    ours, theirs = numeral(answer), numeral(gold)
    if ours is None or theirs is None:
        return None
    if ours == theirs:
        return Verdict(True, "numerals")
    decimals = decimals_of(answer)
    if decimals >= DECIMALS and _is_endless(theirs) and round(theirs, decimals) == ours:
        return Verdict(True, f"decimal right to {decimals} places")
    return Verdict(False, "numerals")


def decimals_of(text: str) -> int:
    """Digits after the point of a plain decimal; 0 for anything else."""
    match = re.fullmatch(r"[-+]?[\d,]*\.(\d+)", text.replace(" ", ""))
    return len(match[1]) if match else 0


_RULES: Sequence[Callable[[str, str, Symbolic], Verdict | None]] = (
    _by_text,
    _by_equality,
    _by_words,
    _by_base,
    _by_pieces,
    _by_matrix,
    _by_list,
    _by_unit,
    _by_numeral,
)


def _is_endless(value: Fraction) -> bool:
    """Whether its decimals never end: its denominator has a prime factor besides 2 and 5."""
    return bool(10 ** value.denominator.bit_length() % value.denominator)


def _is_prose(answer: str) -> bool:
    bare = re.sub(r"\\(?:begin|end)\{\w+\}|\\[a-zA-Z]+", " ", answer.replace("\\text", " "))
    return len(re.findall(r"[A-Za-z]{3,}", bare)) >= 2


def _all(verdicts: Iterable[Verdict], note: str) -> Verdict:
    undecided = None
    for verdict in verdicts:
        if verdict.same is False:
            return Verdict(False, note)
        if verdict.same is None:
            undecided = verdict
    return undecided or Verdict(True, note)


def _matched(ours: Sequence[T], theirs: Sequence[T], same: Callable[[T, T], Verdict], note: str) -> Verdict:
    """Each of `theirs` paired with its own one of `ours`; greedy, since being equal is transitive."""
    if len(ours) != len(theirs):
        return Verdict(False, note)
    left = list(ours)
    for wanted in theirs:
        undecided = None
        for candidate in left:
            verdict = same(candidate, wanted)
            if verdict.same:
                left.remove(candidate)
                break
            if verdict.same is None:
                undecided = verdict
        else:
            return undecided or Verdict(False, note)
    return Verdict(True, note)
