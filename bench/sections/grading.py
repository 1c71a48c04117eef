"""Answers through the grader's guarded workers, against the same comparisons asked of math-verify one by one."""

import time
from fractions import Fraction
from random import Random

from math_verify import parse, verify

from bench.context import Bench
from bench.report import Measure, Section
from eval.grading.grader import GradeItem, Grader


def run(bench: Bench) -> Section:
    items = make_items(200 if bench.quick else 1500)
    begun = time.perf_counter()
    serial = [ask_math_verify(item) for item in items]
    serial_seconds = time.perf_counter() - begun
    begun = time.perf_counter()
    with Grader() as grader:
        started = time.perf_counter()
        grades = list(grader.grade_many(items))
        seconds = time.perf_counter() - started
    agreed = sum((grade.outcome == "correct") == verdict for grade, verdict in zip(grades, serial, strict=True))
    return Section(
        "Grading",
        [
            Measure("grader", len(items) / seconds, "answers/s", len(items) / serial_seconds, "math-verify, serially"),
            Measure("grader, start", started - begun, "s"),
            Measure("same verdict as math-verify", 100 * agreed / len(items), "%"),
        ],
        [f"{len(items)} distinct pairs: whole numbers, fractions, roots, polynomials and tuples, half of them wrong."],
    )


def make_items(count: int) -> list[GradeItem]:
    """Answers and golds in typical benchmark formats, all pairs distinct; every second answer is wrong."""
    rng, items = Random(1), []
    for number in range(count):
        a, b = number + 2, rng.randint(2, 99)
        off = number % 2
        ratio = Fraction(a, b)
        forms = (
            (str(a), str(a + off)),
            (f"\\frac{{{a * 3}}}{{{b * 3}}}", f"\\frac{{{ratio.numerator + off}}}{{{ratio.denominator}}}"),
            (f"{a}\\sqrt{{{4 * b}}}", f"{2 * a + off}\\sqrt{{{b}}}"),
            (f"(x+{a})(x-{b})", f"x^2+{a - b}x-{a * b + off}" if a >= b else f"x^2-{b - a}x-{a * b + off}"),
            (f"({a}, {b})", f"({a},{b + off})"),
        )
        answer, gold = forms[number % len(forms)]
        items.append(GradeItem(f"So the answer is $\\boxed{{{answer}}}$.", gold))
    return items


def ask_math_verify(item: GradeItem) -> bool:
    return bool(verify(parse(f"$\\boxed{{{item.gold}}}$"), parse(item.answer_text)))
