"""What the libraries find, and what of mathematics they must leave alone. Skipped where they are not installed."""

import importlib.util

import pytest

from common.errors import ConfigError
from votes.release import personal
from votes.release.personal import Kind, Scanner

MODULES = ("datafog_core", "detect_secrets", "pyap")
INSTALLED = all(importlib.util.find_spec(module) for module in MODULES)
needs_packages = pytest.mark.skipif(not INSTALLED, reason=personal.INSTALL)


@pytest.fixture(scope="module")
def scan() -> Scanner:
    return personal.scanner()


# Put together here, so that no search for leaked keys finds this file.
LETTERS = "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zAbCdEfGh"
FOUND: list[tuple[Kind, str]] = [
    ("mail address", "Write to jane.doe@example.com, please."),
    ("mail address", "我的邮箱是li.lei@example.cn。"),
    ("phone number", "Call me: +44 20 7946 0958"),
    ("phone number", "My number is (415) 555-2671."),
    ("phone number", "我的电话是 13812345678"),
    ("phone number", "手机号:138 1234 5678"),
    ("phone number", "手机 199-1234-5678。"),
    ("phone number", "+86 138-1234-5678"),
    ("phone number", "电话 010-62511234"),
    ("phone number", "电话：0571-8765 4321"),
    ("phone number", "Ring 020 7946 0958 after six"),
    ("phone number", "mobile 07700 900123"),
    ("phone number", "(0121 496 0000)"),
    ("phone number", "Appelle le 06 12 34 56 78."),
    ("phone number", "Appelle le 06.12.34.56.78."),
    ("card number", "Is 4111 1111 1111 1111 a valid card?"),
    ("card number", "card 5500-0055-5555-5559"),
    ("identity number", "My SSN is 536-90-4399."),
    ("identity number", "身份证号11010519491231002X"),
    ("identity number", "id 11010519491231002x, please"),
    ("IP address", "Why does 203.0.113.9 not answer?"),
    ("postal address", "I live at 350 Fifth Avenue, New York, NY 10118."),
    ("postal address", "Send it to 221B Baker Street, London NW1 6XE"),
    ("key", "use gh" + "p_" + LETTERS),
    ("key", "AWS gives me AK" + "IAITNVWCA4JI9Q4RXF"),
    ("key", "token: h" + "f_" + "HTBMIdNEpbTyLTLVuPxWTfhlYwGpAusEEV"),
    ("key", "why is s" + "k-ant-api03-" + LETTERS + " refused?"),
    ("key", "postgres:" + "//me:hunter2@db.example.com/shop"),
    ("key", "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE\n-----END RSA " + "PRIVATE KEY-----"),
]


@needs_packages
@pytest.mark.parametrize(("kind", "text"), FOUND)
def test_personal_data_is_found(scan: Scanner, kind: Kind, text: str) -> None:
    assert kind in scan(text)


@needs_packages
@pytest.mark.parametrize(
    "text",
    [
        "",
        "Find the greatest common divisor of 84 and 126.",
        "What is 12345678901234 times 987654321?",
        "In 2024 there were 20500 people, 90210 cars and 3 dogs on 5th Street.",
        "3.14159265358979323846264338327950288",
        r"Evaluate \(\frac{1}{2}+\sqrt{3}\cdot\sum_{k=1}^{100}\frac{(-1)^{k+1}}{2k-1}\) and \boxed{\dfrac{\pi}{4}}.",
        "Let f(x)=x^4-3x^3+2x-5 and compute f(1/2), f(-7/3), f'(100).",
        "def fibonacci(n): return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)",
        "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
        "鸡和兔在同一个笼子里，一共有 10 个头和 28 只脚。请问有几只鸡、几只兔？",
        "Solve 4539148803436468 mod 97.",
        "1,234,567,890 + 9,876,543,210 = 11,111,111,100",
        "0.5551234567, 1.800.555 and 2^{10}=1024; 64 = 4^3 = 8^2",
        "https://arxiv.org/abs/2411.16489",
        "Add the binary numbers 0110 1001 1100 and 0011 0101.",
        "0110-1001-1100 and 010 1010 0101 in base two",
        "The dates 05-06-2024 10:30 and 01.02.2024, and 0.012 345 678.",
        "110105194912310021 and 110105194913310025 are whole numbers.",
        "138 + 1234 + 5678 = 7050, 06/12/34, 1 2 3 4 5 6 7 8 9 10",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ],
)
def test_questions_and_answers_are_left_alone(scan: Scanner, text: str) -> None:
    assert scan(text) == frozenset()


@needs_packages
def test_a_long_thought_takes_seconds_at_most(scan: Scanner) -> None:
    import time

    text = "First, 12 + 7 = 19. Wait, 12 * 7 = 84, so 84 / 126 = 2/3 on 5 Main Street. " * 800
    began = time.monotonic()
    scan(text)
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("module", ["datafog_core", "detect_secrets.plugins.base", "pyap"])
def test_without_the_packages_it_says_how_to_install_them(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(ConfigError, match="pip install datafog-core=="):
        personal.scanner()
