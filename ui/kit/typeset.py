"""Converts what a model or a person wrote into Markdown that is safe to show: the only way such text reaches the page.

Gradio's renderer supports HTML, images and more, and matches emphasis in quadratic time. So it is given very little:
paragraphs, headings, lists, quotes, tables, code, links, `<strong>`, `<em>`, and formulas between characters that no
text contains. Everything else is text: no URL is loaded, no id is set, nothing in angle brackets is lost, and a dollar
sign begins a formula only where it reads as one. What is too long or too intricate for the renderer is shown verbatim.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import takewhile
from typing import NamedTuple

from markupsafe import escape

LONGEST = 30_000
"""Longest text, in characters, that is typeset; a longer one is shown plain."""
MOST_MARKS = 3_000
MOST_FORMULAS = 300
LONGEST_FORMULA = 2_000
LONGEST_CODE_SPAN = 500
DEEPEST_QUOTE, DEEPEST_LIST = 3, 24
"""In marks, and in spaces of indentation."""
TOP_HEADING = 3
"""Level of a text's topmost headings: the page has those above, and a screen reader's outline leaves out no level."""

INLINE, DISPLAY = ("\ue000", "\ue001"), ("\ue002", "\ue003")
"""Delimiters of formulas: private-use characters, so that only this file can mark something as a formula."""
LATEX_DELIMITERS: list[dict[str, str | bool]] = [
    {"left": DISPLAY[0], "right": DISPLAY[1], "display": True},
    {"left": INLINE[0], "right": INLINE[1], "display": False},
]
_PRIVATE = str.maketrans("", "", "".join(INLINE + DISPLAY))

_MARK = re.compile(r"[\\`*_$<&\[\]~|>]")
_SPECIAL = re.compile(r"[\\`*_$<&\[\]~\n]|://|www\.|@|%%%")
_AS_ENTITY = {"<": "&lt;", "&": "&amp;", "@": "&#64;", "://": "&#58;//", "www.": "www&#46;", "%%%": "%%&#37;"}
"""Strings that would begin HTML, a link, or gradio's own placeholder for a formula."""
_FENCE = re.compile(r"^([ \t]*)(`{3,}|~{3,})[ \t]*([^`\n]*)$")
_RULE = re.compile(r"^ {0,3}([-*_])(?:[ \t]*\1){2,30}[ \t]*$")
_UNDERLINE = re.compile(r"(=+|-+)[ \t]*$")
_MARKER = re.compile(r"#{1,6}(?=[ \t\n]|$)|[-+*](?=[ \n]|$)|\d{1,9}[.)](?=[ \n]|$)")
_QUOTES = re.compile(r"(?:> ?)*")
_LINK = re.compile(r"\[([^\[\]\n]{1,200})\]\((https?://[^\s()<>\\\[\]`\"']{1,500})\)")
_PRICE = re.compile(r"\d[^\\^_={}+*/<>]*\s[A-Za-z]{2,}")
"""Between two dollar signs: an amount and words, with nothing that a formula has."""
_BOX = re.compile(r"\\boxed\{(?!\})[^{}]*(?:\{[^{}]*(?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}[^{}]*)*\}[^{}]*)*\}")
"""Allows braces nested three deep: without such a limit, matching would take quadratic time."""
_ESCAPABLE = "*_`#~|>$"
_BEFORE = re.compile(r"[\s(\[{\"'“‘«—–*_:/>|-]|[^\x00-\u2fff]")
_AFTER = re.compile(r"[\s.,;:!?)\]}\"'”’»—–*_/|-]|[^\x00-\u2fff]")
"""What may come before and after emphasis: no `)` before and no letter after, which would mean multiplication, but any
character of a script written without spaces."""
_TAGS = {1: ("<em>", "</em>"), 2: ("<strong>", "</strong>"), 3: ("<strong><em>", "</em></strong>")}


class Typeset(str):
    """Markdown that is safe to show as it is: what `typeset` made, or what this product says itself."""


class _Context(NamedTuple):
    """Of the lines before: the last item's indentation (-1: no list), and the levels of the headings above."""

    list_indent: int = -1
    headings: tuple[int, ...] = ()


class _Paragraph(NamedTuple):
    """One paragraph as Markdown, how many formulas it has, and the context for the next one."""

    markdown: str
    formulas: int
    context: _Context


class _Asterisks(NamedTuple):
    """A run of asterisks: where it stands in the output, how many, and what it could do."""

    at: int
    length: int
    opens: bool
    closes: bool


