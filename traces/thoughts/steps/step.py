"""A step of a solution, and the phrases that all families share.

Every verdict is written right next to the two numbers it compares ("7*5=35, want 56, too small"): a small student is
good at comparing adjacent numbers and bad at distant ones. Two-digit sums and differences go by tens and ones.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from eval.problems.families.family import Params


@dataclass(frozen=True)
class SolutionStep:
    """One solution step, e.g. SolutionStep("product", "7*8=56.", 56)."""

    name: str
    """Name of the value, by which later steps refer to it."""
    text: str
    value: int = 0
    dead: bool = False
    """Whether the step itself finds that it does not lead to an answer."""
    final: bool = False
    """Whether the step confirms `value` as the answer."""
    work: bool = False
    """Whether it is a single calculation, in which a slip is plausible."""
    brief: str | None = None
    """How a shortcut solution writes it; None means like `text`."""


Path = Sequence[SolutionStep]
Propose = Callable[[Params, Path], list[SolutionStep]]
"""(numbers of the problem, steps so far) → steps that may come next, in the order a person would try them."""


def value(path: Path, name: str) -> int:
    """The value of the last step with this name."""
    return next(step.value for step in reversed(path) if step.name == name)


def has(path: Path, name: str) -> bool:
    return any(step.name == name for step in path)


def product(a: int, b: int) -> str:
    """a·b as one fact of the tables, or by tens and ones: "12*8: 10*8=80, 2*8=16, 80+16=96"."""
    if b > 10 >= a:
        a, b = b, a
    tens, ones = a // 10 * 10, a % 10
    if a <= 10 or ones == 0 or b == 1:
        return f"{a}*{b}={a * b}"
    return f"{a}*{b}: {tens}*{b}={tens * b}, {ones}*{b}={ones * b}, {tens * b}+{ones * b}={a * b}"


def total(a: int, b: int) -> str:
    """a + b at once if one of them has no ones or no tens, else "56+48: 56+40=96, 96+8=104"."""
    tens, ones = b // 10 * 10, b % 10
    if min(a, b) < 10 or a % 10 == 0 or ones == 0:
        return f"{a}+{b}={a + b}"
    return f"{a}+{b}: {a}+{tens}={a + tens}, {a + tens}+{ones}={a + b}"


def difference(a: int, b: int) -> str:
    """a − b at once if b has no ones or no tens, else "74-38: 74-30=44, 44-8=36"."""
    tens, ones = b // 10 * 10, b % 10
    if b < 10 or ones == 0 or a < b:
        return f"{a}-{b}={a - b}"
    return f"{a}-{b}: {a}-{tens}={a - tens}, {a - tens}-{ones}={a - b}"


WRITTEN = {"+": total, "-": difference, "*": product}
RESULT: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}


def work(name: str, a: int, sign: str, b: int, lead: str = "") -> SolutionStep:
    """A calculation of two numbers joined by +, - or *."""
    return SolutionStep(name, f"{lead}{WRITTEN[sign](a, b)}.", RESULT[sign](a, b), work=True)


def remainder(number: int, modulus: int) -> str:
    """Find the remainder by subtracting five times the modulus, then the modulus: "38-35=3, 3 under 7"."""
    steps = [f"{before}-{less}={before - less}" for before, less in subtractions(number, modulus, 5)]
    return ", ".join([*steps, f"{number % modulus} under {modulus}"])


def subtractions(number: int, modulus: int, at_once: int) -> Iterator[tuple[int, int]]:
    """(what is left, what is taken away) on the way to the remainder: `at_once` times the modulus while that goes."""
    while number >= modulus:
        less = at_once * modulus if number >= at_once * modulus else modulus
        yield number, less
        number -= less


Line = tuple[str, int, int]
"""(recalculation, its true value, the value obtained in the steps)"""


def check(answer: int, *lines: Line) -> SolutionStep:
    """The final check, with every result next to the one it is compared with; any difference makes it a dead end."""
    compared = []
    for text, true_value, had in lines:
        compared.append(f"{text}, had {had}")
        if true_value != had:
            return SolutionStep("check", f"Check: {', '.join(compared)}. Not the same.", true_value, dead=True)
    return SolutionStep("check", f"Check: {', '.join(compared)}. Good.", answer, final=True, brief="")


def trying(target: int, factor: int, name: str, letter: str) -> list[SolutionStep]:
    """Find x with factor·x = target by trying: 5, then 10, 20 … while too small, then halfway between."""
    low, high, x = 0, 0, 5
    steps: list[SolutionStep] = []
    while True:
        text = f"Try {letter}{x}: {product(factor, x)}, want {target}"
        if factor * x == target:
            return [*steps, SolutionStep(name, f"{text}, fits.", x, brief=f"{product(factor, x)}.")]
        small = factor * x < target
        steps.append(SolutionStep(name, f"{text}, too {'small' if small else 'big'}.", x, dead=True))
        low, high = (x, high) if small else (low, x)
        if high - low == 1:
            return [*steps, SolutionStep(name, "No whole number fits.", 0, dead=True)]
        x = (low + high) // 2 if high else 2 * x
