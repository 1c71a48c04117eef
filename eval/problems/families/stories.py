"""Families told as small stories: two heaps, change, saving, sides, wheels, averages and shares."""

from random import Random

from eval.problems.families.arithmetic import FACTOR
from eval.problems.families.family import Family, Params


def lowest(size: int) -> int:
    """The smallest first factor, raised for larger numbers so that it is not tiny."""
    return 2 if size <= 5 else 7


def draw_heaps(rng: Random, size: int) -> dict[str, int]:
    """a groups of b and c groups of d: how many together (kind 0), or how many more in the first heap (1)."""
    top = FACTOR[size]
    while True:
        kind = 0 if size in (1, 2, 6) else rng.choice((0, 1))
        a, b = rng.randint(lowest(size), top), rng.randint(2, min(top, 10))
        c, d = rng.randint(2, top), rng.randint(2, min(top, 9))
        if kind == 0 or a * b > c * d:
            return {"kind": kind, "a": a, "b": b, "c": c, "d": d, "story": rng.randrange(len(HEAPS))}


def solve_heaps(p: Params) -> int:
    return p["a"] * p["b"] + (-1 if p["kind"] else 1) * p["c"] * p["d"]


HEAPS = (
    ("boxes", "baskets", "eggs"),
    ("tables", "benches", "seats"),
    ("buses", "vans", "pupils"),
    ("shelves", "cupboards", "books"),
    ("beds", "pots", "tulips"),
    ("trays", "plates", "biscuits"),
)
"""(first groups, second groups, what is in both)"""


def word_heaps(p: Params) -> list[str]:
    first, second, things = HEAPS[p["story"]]
    a, b, c, d = p["a"], p["b"], p["c"], p["d"]
    if p["kind"]:
        ask = f"How many more {things} are in the {first} than in the {second}?"
    else:
        ask = f"How many {things} are there together?"
    return [
        f"There are {a} {first} with {b} {things} each and {c} {second} with {d} {things} each. {ask}",
        f"Each of {a} {first} holds {b} {things}. Each of {c} {second} holds {d} {things}. {ask}",
        f"We have {a} {first} and {c} {second}. In each of the {first} there are ${b}$ {things}, in each of the "
        f"{second} ${d}$. {ask}",
        f"Nina fills {a} {first} with {b} {things} each, then {c} {second} with {d} {things} each. {ask}",
    ]


def draw_change(rng: Random, size: int) -> dict[str, int]:
    """What is left of n coins after a things at b coins each."""
    top = FACTOR[size]
    a, b = rng.randint(lowest(size), top), rng.randint(2, min(top, 12))
    return {"a": a, "b": b, "n": a * b + rng.randint(1, 2 * top), "story": rng.randrange(len(GOODS))}


def solve_change(p: Params) -> int:
    return p["n"] - p["a"] * p["b"]


GOODS = (("Eva", "ticket"), ("Omar", "stamp"), ("A baker", "bag of flour"), ("Li", "comic"), ("A class", "map"))


def word_change(p: Params) -> list[str]:
    who, thing = GOODS[p["story"]]
    things = "bags of flour" if thing == "bag of flour" else f"{thing}s"
    a, b, n = p["a"], p["b"], p["n"]
    return [
        f"{who} has {n} coins and buys {a} {things} for {b} coins each. How many coins are left?",
        f"One {thing} costs {b} coins. {who} takes {a} {things} and pays with {n} coins. How much change is there?",
        f"{who} pays for {a} {things} at ${b}$ coins each out of a purse with ${n}$ coins. How many coins remain?",
        f"From {n} coins {who} spends {b} coins on each of {a} {things}. How many coins does the purse still hold?",
    ]


def draw_saving(rng: Random, size: int) -> dict[str, int]:
    """A start that grows by d in each of n times (kind 0), or shrinks (1)."""
    top = FACTOR[size]
    kind = 0 if size in (1, 6) else rng.choice((0, 1))
    d, n = rng.randint(lowest(size), top), rng.randint(2, min(top, 10))
    start = d * n + rng.randint(1, 2 * top) if kind else rng.randint(2, 3 * top)
    return {"kind": kind, "start": start, "d": d, "n": n, "story": rng.randrange(len(GROWING))}


def solve_saving(p: Params) -> int:
    return p["start"] + (-1 if p["kind"] else 1) * p["d"] * p["n"]


GROWING = (
    ("A plant is {start} cm tall and grows {d} cm every week.", "How tall is it after {n} weeks, in cm?"),
    ("Ben owns {start} coins and saves {d} coins a day.", "How many coins does he own after {n} days?"),
    ("A taxi ride costs {start} coins to begin with and {d} coins for each kilometre.", "What do {n} kilometres cost?"),
    ("A pile is {start} bricks high. {d} bricks are added every hour.", "How high is it after {n} hours?"),
)
SHRINKING = (
    ("A candle is {start} mm long and gets {d} mm shorter every minute.", "How long is it after {n} minutes, in mm?"),
    ("A tank holds {start} litres, and {d} litres run out each hour.", "How many litres are left after {n} hours?"),
    ("Zoe has {start} sweets and eats {d} of them a day.", "How many sweets are left after {n} days?"),
    ("A book has {start} pages. Max reads {d} pages every evening.", "How many pages are left after {n} evenings?"),
)


