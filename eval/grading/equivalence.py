r"""Whether an extracted answer equals a gold answer: the rules, on text, before and around the symbolic comparison.

`compare` goes down this list; the first rule that applies decides, and its name is the verdict's note: same text ·
denial · congruences · equalities · words and choice letters · number bases · inequalities and intervals · matrices ·
lists, tuples and sets · units · numerals (exactly, as fractions) · symbolic (`eval.grading.symbolic`, passed in).

Design decisions worth knowing:
- An answer that is a chain of equalities claims what follows its last equals sign: 10 * 5 + 3 = 55 is graded as 55,
  whatever 10 * 5 + 3 really is. Where the gold is an equation, the answer must be one too, either way round; only
  golds that name a quantity, such as y = 2x + 3 or |AB| = 12, may be answered by the bare value.
- An answer that denies (`5 is wrong`) is wrong, unless the gold denies too.
- x = 7 (mod 10) equals 7, and 17 (mod 10); a bare 17 does not answer a gold of 7 (mod 10).
- A unit may be left out on either side, since the question fixes it: 5 cm equals 5. Two units must agree or convert:
  5 cm differs from 5 m and equals 0.05 m. Words that are not units (5 apples) are labels and are ignored.
- Number words are part of the number: 5 million is 5,000,000 and not 5, and 3 dozen eggs are 36.
- A base may be left out of the answer when the gold has one; two bases must be the same: 4210_5 differs from 4210_7.
- With a per cent sign on one side only, 25 % equals both 25 and 0.25.
- A bare list is unordered, like a set; a tuple is ordered. A set has no repetitions. A point and an open interval
  look the same. Intervals that touch or overlap are merged: (0,5) with (3,8) is (0,8).
- Letters glued to a number (16xyz) are variables unless they are a unit (5cm); words after a space (5 apples) are a
  label.
- Upper and lower case of a letter are different names within one text (Rr is not r^2), but the same name between two
  texts that each use only one of them: C + x equals c + x.
- A decimal equals a value with a non-terminating expansion only if it has at least six decimals, all of them right.

Pure functions, and fast except for the symbolic step.
"""

import re
from collections.abc import Callable, Sequence
from fractions import Fraction

from eval.grading.equality import assignment, claimed, congruence, is_calculation, members, same_name
from eval.grading.notation import (
    Piece,
    as_pieces,
    as_union,
    covered,
    expand_signs,
    in_radians,
    matrix_cells,
    split_list,
)
from eval.grading.numerals import based, decimals_of, is_endless, numeral
from eval.grading.partwise import Equality, Symbolic, all_same, distinct, matched
from eval.grading.spelling import clean, content_of, plain_words
from eval.grading.units import split_unit

MOST_LISTED = 500
"""Longest gold, in characters, that may be read as a list; answers spread over several boxes are short."""
DECIMALS = 6
"""Fewest decimals accepted for a value whose decimal expansion does not terminate."""
MOST_REPEATED = 30
"""Largest set that is checked for repeated elements."""
_CHOICE = re.compile(r"^\(?([A-J])\)?$")
_CHOSEN = re.compile(r"^(?:\(([A-J])\)|([A-J])[.):])\s*\S")
_WORDS = re.compile(r"^[A-Za-z][A-Za-z' -]*$")
_DENIAL = re.compile(
    r"^\\neq?(?![a-z])|(?<![A-Za-z])(?:not|wrong|incorrect|false|cannot|can't|isn't|never|neither|impossible)(?![A-Za-z])"
)
_WORDY = re.compile(r"^\\text\{[^{}]*[A-Za-z]{2}[^{}]*\}$")


def compare(answer: str, gold: str, symbolic: Symbolic, *, by_text: bool = True) -> Equality:
    """Whether `answer` equals `gold`. Not quite symmetric: the gold's form decides what the answer may leave out.

    by_text: whether equal texts settle it. Without, a gold compared with itself shows whether it can be read.
    """
    answer, gold = clean(answer), clean(gold)
    if not answer or not gold:
        return Equality(False, "empty")
    for rule in _RULES if by_text else _RULES[1:]:
        verdict = rule(answer, gold, symbolic)
        if verdict is not None:
            return verdict
    if _is_prose(answer):
        return Equality(False, "words where a value is expected")
    return symbolic(in_radians(answer), in_radians(gold))


def quick(answer: str, gold: str) -> Equality | None:
    """The verdict of `compare` for equal texts and for two numerals, without the symbolic step; None otherwise."""
    answer, gold = clean(answer), clean(gold)
    if not answer or not gold:
        return Equality(False, "empty")
    return _by_text(answer, gold) or _by_numeral(answer, gold)


