"""Hardware that Hugging Face offers for Spaces: processors, memory, disk and price, as documented there."""

from typing import NamedTuple


class Hardware(NamedTuple):
    """One kind of machine, under the name that `hf` uses for it."""

    memory_gb: int
    disk_gb: int | None
    """None where its documentation does not say."""
    dollars_an_hour: float


HARDWARE = {
    "cpu-basic": Hardware(16, 50, 0.0),
    "cpu-upgrade": Hardware(32, 50, 0.03),
    "t4-small": Hardware(15, 50, 0.40),
    "t4-medium": Hardware(30, 100, 0.60),
    "l4x1": Hardware(30, 400, 0.80),
    "l4x4": Hardware(186, 3200, 3.80),
    "a10g-small": Hardware(15, 110, 1.00),
    "a10g-large": Hardware(46, 200, 1.50),
    "a10g-largex2": Hardware(92, 1000, 3.00),
    "a10g-largex4": Hardware(184, 2000, 5.00),
    "l40sx1": Hardware(62, 380, 1.80),
    "l40sx4": Hardware(382, 3200, 8.30),
    "l40sx8": Hardware(1534, 6500, 23.50),
    "a100-large": Hardware(142, 1000, 2.50),
    "a100x4": Hardware(568, 4000, 10.00),
    "a100x8": Hardware(1136, 8000, 20.00),
    "rtx-pro-6000": Hardware(256, None, 2.75),
    "rtx-pro-6000x2": Hardware(512, None, 5.50),
}
"""As of 2026; `hf spaces hardware` lists the current ones."""


def price(flavor: str) -> str:
    """The price in words, also for hardware that is not in the table."""
    if flavor.startswith("zero-"):
        return f"{flavor} (ZeroGPU): no charge by the hour; each reply takes GPU time from its visitor's daily quota"
    known = HARDWARE.get(flavor)
    if known is None:
        return f"{flavor}: its price is in `hf spaces hardware`"
    cost = f"${known.dollars_an_hour:.2f} an hour" if known.dollars_an_hour else "no charge by the hour"
    return f"{flavor}: {cost} when this was written; `hf spaces hardware` lists today's prices"
