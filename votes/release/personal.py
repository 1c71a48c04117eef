"""Detects personal data in texts, with libraries that need no model and no network.

They come with the app; `scanner` says how to install them where they are missing. Names of people are not found:
that takes a language model, and errs often.
"""

import re
from collections.abc import Callable, Iterable
from typing import Literal

from common.errors import ConfigError

Kind = Literal["mail address", "phone number", "card number", "identity number", "IP address", "postal address", "key"]
Scanner = Callable[[str], frozenset[Kind]]
"""Returns the kinds of personal data that a text seems to contain."""

PACKAGES = ("datafog-core==0.4.4", "detect-secrets==1.5.0", "pyap2==0.2.20")
INSTALL = f"Install them: .venv/bin/python -m pip install {' '.join(PACKAGES)}"
SEARCHED = """mail addresses, phone numbers (with a country code, or as they are written in North America, China, the
United Kingdom and France), card numbers, US and Chinese identity numbers, IP addresses, postal addresses of the United
States, Canada and the United Kingdom, and keys and passwords of services"""
COUNTRIES: tuple[Literal["US", "CA", "GB"], ...] = ("US", "CA", "GB")
_ENTITIES: dict[str, Kind] = {
    "EMAIL": "mail address",
    "PHONE": "phone number",
    "CREDIT_CARD": "card number",
    "SSN": "identity number",
    "IP_ADDRESS": "IP address",
    "API_KEY": "key",
    "BEARER_TOKEN": "key",
    "CREDENTIAL_URI": "key",
    "JWT": "key",
    "PRIVATE_KEY": "key",
}
"""The datafog entities to search for. Its patterns for dates, postcodes and bank numbers match any short number, and
questions here are full of numbers."""
_PHONES = re.compile(
    r"(?<![\d.,])(?:"
    r"1[3-9]\d[ -]\d{4}[ -]\d{4}"  # a Chinese mobile in its usual groups: 138 1234 5678
    r"|(?=[0 1-]*[2-9])0[1-9]\d{1,3}[ -]\d{3,4}[ -]?\d{3,4}"  # with an area code: 010-62511234, 020 7946 0958
    r"|0[1-9](?:[ .]\d\d){4}"  # French: 06 12 34 56 78
    r")(?!\d)",
    re.ASCII,
)
"""What datafog does not know. Binary numbers in groups begin with 0 as well, but have no other digits than 0 and 1."""
_RESIDENT = re.compile(
    r"(?<!\d)[1-9]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?!\d)", re.ASCII
)
"""A Chinese resident identity number: place, date of birth, serial number, check digit."""
_ENTROPY, _LEAST_LENGTH = 4.5, 20
"""Entropy in bits per character and length from which a word counts as a key: detect-secrets' own limit, and the length
of the shortest keys in use."""


def scanner() -> Scanner:
    """A scanner for personal data. ConfigError, with the command to install them, if the libraries are missing."""
    try:
        import datafog_core
        import pyap
        from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
        from detect_secrets.plugins.base import RegexBasedDetector
        from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString
    except ImportError as error:
        raise ConfigError("The packages that find personal data are not installed.", INSTALL) from error

    classes: Iterable[type] = get_mapping_from_secret_type_to_class().values()
    keys = [kind() for kind in classes if issubclass(kind, RegexBasedDetector) and kind.__name__ != "IPPublicDetector"]
    random = Base64HighEntropyString(limit=_ENTROPY)

    def scan(text: str) -> frozenset[Kind]:
        kinds: set[Kind] = {_ENTITIES[f.entity_type] for f in datafog_core.scan(text) if f.entity_type in _ENTITIES}
        if _PHONES.search(text):
            kinds.add("phone number")
        if any(map(is_resident_number, _RESIDENT.findall(text))):
            kinds.add("identity number")
        if any(pyap.parse(text, country=country) for country in COUNTRIES):
            kinds.add("postal address")
        words = (word for word in text.split() if len(word) >= _LEAST_LENGTH)
        if any(secret for key in keys for secret in key.analyze_string(text)) or any(
            random.calculate_shannon_entropy(part) > _ENTROPY
            for word in words
            for part in random.analyze_string(f'"{word}"')
            if len(part) >= _LEAST_LENGTH
        ):
            kinds.add("key")
        return frozenset(kinds)

    return scan


def is_resident_number(digits: str) -> bool:
    """Whether the check digit of a Chinese resident identity number of 18 digits is right (ISO 7064, MOD 11-2)."""
    total = sum(int(digit) * 2 ** (17 - place) for place, digit in enumerate(digits[:17]))
    return "10X98765432"[total % 11] == digits[17].upper()