def is_listed(gold: str) -> bool:
    """Whether the gold has several elements: a list, a set, a tuple or plus-minus."""
    return len(gold) <= MOST_LISTED and len(expand_signs(split_list(clean(gold)).parts)) > 1


def whole_gold(gold: str) -> str | None:
    """The gold of a set such as AIME, a whole number, without leading zeros; None if it is not one."""
    value = numeral(clean(gold))
    return str(value.numerator) if value is not None and value.denominator == 1 else None


def _squeeze(text: str) -> str:
    """The text without spaces, except those that separate two digits, and without braces around a single character."""
    return re.sub(r"([_^])\{(\w)\}", r"\1\2", re.sub(r"(?<!\d)\s+|\s+(?!\d)", "", text))


def _by_text(answer: str, gold: str, symbolic: Symbolic | None = None) -> Equality | None:
    return Equality(True, "same text") if _squeeze(answer) == _squeeze(gold) else None


def _by_denial(answer: str, gold: str, symbolic: Symbolic) -> Equality | None:
    if _DENIAL.search(answer.lower()) and not _DENIAL.search(gold.lower()):
        return Equality(False, "the answer denies")
    return None


def _by_congruence(answer: str, gold: str, symbolic: Symbolic) -> Equality | None:
    ours, theirs = congruence(answer), congruence(gold)
    if ours and theirs and ours.modulus and theirs.modulus:
        if ours.modulus != theirs.modulus:
            return Equality(False, "moduli differ")
        same = ours.includes(theirs.residue) or compare(ours.residue, theirs.residue, symbolic).same
        return Equality(same, "congruence")
    if ours:
        gold = theirs.residue if theirs else gold
        return Equality(True, "congruence") if ours.includes(gold) else compare(ours.residue, gold, symbolic)
    if theirs:
        value, modulus = numeral(answer), numeral(theirs.modulus)
        if value is not None and modulus and 0 <= value < modulus:
            return Equality(theirs.includes(answer), "residue")
        return compare(answer, theirs.residue, symbolic)
    return None


def _by_words(answer: str, gold: str, symbolic: Symbolic) -> Equality | None:
    plain_answer, plain_gold = content_of(answer), content_of(gold)
    if choice := _CHOICE.match(plain_gold):
        chosen = _CHOICE.match(plain_answer) or _CHOSEN.match(plain_answer)
        if chosen:
            return Equality(choice[1] == next(filter(None, chosen.groups())), "choice letter")
    if not (_WORDY.match(gold) or (_WORDS.match(plain_gold) and re.search(r"[A-Za-z]{4}", plain_gold))):
        return None
    return Equality(plain_words(plain_answer) == plain_words(plain_gold), "words")


def _by_base(answer: str, gold: str, symbolic: Symbolic) -> Equality | None:
    ours, theirs = based(answer), based(gold)
    if theirs is not None:
        digits = ours[0] if ours else re.sub(r"\s", "", answer).upper()
        same = digits.lstrip("0") == theirs[0].lstrip("0") and (ours is None or ours[1] == theirs[1])
        return Equality(same, "base" if ours else "base left out")
    if ours is None:
        return None
    value = numeral(gold)
    return Equality(value == int(*ours), "base, by value") if value is not None else None


def _by_pieces(answer: str, gold: str, symbolic: Symbolic) -> Equality | None:
    ours, theirs = as_pieces(answer), as_pieces(gold)
    if ours is None or theirs is None:
        return None
    if ours.variable and theirs.variable and ours.variable != theirs.variable:
        return Equality(False, "intervals of different variables")

    def same_piece(a: Piece, b: Piece) -> Equality:
        if (a.opening, a.closing) != (b.opening, b.closing):
            return Equality(False, "intervals")
        return all_same((compare(x, y, symbolic) for x, y in ((a.low, b.low), (a.high, b.high))), "intervals")

    verdict = matched(ours.pieces, theirs.pieces, same_piece, "intervals")
    if verdict.same or len(ours.pieces) == len(theirs.pieces) == 1:
        return verdict
    spans = covered(ours.pieces), covered(theirs.pieces)
    if None in spans:
        return symbolic(as_union(ours), as_union(theirs))
    return Equality(spans[0] == spans[1], "union of intervals")