def word_saving(p: Params) -> list[str]:
    fact, ask = (part.format(**p) for part in (SHRINKING if p["kind"] else GROWING)[p["story"]])
    change = "goes down" if p["kind"] else "goes up"
    return [
        f"{fact} {ask}",
        f"Read carefully. {fact} Now tell me: {ask[0].lower()}{ask[1:]}",
        f"A counter shows {p['start']} and {change} by {p['d']} at each of {p['n']} clicks. What does it show then?",
    ]


def draw_sides(rng: Random, size: int) -> dict[str, int]:
    """The perimeter (kind 0) or the area (1) of a rectangle with sides a and b."""
    top = FACTOR[size]
    kind = rng.choice((0, 1))
    a = rng.randint(lowest(size), top if kind else 2 * top)
    return {"kind": kind, "a": a, "b": rng.randint(2, min(top, 10) if kind else 2 * top)}


def solve_sides(p: Params) -> int:
    return p["a"] * p["b"] if p["kind"] else 2 * (p["a"] + p["b"])


def word_sides(p: Params) -> list[str]:
    what = "area" if p["kind"] else "perimeter"
    a, b = p["a"], p["b"]
    return [
        f"A rectangle is {a} long and {b} wide. What is its {what}?",
        f"Find the {what} of a rectangle with sides ${a}$ and ${b}$.",
        f"The sides of a rectangular garden are {a} m and {b} m. How large is its {what}?",
        f"A card measures {a} cm by {b} cm. What is the {what} of the card?",
    ]


def draw_wheel(rng: Random, size: int) -> dict[str, int]:
    """Where a pointer stops if it starts at s and moves n places, on a wheel numbered 0 to m − 1."""
    m = rng.randint(3, (0, 5, 7, 9, 10, 12, 13, 14, 15, 16, 18)[size])
    return {"m": m, "s": rng.randrange(m), "n": rng.randint(2, 3 * m if size <= 5 else 7 * m)}


def solve_wheel(p: Params) -> int:
    return (p["s"] + p["n"]) % p["m"]


def word_wheel(p: Params) -> list[str]:
    m, s, n = p["m"], p["s"], p["n"]
    return [
        f"A wheel has {m} places, numbered 0 to {m - 1}. Its pointer stands at {s} and moves {n} places on. At which "
        "number does it stop?",
        f"On a far planet the hours run from 0 to {m - 1}. It is hour {s}. Which hour is it {n} hours later?",
        f"The numbers 0 to {m - 1} stand in a ring. Start at {s} and walk ${n}$ steps upwards. Where do you end?",
        f"A display counts from 0 to {m - 1} and then begins again at 0. It shows {s}. What does it show after {n} "
        "more counts?",
    ]


def draw_average(rng: Random, size: int) -> dict[str, int]:
    """Two numbers (c = 0) or three with a whole average."""
    top = (0, 6, 8, 10, 12, 15, 20, 25, 30, 35, 40)[size]
    while True:
        count = 2 if size in (1, 6) else rng.choice((2, 3))
        mean, a, b = rng.randint(lowest(size), top), rng.randint(1, 2 * top), rng.randint(1, 2 * top)
        if count == 2 and mean < b < 2 * mean:
            return {"a": 2 * mean - b, "b": b, "c": 0}
        if count == 3 and 0 < 3 * mean - a - b <= 2 * top:
            return {"a": a, "b": b, "c": 3 * mean - a - b}


def solve_average(p: Params) -> int:
    return (p["a"] + p["b"] + p["c"]) // (3 if p["c"] else 2)


def word_average(p: Params) -> list[str]:
    numbers = [p["a"], p["b"], *([p["c"]] if p["c"] else [])]
    listed = ", ".join(map(str, numbers[:-1])) + f" and {numbers[-1]}"
    return [
        f"What is the average of {listed}?",
        f"Find the mean of the numbers {listed}.",
        f"In {len(numbers)} games a team scored {listed} points. What was its average score?",
        f"{len(numbers)} children bring {listed} marbles and share them out evenly. How many does each of the "
        f"{len(numbers)} get?",
    ]


def draw_share(rng: Random, size: int) -> dict[str, int]:
    """One has k times as many as the other, together s: how many has the poorer (kind 0) or the richer (1)?"""
    k = rng.randint(2, (0, 3, 4, 5, 5, 5, 6, 7, 8, 9, 9)[size])
    x = rng.randint(lowest(size), FACTOR[size])
    return {"kind": rng.choice((0, 1)) if size not in (1, 6) else 0, "k": k, "s": (k + 1) * x}


def solve_share(p: Params) -> int:
    x = p["s"] // (p["k"] + 1)
    return p["k"] * x if p["kind"] else x


def word_share(p: Params) -> list[str]:
    k, s = p["k"], p["s"]
    return [
        f"Ann has {k} times as many shells as Bob. Together they have {s}. How many shells has "
        f"{'Ann' if p['kind'] else 'Bob'}?",
        f"A number is ${k}$ times another one and they add up to ${s}$. Find the "
        f"{'larger' if p['kind'] else 'smaller'} number.",
        f"A ribbon of {s} cm is cut in two. One piece is {k} times as long as the other. How long is the "
        f"{'longer' if p['kind'] else 'shorter'} piece, in cm?",
    ]


FAMILIES = (
    Family("heaps", draw_heaps, solve_heaps, word_heaps, 10),
    Family("change", draw_change, solve_change, word_change, 120),
    Family("saving", draw_saving, solve_saving, word_saving, 120),
    Family("sides", draw_sides, solve_sides, word_sides, 20),
    Family("wheel", draw_wheel, solve_wheel, word_wheel, 36),
    Family("average", draw_average, solve_average, word_average, 30),
    Family("share", draw_share, solve_share, word_share, 60),
)
