r"""Reading what follows the words that announce an answer, and plain statements ("The answer is 18.") ending a text.

A plain statement is the weakest sign of an answer, so it counts only as the last sentence of the text: "The answer is
18. But wait …" does not count.
"""

import re

MAX_ANSWER = 2_000
"""Characters. No benchmark's gold comes near it; anything longer is ignored."""
TURN_END = re.compile(r"<[|｜][^<>\s]{1,40}[|｜]>|</s>|<(?:eos|end_of_turn|end_of_text)>|\[/INST\]")
"""End-of-turn tokens, which some servers leave in the text."""

_DECORATION = re.compile(r"[ \t*_:：,}]*(?:\n[\s*_#>]*)?")
_SPAN = re.compile(r"\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\\((.+?)\\\)|(?<!\\)\$(.+?)(?<!\\)\$", re.DOTALL)
_JOINT = re.compile(r"(?:\s|[,;.*_]|\band\b|\bor\b)*")
_EMPTY_SET = re.compile(r"\\\{\s*\\\}")
_WRAPPERS = re.compile(r"\\(?:text\w*|mbox|math\w+|boxed|fbox|framebox|left|right|quad|qquad|[,;:! ])")
_BOLD = re.compile(r"(?<![\w)*])\*\*(?=[^\s*])([^*\n]+)\*\*(?![\w(*])")
_LEAD_IN = re.compile(
    r"^[A-Za-z][^=\n]*?\b(?:is|are|equals|be|get|have|obtain|find|was|becomes|gives|equal to|given by)[ \t]*:?[ \t]+"
    r"(?=[-+\d.\\$({\[])",
    re.IGNORECASE,
)
_ADVERBS = re.compile(
    r"^(?:(?:(?!(?:near|hard|bare)ly\b)[a-z]+ly|still|just|indeed|thus|hence|then|now|also|about|again|always|therefore"
    r"|in fact|of course|as expected|equal to|given by|(?:found|confirmed|known|shown|seen) to be)\b[ \t]*[,:]?[ \t]+)+"
    r"(?=\S)",
    re.IGNORECASE,
)
_NEXT_SENTENCE = re.compile(
    r"(?<=[\d$)}\]%°])(?P<rest>[^.\n]{0,80})\.[ \t]+[A-Z].*$"
    r"|(?<=[a-z]{4})(?<!Prof)(?<!Capt)\.[ \t]+(?:I|We|It|He|She|This|That|The|They|You|Let|Note|So|As|Please|Hope)\b.*$"
)
_TRAILERS = re.compile(
    r"(?:[.,;]?\s*I hope (?:it|this) (?:is correct|helps)\b.*"
    r"|,?\s+(?:which|as (?:required|expected|desired|claimed|stated|shown|above|asked))\b.*"
    r"|(?<=[\d$)}\]%])\s+is\s+(?:indeed\s+)?(?:correct|right|confirmed|verified|true)\b.*"
    r"|(?<=[\d$)}\]%])\s*\([A-Za-z]{4,}(?:\s+[A-Za-z]{4,})*\s*\))\s*[.!]?\s*$",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"\s*(?:I hope (?:it|this)|Hope this|Let me know|Feel free|Please let me|Have a (?:nice|great))\b[^\n]*$",
    re.IGNORECASE,
)
_COMMENTS = frozenset(
    {
        "right", "correct", "confirmed", "verified", "clear", "done", "ready", "complete", "completed", "found",
        "obtained", "reached", "given", "stated", "shown", "provided", "presented", "highlighted", "boxed", "marked",
        "below", "above", "here", "follows", "valid", "consistent", "reasonable", "sound", "unclear", "unknown",
        "uncertain", "undetermined", "wrong", "incorrect", "it", "this", "that", "so", "thus", "therefore", "as", "the",
        "a", "same", "good", "fine", "and",
    }
)  # fmt: skip
_COMMENT_START = re.compile(r"^(?:not|n't|to be|in the|as follows|given|shown|stated|what)\b", re.IGNORECASE)
_VALUE_START = re.compile(r"[-+\d.\\$({\[|√±=<>]")

_DOUBT = r"\b(?:if|whether|unless|suppose|assum\w+|guess\w*|maybe|perhaps|might|not sure)\b"
_SENTENCE = re.compile(
    r"\banswer\b(?:[ \t]+(?:to|for|of|in|we|you|that|which)\b[^.:\n]{0,60}?)?[ \t*_]*"
    r"(?:[:=]|\b(?:is|are|equals|(?:would|should|must|will)[ \t]+be|comes[ \t]+(?:out[ \t]+)?to)\b[ \t]*:?)"
    r"(?P<value>.+)$",
    re.IGNORECASE,
)
_CHINESE = re.compile(
    r"(?:答案(?:应该|应当|应|就|即)?(?:是|为|等于|选)?|(?:故|应|因此|所以)选择?)[*_]*\s*[：:=]?[*_]*\s*"
    r"(?P<value>[^。！？\n]+)[。！.]?\s*$"
)
_LABEL = re.compile(
    r"^[ \t>*_#-]*(?:(?:A|Ans|Answer)[ \t]*[*_]*[ \t]*[:：]|Ans\.|答(?:案)?[*_]*\s*[：:]|【答案】)(?P<value>.+)$",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"(?:^|\n)[ \t>*_]*(?:#{1,6}[ \t]*)?[*_]*(?:the[ \t]+)?(?:answer|ans|(?:最终|最后|正确)?答案)"
    r"[ \t]*[*_]*[ \t]*[:：]?[ \t]*[*_]*[ \t]*\n",
    re.IGNORECASE,
)
_MAX_STATEMENT = 120
_MOST_WORDS = 4