def typeset(text: str, *, growing: bool = False) -> Typeset:
    """Anybody's text as Markdown for a Chatbot or Markdown component that has `LATEX_DELIMITERS`.

    `growing`: more of it follows, so a block that is shown plain is left open and only what is added need be sent.
    """
    text = text.translate(_PRIVATE)
    if len(text) > LONGEST or len(_MARK.findall(text)) > MOST_MARKS:
        return Typeset(_plain(text, growing))
    pieces: list[str] = []
    paragraph: list[str] = []
    formulas, context = 0, _Context()

    def close(last: bool = False) -> None:
        nonlocal formulas, context
        if not paragraph:
            return
        # The last paragraph of a reply that is still growing differs every time, so it is not worth caching.
        convert = _paragraph.__wrapped__ if last else _paragraph
        converted = convert("\n".join(paragraph), context)
        pieces.append(converted.markdown)
        formulas, context = formulas + converted.formulas, converted.context
        paragraph.clear()

    lines = iter(text.split("\n"))
    for line in lines:
        if fence := _FENCE.match(line):
            close()
            pieces.append(_fenced(fence, lines, growing))
            context = context._replace(list_indent=-1)
        elif not line.strip():
            close()
            pieces.append("")
        else:
            paragraph.append(line)
    close(last=True)
    return Typeset(_plain(text, growing) if formulas > MOST_FORMULAS else "\n".join(pieces))


def _plain(text: str, growing: bool) -> str:
    """The text as it was written, without any typesetting."""
    closing = "" if growing else "\n</pre>"
    return f'<pre class="plain">\n{escape(text)}{closing}'


def _fenced(opening: re.Match[str], lines: Iterator[str], growing: bool) -> str:
    """A code block, its content unchanged, up to its closing line or the end of the text. There it is closed unless
    more follows, so that remarks the page adds below are not code."""
    indent, ticks, info = opening.groups()
    body: list[str] = []
    closed = not growing
    for line in lines:
        stripped = line.strip()
        if len(stripped) >= len(ticks) and not stripped.strip(ticks[0]):
            closed = True
            break
        body.append(line.removeprefix(indent))
    code = "\n".join(body)
    runs = (len(run) for run in re.findall("`{3,}", code))
    fence = "`" * (max(runs, default=2) + 1)
    language = re.match(r"[\w+#-]{0,20}", info.strip())
    named = language.group() if language else ""
    named = "" if named.lower() == "mermaid" else named  # it would be drawn, with whatever URLs it contains
    return "\n".join([f"{fence}{named}", *([code] if body else []), *([fence] if closed else [])])


@lru_cache(512)
def _paragraph(text: str, context: _Context) -> _Paragraph:
    """Lines without a blank one between them, and without fences."""
    out: list[str] = []
    asterisks: list[_Asterisks] = []
    formulas = 0
    at, context = _line_start(text, 0, out, context)
    while special := _SPECIAL.search(text, at):
        out.append(text[at : special.start()])
        at = special.start()
        sign = special.group()
        if formula := _formula(text, at):
            out.append(formula.markdown)
            formulas, at = formulas + 1, formula.end
        elif sign == "\n":
            _emphasise(out, asterisks)
            out.append("\n")
            at, context = _line_start(text, at + 1, out, context)
        elif sign == "*":
            at = _note_asterisks(text, at, out, asterisks)
        else:
            piece, at = _piece(text, at, sign)
            out.append(piece)
    out.append(text[at:])
    _emphasise(out, asterisks)
    return _Paragraph("".join(out), formulas, context)


def _line_start(text: str, at: int, out: list[str], context: _Context) -> tuple[int, _Context]:
    """Emit what makes a line a heading, an item or a quote. Returns where the line's text begins, and the context."""
    end = text.find("\n", at)
    line = text[at : len(text) if end < 0 else end]
    width = len(line) - len(line.lstrip(" \t"))
    rest = line[width:]
    quote = _QUOTES.match(rest)
    quotes = quote.group().count(">") if quote else 0
    quoted = "> " * min(quotes, DEEPEST_QUOTE) + "\\>" * max(0, quotes - DEEPEST_QUOTE)
    underline = _UNDERLINE.match(rest, quote.end() if quote else 0) if at else None
    if underline and (quotes or len(underline[1]) < 3 or underline[1][0] == "="):
        out.append(f"{quoted}\\{underline[1]}")  # as it is, it would make a heading of the line above
        return at + len(line), context
    if underline or _RULE.match(line):
        out.append("\n---" if underline else line.strip())
        return at + len(line), context._replace(list_indent=-1)
    list_indent, headings = context
    indent = len(line[:width].expandtabs(4))
    marker = _MARKER.match(rest, quote.end() if quote else 0)
    is_heading = bool(marker and marker.group().startswith("#"))
    is_item = bool(marker and not is_heading)
    if is_item:  # deeper than its parent's text, it would be code
        indent = min(indent, list_indent + 4 if list_indent >= 0 else 3, DEEPEST_LIST)
        list_indent = indent
    out.append(" " * indent if is_item or indent < 4 else "&nbsp;" * indent)
    out.append(quoted)
    begin = width + (quote.end() if quote else 0)
    if marker:
        if is_heading:
            headings = (*takewhile(len(marker.group()).__gt__, headings), len(marker.group()))
        out.append("#" * min(TOP_HEADING - 1 + len(headings), 6) if is_heading else marker.group())
        begin = width + marker.end()
        blank = len(line) - begin - len(line[begin:].lstrip(" \t"))
        again = _MARKER.match(line, begin + blank) or re.compile(">").match(line, begin + blank)
        if blank and again:  # an item in an item in an item …
            out.append(f" {again.group()[:-1]}\\{again.group()[-1]}")
            begin += blank + len(again.group())
    return at + begin, _Context(list_indent, headings)


