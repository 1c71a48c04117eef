"""The solution steps of each trained family: which steps may follow those written so far."""

from traces.thoughts.steps.algebra import countdown, linear, pick, quadratic
from traces.thoughts.steps.arithmetic import multiples, sums, word
from traces.thoughts.steps.number_theory import common, divisors, multiple, powers, remainders
from traces.thoughts.steps.step import Propose
from traces.thoughts.steps.stories import average, change, heaps, saving, share, sides, wheel

STEPS: dict[str, Propose] = {
    "sums": sums,
    "word": word,
    "multiples": multiples,
    "linear": linear,
    "quadratic": quadratic,
    "pick": pick,
    "countdown": countdown,
    "gcd": common,
    "lcm": multiple,
    "powers": powers,
    "remainders": remainders,
    "divisors": divisors,
    "heaps": heaps,
    "change": change,
    "saving": saving,
    "sides": sides,
    "wheel": wheel,
    "average": average,
    "share": share,
}
"""Family → its steps; every family of the train split has them."""
