"""What anybody wrote is shown as it was meant, and nothing in it is more than text."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.chat.events import Reply
from tests.ui.attacks import HEAVY, IDS, loads
from ui.kit.panels import reply_messages
from ui.kit.typeset import DISPLAY, INLINE, LONGEST, typeset


def marked(text: str) -> str:
    """The Markdown with formulas in ⟦ ⟧, displayed ones in ⟦⟦ ⟧⟧."""
    for signs, shown in ((INLINE, "⟦⟧"), (DISPLAY, ("⟦⟦", "⟧⟧"))):
        text = text.replace(signs[0], shown[0]).replace(signs[1], shown[1])
    return text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "The book is $5 and the pen costs $10, so $15 together.",
            "The book is $5 and the pen costs $10, so $15 together.",
        ),
        ("She pays $3 per apple. With $x$ she pays $3x$.", "She pays $3 per apple. With ⟦x⟧ she pays ⟦3x⟧."),
        ("From $5 to $7, $2-$3 or 5$ more", "From $5 to $7, $2-$3 or 5$ more"),
        ("US$5 and CA$6", "US$5 and CA$6"),
        (r"It costs \$5 and then \$10.", "It costs $5 and then $10."),
        (r"$\boxed{\$18}$ and $\frac12$", r"⟦\boxed{\$18}⟧ and ⟦\frac12⟧"),
        ("the $n$th of $1, 2, 3$", "the ⟦n⟧th of ⟦1, 2, 3⟧"),
        ("求$x$的值", "求⟦x⟧的值"),
        (r"\(a<b\) and \[c\] and $$d$$", r"⟦a&lt;b⟧ and ⟦⟦c⟧⟧ and ⟦⟦d⟧⟧"),
        (r"So \boxed{\frac{1}{2}}.", r"So ⟦\boxed{\frac{1}{2}}⟧."),
        (r"\boxed{4", r"\\boxed{4"),
        (r"Put it in \boxed{}.", r"Put it in \\boxed{}."),
        ("a<b and b>c, i<j", "a&lt;b and b>c, i&lt;j"),
        ("x &lt; y", "x &amp;lt; y"),
        ("2**10 and 3**5", r"2\*\*10 and 3\*\*5"),
        ("(2+3)*(4+1) and (1+2)*(3+4)", r"(2+3)\*(4+1) and (1+2)\*(3+4)"),
        ("__init__ and max_new_tokens", r"\_\_init\_\_ and max\_new\_tokens"),
        ("*a* **b** ***c***", "<em>a</em> <strong>b</strong> <strong><em>c</em></strong>"),
        ("这是**重要**的。**答：**是", "这是<strong>重要</strong>的。<strong>答：</strong>是"),
        ("a `b*c_d` and `open", r"a `b*c_d` and \`open"),
        ("```python\nx**2 < y_z\n```\nend", "```python\nx**2 < y_z\n```\nend"),
        ("```\nnever closed **", "```\nnever closed **\n```"),
        ("~~~\n```\n~~~", "````\n```\n````"),
        ("- a\n    - b\n        - c", "- a\n    - b\n        - c"),
        ("    four spaces", "&nbsp;&nbsp;&nbsp;&nbsp;four spaces"),
        ("see [here](https://a.b/c_d?x=1) now", "see [here](https://a.b/c_d?x=1) now"),
        ("[x](javascript:alert(1))", r"\[x\](javascript:alert(1))"),
        ("a@b.c, www.d.e, https://f.g/h_i", r"a&#64;b.c, www&#46;d.e, https&#58;//f.g/h\_i"),
        ("| a | b |\n|---|---|\n| 1 | $|x|$ |", "| a | b |\n|---|---|\n| 1 | ⟦|x|⟧ |"),
        (r"\frac12, \\ and \*", r"\\frac12, \\\\ and \*"),
        ("الجواب هو 42", "الجواب هو 42"),
        ("#### 1\nThe answer is 1.", "### 1\nThe answer is 1."),
        ("# T\n### Step 1\na\n\n### Step 2\n#### b\n## C", "### T\n#### Step 1\na\n\n#### Step 2\n##### b\n#### C"),
        ("Text\n---\nmore\n===", "Text\n\n---\nmore\n\\==="),
        (f"Text\n{'-' * 40}\nmore\n--\n-", "Text\n\n---\nmore\n\\--\n\\-"),
        ("> Text\n> ===\n> ---", "> Text\n> \\===\n> \\---"),
        ("##\tb", "###\tb"),
        ("- - -\n- a", "- - -\n- a"),
        ("```\n# comment\n```\n> ## quoted", "```\n# comment\n```\n> ### quoted"),
        ("\ue000<b>\ue001", "&lt;b>"),
    ],
)
def test_a_text_reads_as_it_was_meant(text: str, shown: str) -> None:
    assert marked(typeset(text)) == shown


@given(st.lists(st.integers(1, 6), min_size=1))
def test_headings_stand_below_those_of_the_page_and_leave_out_no_level(written: list[int]) -> None:
    lines = typeset("\n\n".join(f"{'#' * level} x" for level in written)).split("\n\n")
    shown = [len(line.split()[0]) for line in lines]
    assert shown[0] == 3 and min(shown) == 3 and max(shown) <= 6
    for n in range(1, len(shown)):
        assert shown[n] <= shown[n - 1] + 1
        if written[n] == written[n - 1]:
            assert shown[n] == shown[n - 1]


@pytest.mark.parametrize("kind", [*loads(), "ids"])
def test_no_tag_but_our_own_and_no_address_survives(kind: str) -> None:
    text = {**loads(), "ids": IDS}[kind]
    outside_code = "".join(typeset(text).split("`")[::2])
    for tag in ("<strong>", "</strong>", "<em>", "</em>"):
        outside_code = outside_code.replace(tag, "")
    assert "<" not in outside_code
    outside_formulas = re.sub(f"{INLINE[0]}.*?{INLINE[1]}", "", outside_code, flags=re.DOTALL)  # KaTeX loads nothing
    assert "://" not in outside_formulas.replace("](http://", "")
    assert "![" not in outside_code and "mermaid\n" not in typeset(text)


@pytest.mark.parametrize("kind", HEAVY)
def test_a_heavy_text_is_quickly_made_light(kind: str) -> None:
    begun = time.process_time()
    shown = typeset(HEAVY[kind])
    assert time.process_time() - begun < 1.0
    if len(HEAVY[kind]) > LONGEST:
        assert shown.startswith('<pre class="plain">') and shown.endswith("</pre>")


def test_a_text_that_grows_is_left_open_and_only_added_to() -> None:
    text = "word " * 10_000
    assert typeset(text + "more", growing=True).startswith(typeset(text, growing=True))


def test_pieces_of_a_reply_are_typeset_like_the_whole() -> None:
    text = "One **bold** $x^2$ and `code`.\n\n- item\n\n```py\na < b\n```\nEnd."
    for end in range(len(text)):
        typeset(text[:end], growing=True)  # no prefix fails
    assert typeset(text, growing=True) == typeset(text)


def test_an_error_of_a_server_is_text_too() -> None:
    [message] = reply_messages(Reply(finish_reason="failed", error=loads()["image"]), running=False)
    assert "<img" not in message["content"]