def final_statement(text: str) -> str:
    """The answer plainly stated at the end of the text: a sentence, a label such as "A: 18", or a heading.

    Empty if there is none, if the text expresses doubt about it, or if it goes on afterwards.
    """
    text = _COURTESY.sub("", text[-MAX_ANSWER:].rstrip()).rstrip()
    line = text[text.rfind("\n") + 1 :]
    headings = list(_HEADING.finditer(text))
    rest = text[headings[-1].end() :].strip() if headings else ""
    if rest and ("\n" not in rest or _SPAN.fullmatch(rest)):
        return _if_stated(rest)
    match = _LABEL.match(line) or _CHINESE.search(line) or _last_sentence(line)
    return _if_stated(match["value"]) if match else ""


def _last_sentence(line: str) -> re.Match[str] | None:
    match = None
    for start in re.finditer(r"(?<!final )\banswer\b", line, re.IGNORECASE):
        match = _SENTENCE.match(line, start.start()) or match
    if match is None or line.endswith(("?", "？")):
        return None
    sentence = re.split(r"[.!?]\s", line[: match.start()])[-1]
    return None if re.search(_DOUBT, sentence, re.IGNORECASE) else match


def _if_stated(value: str) -> str:
    value = value.strip()
    if re.search(r"[.!?。！？]\s+\S", _SPAN.sub("x", value)):  # goes on after the statement
        return ""
    if len(re.findall(r"(?<!\\)\b[A-Za-z]{3,}", _TRAILERS.sub("", value))) > _MOST_WORDS:  # a story, not an answer
        return ""
    value = stated_value(value)
    if len(value) > _MAX_STATEMENT or is_comment(value, False) or not can_be_answer(value):
        return ""
    return "" if is_prose(value, True) and len(value.split()) > 3 else value


def stated_value(after: str) -> str:
    """The answer in words or maths right after a marker; empty when it was cut off before it was whole."""
    after = after[_DECORATION.match(after).end() :]  # type: ignore[union-attr]  # matches the empty string too
    if after.startswith(("\\[", "$$")):
        span = _SPAN.match(after, 0, MAX_ANSWER)
        return _tidy(_inside(span)) if span else ""
    line = TURN_END.split(after.partition("\n")[0], maxsplit=1)[0]
    if len(line) > MAX_ANSWER:
        return line
    line = _ADVERBS.sub("", _TRAILERS.sub("", _NEXT_SENTENCE.sub(lambda m: m["rest"] or "", line)).strip(" \t*_"))
    line = _ADVERBS.sub("", _LEAD_IN.sub("", line))
    spans = list(_SPAN.finditer(line))
    outside = _SPAN.sub(" ", line)
    if spans and _JOINT.fullmatch(outside):
        return _tidy(", ".join(_inside(span) for span in spans))
    if len(spans) == 1 and not re.search(r"\d", outside):
        return _tidy(_inside(spans[0]))
    return _tidy(line)


def is_blank(answer: str) -> bool:
    """Whether the answer is empty: nothing remains without spaces, maths delimiters, empty wrappers, question marks
    and punctuation, or what remains ends in an equals sign."""
    rest = re.sub(r"[\s{}$*_.,;:?~\\]", "", _EMPTY_SET.sub("0", _WRAPPERS.sub("", answer)))
    return not rest or rest.endswith("=")


def can_be_answer(value: str) -> bool:
    """Whether the text can be an answer: it has a letter or digit and is not a mere comment on an answer."""
    return not is_blank(value) and re.search(r"\w|\\", value) is not None


def is_comment(value: str, colon: bool) -> bool:
    """Whether the text talks about an answer instead of giving one: "correct", "given above", "not clear".

    A word after a colon ("Final answer: right") is taken as the answer.
    """
    words = re.split(r"[.!;]\s", value.lower())[0].strip(" .!*_").split()
    if not words:
        return True
    if _COMMENT_START.match(value) and not re.search(r"[\d\\$=<>^_+]", value):
        return True
    return not colon and all(word.strip(",.;!") in _COMMENTS or word.endswith("ly") for word in words)


def is_prose(value: str, colon: bool) -> bool:
    """Whether the text is prose, so that a box anywhere in the reply takes precedence."""
    words = re.findall(r"(?<!\\)\b[A-Za-z]{3,}", value)
    if value.lower().startswith("not "):
        return True
    if not re.search(r"[\d\\$=<>^_+]", value):
        return len(words) > 1 or (not colon and value[:1].islower() and len(value) > 1)
    starts_as_words = not _VALUE_START.match(value) and re.match(r"[a-z]{3,}\s", value) is not None
    return starts_as_words and len(words) > 2 and not re.search(r"[\\=$]", value)


def _inside(span: re.Match[str]) -> str:
    return next(group for group in span.groups() if group is not None).strip()


def _tidy(answer: str) -> str:
    answer = _BOLD.sub(r"\1", answer).strip("*_ \t\n").rstrip(".,;:。，；").strip("*_").strip()
    return "" if is_blank(answer) else answer