def _by_matrix(answer: str, gold: str, symbolic: Symbolic) -> Equality | None:
    ours, theirs = matrix_cells(answer), matrix_cells(gold)
    if ours is None or theirs is None:
        return None
    if [len(row) for row in ours] != [len(row) for row in theirs]:
        return Equality(False, "matrix shape")
    pairs = ((x, y) for a, b in zip(ours, theirs, strict=True) for x, y in zip(a, b, strict=True))
    return all_same((compare(x, y, symbolic) for x, y in pairs), "matrix")


def _by_list(answer: str, gold: str, symbolic: Symbolic) -> Equality | None:
    ours, theirs = split_list(answer), split_list(gold)
    if len(ours.parts) < len(theirs.parts):
        ours = split_list(answer, thousands=False)
    kinds = {ours.kind, theirs.kind}
    if kinds == {"set", "tuple"}:
        return Equality(False, "a tuple is not a set")
    if kinds == {"tuple", "bare"} and 1 in (len(ours.parts), len(theirs.parts)):
        return None
    if "tuple" in kinds:
        if ours.brackets and theirs.brackets and ours.brackets != theirs.brackets:
            return Equality(False, "brackets")
        if len(ours.parts) != len(theirs.parts):
            return Equality(False, "tuple")
        return all_same((compare(a, b, symbolic) for a, b in zip(ours.parts, theirs.parts, strict=True)), "tuple")
    our_parts, their_parts = expand_signs(ours.parts), expand_signs(theirs.parts)
    if kinds == {"bare"} and len(our_parts) == len(their_parts) == 1:
        return None

    def same(a: str, b: str) -> Equality:
        return compare(a, b, symbolic)

    verdict = matched(our_parts, their_parts, same, "set")
    if verdict.same or "set" not in kinds or max(len(our_parts), len(their_parts)) > MOST_REPEATED:
        return verdict
    # A list may repeat a double root; only in a set do repetitions not count.
    our_parts = distinct(our_parts, same)
    their_parts = distinct(their_parts, same) if theirs.kind == "set" else their_parts
    return matched(our_parts, their_parts, same, "set")


def _by_equality(answer: str, gold: str, symbolic: Symbolic) -> Equality | None:
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
        return Equality(False, "a value where an equation is expected") if len(chain) == 1 else None
    same = same_name(ours.name, named.name) if ours else None
    if ours and same is not None:
        return compare(ours.value, named.value, symbolic) if same else Equality(False, "another quantity")
    return compare(chain[-1], named.value, symbolic) if len(chain) == 1 or is_calculation(answer) else None


def _claim(verdict: Equality) -> Equality:
    return Equality(verdict.same, f"claimed value: {verdict.note.removeprefix('claimed value: ')}")


def _by_unit(answer: str, gold: str, symbolic: Symbolic) -> Equality | None:
    gold_body, gold_unit = split_unit(gold, bare_letters=True)
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
                return Equality(True, "per cent")
        return verdict
    if unit.dimension != gold_unit.dimension:
        return Equality(False, "units differ")
    if unit.factor == gold_unit.factor:
        return compare(body, gold_body, symbolic)
    verdict = compare(_scaled(body, unit.factor), _scaled(gold_body, gold_unit.factor), symbolic)
    return Equality(verdict.same, "units converted")


def _scaled(body: str, factor: Fraction) -> str:
    value = numeral(body)
    if value is not None:
        value *= factor
        return f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
    return f"\\frac{{{factor.numerator}}}{{{factor.denominator}}}\\cdot({body})"


def _by_numeral(answer: str, gold: str, symbolic: Symbolic | None = None) -> Equality | None:
    ours, theirs = numeral(answer), numeral(gold)
    if ours is None or theirs is None:
        return None
    if ours == theirs:
        return Equality(True, "numerals")
    decimals = decimals_of(answer)
    if decimals >= DECIMALS and is_endless(theirs) and round(theirs, decimals) == ours:
        return Equality(True, f"decimal right to {decimals} places")
    return Equality(False, "numerals")


_RULES: Sequence[Callable[[str, str, Symbolic], Equality | None]] = (
    _by_text,
    _by_denial,
    _by_congruence,
    _by_equality,
    _by_words,
    _by_base,
    _by_pieces,
    _by_matrix,
    _by_list,
    _by_unit,
    _by_numeral,
)


def _is_prose(answer: str) -> bool:
    bare = re.sub(r"\\(?:begin|end)\{\w+\}|\\[a-zA-Z]+", " ", answer.replace("\\text", " "))
    return len(re.findall(r"[A-Za-z]{3,}", bare)) >= 2