class _Formula(NamedTuple):
    markdown: str
    end: int


def _formula(text: str, at: int) -> _Formula | None:
    r"""The formula that begins here: `\(…\)`, `\[…\]`, `$$…$$`, `$…$`, or a bare `\boxed{…}`."""
    if text.startswith("\\boxed{", at):
        box = _BOX.match(text, at, at + LONGEST_FORMULA)
        return _mark(box.group(), INLINE, box.end()) if box else None
    for left, right, around in (("\\(", "\\)", INLINE), ("\\[", "\\]", DISPLAY), ("$$", "$$", DISPLAY)):
        if text.startswith(left, at):
            end = text.find(right, at + 2, at + 2 + LONGEST_FORMULA)
            return _mark(text[at + 2 : end], around, end + 2) if end > at + 2 else None
    if text[at] != "$" or (at and text[at - 1].isascii() and text[at - 1].isalnum()):
        return None
    end = text.find("$", at + 1, at + LONGEST_FORMULA)
    while end > 0 and text[end - 1] == "\\":
        end = text.find("$", end + 1, at + LONGEST_FORMULA)
    content = text[at + 1 : max(end, 0)]
    if not content or "\n" in content or content[0].isspace() or content[-1].isspace():
        return None
    if text[end + 1 : end + 2].isdigit() or _PRICE.match(content):
        return None
    return _mark(content, INLINE, end + 1)


def _mark(formula: str, around: tuple[str, str], end: int) -> _Formula | None:
    return _Formula(f"{around[0]}{escape(formula)}{around[1]}", end) if formula.strip() else None


def _piece(text: str, at: int, sign: str) -> tuple[str, int]:
    """What a special sign becomes where it begins no formula, and where the text goes on."""
    if sign in _AS_ENTITY:
        return _AS_ENTITY[sign], at + len(sign)
    if sign == "\\" and text[at + 1 : at + 2] and text[at + 1] in _ESCAPABLE:
        return text[at + 1] if text[at + 1] == "$" else text[at : at + 2], at + 2
    if sign == "`":
        return _code_span(text, at)
    if sign == "[" and (link := _LINK.match(text, at)) and text[at - 1 : at] != "!":
        label = re.sub(r"([\\`*_~])", r"\\\1", link[1]).replace("&", "&amp;").replace("<", "&lt;")
        return f"[{label}]({link[2].replace('&', '&amp;')})", link.end()
    return sign if sign == "$" else f"\\{sign}", at + 1


def _code_span(text: str, at: int) -> tuple[str, int]:
    """Backticks up to as many again on the same line, or as text."""
    end = at
    while text[end : end + 1] == "`":
        end += 1
    ticks = text[at:end]
    line_end = text.find("\n", end)
    limit = min(len(text) if line_end < 0 else line_end, end + LONGEST_CODE_SPAN)
    closing = re.compile(f"(?<!`){ticks}(?!`)").search(text, end, limit) if len(ticks) <= 3 else None
    return (text[at : closing.end()], closing.end()) if closing else ("\\`" * len(ticks), end)


def _note_asterisks(text: str, at: int, out: list[str], asterisks: list[_Asterisks]) -> int:
    """Emit a run of asterisks as text, and remember it for `_emphasise`."""
    end = at
    while text[end : end + 1] == "*":
        end += 1
    before, after = text[at - 1 : at] if at else " ", text[end : end + 1] or " "
    opens = bool(_BEFORE.match(before)) and not after.isspace()
    closes = bool(_AFTER.match(after)) and not before.isspace()
    if end - at in _TAGS and (opens or closes):
        asterisks.append(_Asterisks(len(out), end - at, opens, closes))
    out.append("\\*" * (end - at))
    return end


def _emphasise(out: list[str], asterisks: list[_Asterisks]) -> None:
    """Turn matching runs on a line into tags; the others stay text."""
    openers: list[_Asterisks] = []
    for run in asterisks:
        partner = next((k for k in (-1, -2, -3) if -k <= len(openers) and openers[k].length == run.length), None)
        if run.closes and partner is not None:
            out[openers[partner].at], out[run.at] = _TAGS[run.length]
            del openers[partner:]
        elif run.opens:
            openers.append(run)
    asterisks.clear()
