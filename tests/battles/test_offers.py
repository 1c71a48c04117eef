"""A battle records how its question was drawn, if the page drew it for this visitor."""

import threading

from battles.offers import Offers
from battles.sampling import describe_sampling, recorded_sampling
from models.config.sampling import Sampling

DRAWN = {"kind": "sums", "policy": "widest interval", "seed": 7, "width": 0.5, "votes": 3}


def test_only_the_same_question_of_the_same_visitor_is_the_offered_one() -> None:
    offers = Offers()
    offers.add("ann", " What is 2 + 2? ", DRAWN)
    assert offers.recorded("ann", "What is 2 + 2?\n") == {"prompt": DRAWN}
    assert offers.recorded("bob", "What is 2 + 2?") == {} == offers.recorded("ann", "What is 2 + 3?")


def test_what_is_recorded_does_not_change_how_tokens_are_drawn() -> None:
    one, other = Sampling(max_tokens=100), Sampling(max_tokens=200, seed=3)
    for base, distilled in ((one, one), (one, other)):
        recorded = {**describe_sampling(base, distilled), "prompt": DRAWN}
        assert recorded_sampling(recorded) == {"base": base, "distilled": distilled}


def test_memory_is_bounded_from_many_threads() -> None:
    offers = Offers(most=50)

    def add(visitor: str) -> None:
        for n in range(200):
            offers.add(visitor, str(n), DRAWN)

    threads = [threading.Thread(target=add, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(bool(offers.recorded(str(v), str(n))) for v in range(4) for n in range(200)) == 50
