"""What a thought does, part by part: restates, plans, works, checks, doubts, turns back, wishes for a tool, answers.

Rule-based on purpose: a reader can look up why a part has its kind. The rules find the words by which a thought *says*
that it checks or turns back; they cannot know whether the check was real.

A thought is cut into sentences (at line ends and sentence marks). A sentence's kind is that of the first rule below
whose cue words it contains; without any it is working. Neighbouring sentences of one kind become one segment, except
that a mark (checking, reflection, turning back, tool wish) ends with its line, so that two checks on two lines count
as two. A bare verdict after a check ("Good.", "Not the same.") belongs to the check.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from eval.thoughts.sentences import sentences

Kind = Literal[
    "restating", "planning", "working", "checking", "reflection", "turning_back", "tool_wish", "final_answer"
]
KINDS: tuple[Kind, ...] = (
    "restating",
    "planning",
    "working",
    "checking",
    "reflection",
    "turning_back",
    "tool_wish",
    "final_answer",
)
TITLES: dict[Kind, str] = {
    "restating": "Restating the question",
    "planning": "Planning",
    "working": "Working",
    "checking": "Checking",
    "reflection": "Doubting",
    "turning_back": "Turning back",
    "tool_wish": "Wishing for a tool",
    "final_answer": "Final answer",
}
MARKS: frozenset[Kind] = frozenset(("checking", "reflection", "turning_back", "tool_wish"))


def _cues(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


CUES: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("final_answer", _cues(r"\\boxed\b", r"\bfinal answer\b", "最终答案", "最后答案")),
    (
        "tool_wish",
        _cues(
            r"\bsearch(?:ing)? (?:for (?:it|this|that|information|sources|records)|the|online|on|in|through)\b",
            r"\blook(?:ing)? (?:it |this |that )?up\b",
            r"\b(?:google|brows(?:e|ing)|consult(?:ing)?)\b",
            r"\b(?:use|using|need|run|open) (?:an? |the |some )?(?:calculator|python|computer|database|tool|script)\b",
            r"\bsearch engine\b",
            r"\bcross-?check(?:ing)? with\b",
            r"\bofficial (?:site|website|records?)\b",
            "搜索|搜一下|查询|查阅|查一下|上网|计算器|用程序|用代码",
        ),
    ),
    (
        "turning_back",
        _cues(
            r"\b(?:go|going|went) back\b",
            r"\bbacktrack(?:ing)?\b",
            r"\bstart(?:ing)? (?:over|again|afresh)\b",
            r"\b(?:try|take|use) (?:another|a different|something else|the other)\b",
            r"\btry (?:it )?again\b",
            r"\binstead[,:]|^\W*instead\b",
            r"\bdead end\b|\bleads? nowhere\b|\b(?:that|this) fails\b",
            r"\b(?:does|did|do|will|would|can)(?:n't|n’t| not) work\b",
            "回到|退回|从头|行不通|走不通",
            "重新(?:开始|来|考虑|计算)|换(?:一种|个|一个)|另一种(?:方法|思路|做法)",
        ),
    ),
    (
        "reflection",
        _cues(
            r"^\W*wait\b|\bwait[,.…—!]",
            r"\bhmm+\b|\bhold on\b|\bactually\b|\bon second thoughts?\b|\blet me (?:re)?think\b",
            r"\b(?:I|that|this|it|which) (?:was|is|must be|seems?|looks?) (?:a |an )?(?:wrong|mistaken?|error|slip)\b",
            r"\bI (?:made a (?:mistake|slip)|mis(?:read|took|counted|calculated|understood))\b",
            r"\b(?:that|this|which)(?:'s|’s| is) (?:wrong|not right|incorrect|impossible)\b",
            r"\bmight be (?:a |an )?(?:mistake|misunderstanding|error)\b",
            r"\bam I sure\b|\bis (?:that|this) (?:right|correct)\?|\bnot right\b",
            "等等|等一下|且慢|嗯|不对|其实|真的吗|反思|有误|出错|我(?:算|弄|想|看)错|仔细(?:想|看)",
        ),
    ),
    (
        "checking",
        _cues(
            r"\b(?:double-?|re-?|cross-?)?check(?:s|ed|ing)?\b",
            r"\bverif(?:y|ies|ied|ying|ication)\b|\bconfirm(?:s|ed|ing)?\b",
            r"\bplug(?:ging)? (?:it |this |that |these |them )?(?:back )?in\b|\bsubstitut(?:e|ing) back\b",
            r"\b(?:make|making) sure\b|\bsanity\b",
            "验证|检验|检查|核对|核实|验算|代回|代入(?:原|检)|确认",
        ),
    ),
    (
        "final_answer",
        _cues(r"\b(?:so|thus|therefore|hence),? (?:the|my|our) answer\b", r"\bthe answer is\b", "答案(?:是|为|：)"),
    ),
    (
        "restating",
        _cues(
            r"\bthe (?:problem|question|task) (?:is|asks?|says|states|wants|gives)\b",
            r"\b(?:we|I)(?:'m| am| are|'re) (?:given|told|asked)\b|^\W*given\b",
            r"(?:\b(?:we|I) (?:have|want)|^\W*(?:we|I) need) to (?:find|compute|determine|count)\b",
            r"\b(?:according to|from|in) the (?:problem|question)\b",
            "题目|题意|已知|问题(?:是|问)|(?:我们|我)?(?:需要|要)求",
        ),
    ),
    (
        "planning",
        _cues(
            r"\b(?:let me|let's|let us|we (?:can|could|should)|I(?:'ll| will| should| can| could| plan to))\b",
            r"^\W*(?:step \d+\W+|next, |now, |then, |finally, )?(?:we (?:now )?)?(?:calculate|compute|determine|find"
            r"|count|add|subtract|multiply|divide|sum|combine|simplify|solve|set up|identify|substitute)\b",
            r"\bwe (?:will|need to)\b",
            r"\bfirst,|^\W*first\b|\bone way\b|\bstep by step\b|\b(?:plan|approach|strategy|idea)\b",
            "首先|先(?:算|求|看|考虑)|思路|计划|打算|可以(?:先|用|考虑)|我来|让我",
        ),
    ),
)
"""Kind and cue words, in order of precedence. Planning that contains an equation counts as working."""

_VERDICT = re.compile(
    r"\W*(?:good|fine|right|correct|ok|okay|yes|it fits|(?:not )?the same|正确|没错|对)\W*", re.IGNORECASE
)
_EQUATION = re.compile(r"[=＝≡]|\\equiv")


@dataclass(frozen=True)
class Segment:
    """A part of a thought; `thought[start:end] == text`, and the segments in order are the whole thought."""

    kind: Kind
    text: str
    start: int
    end: int
    cue: str = ""
    """The words that decided the kind; empty for working."""


def kind_of(sentence: str) -> tuple[Kind, str]:
    """Kind of one sentence and the cue that decided it."""
    for kind, pattern in CUES:
        if match := pattern.search(sentence.strip()):
            if kind == "planning" and _EQUATION.search(sentence):
                continue
            return kind, match.group().strip()
    return "working", ""


def segments(thought: str) -> tuple[Segment, ...]:
    """The thought's parts in order; they cover it without gaps."""
    parts: list[Segment] = []
    for start, end in sentences(thought):
        text = thought[start:end]
        kind, cue = kind_of(text) if text.strip() else ("working", "")
        last = parts[-1] if parts else None
        joins = not text.strip() or (last and last.kind == "checking" and _VERDICT.fullmatch(text))
        if last and (joins or (last.kind == kind and (kind not in MARKS or "\n" not in last.text))):
            parts[-1] = replace(last, text=last.text + text, end=end)
        else:
            parts.append(Segment(kind, text, start, end, cue))
    return tuple(parts)


def counts(parts: Sequence[Segment]) -> dict[Kind, int]:
    """How many segments there are of each kind, for all kinds."""
    by_kind = Counter(part.kind for part in parts)
    return {kind: by_kind[kind] for kind in KINDS}
