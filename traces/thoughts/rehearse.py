"""Rehearsal: the base's own replies to plain prompts, mixed into training so that the student can still chat.

`arena traces rehearse` asks the untrained base and keeps the replies that were not cut off. Those of the embedded base
ship in `traces/training/rehearsal.jsonl`. The prompts are made from the lists below; none of them is used by
`traces.publishing.measure`.
"""

import asyncio
from collections.abc import Sequence
from random import Random

from common.errors import ServerError
from models.chat.client import Message
from traces.thoughts.service.client import ServiceClient
from traces.thoughts.service.gather import FAILURES_IN_A_ROW
from traces.thoughts.service.pacing import CapReached

TOPICS = (
    "the moon", "bread", "rivers", "football", "the heart", "volcanoes", "music", "chess", "trees", "ancient Egypt",
    "bicycles", "honey", "computers", "winter", "whales", "the internet", "painting", "coffee", "trains", "bridges",
    "dreams", "soap", "gardens", "mountains", "newspapers", "the human eye", "paper", "rice", "libraries", "robots",
    "friendship", "deserts", "clocks", "museums", "glass", "swimming", "electricity", "the Roman Empire", "bees",
    "kindness",
)  # fmt: skip
ASKS = (
    "Tell me about {0}.", "Write a short paragraph about {0}.", "Give me three facts about {0}.",
    "Explain {0} to a ten-year-old.", "Why are people interested in {0}?", "What should a beginner know about {0}?",
    "List five words that have to do with {0}.", "Write the first sentence of a story about {0}.",
    "Describe {0} in one sentence.", "What is a common mistake people make about {0}?",
    "Give one example that has to do with {0}.", "Write a title for an article about {0}.",
)  # fmt: skip
TASKS = (
    "reverses a string", "counts the vowels in a word", "returns the last element of a list", "checks for a palindrome",
    "finds the longest word in a sentence", "removes duplicates from a list", "converts Celsius to Fahrenheit",
    "reads a file and prints its lines", "sorts a list of names", "returns the square of a number", "merges two lists",
    "checks whether a year is a leap year", "prints every second item of a list", "joins words with commas",
    "counts how often a letter occurs", "turns a list into a dictionary", "prints a greeting", "multiplies two numbers",
    "finds the smallest number in a list", "says whether a number is even",
)  # fmt: skip
CODE = ("Write a Python function that {0}.", "How can I write code that {0}?", "Show me a short program that {0}.")
DAILY = (
    "How do I boil an egg?", "What can I do on a rainy day?", "How do I write a letter of application?", "I am bored.",
    "How can I remember names better?", "Suggest a name for a cat.", "What is a good breakfast?", "I had a great day!",
    "How do I make new friends?", "What is the capital of Spain?", "Who painted the Mona Lisa?", "What is a verb?",
    "How many days are in a week?", "What do cats eat?", "Where do penguins live?", "Who was Isaac Newton?",
    "Translate 'good morning' into French.", "Translate 'water' into German.", "What is the opposite of 'hot'?",
    "Rewrite this politely: Give me the book.", "Correct the sentence: He have two dog.", "Please introduce yourself.",
    "Write a message to invite a friend to dinner.", "Write a thank-you note to a teacher.", "Tell me a riddle.",
    "Answer in one word: what is the colour of snow?", "Answer with yes or no: can fish swim?", "Good evening!",
    "Give your answer as JSON with the key \"colour\": what colour is the sky?", "What are you able to do?",
    "Make a list of things to pack for a holiday.", "Is it better to read or to watch films?", "Thank you very much!",
    "What is the largest ocean?", "Name two languages spoken in Switzerland.", "What does a doctor do?",
    "Write a slogan for a bakery.", "Describe your favourite season.", "How do plants grow?", "What is a metaphor?",
)  # fmt: skip
CHINESE = (
    "你好！", "请介绍一下月亮。", "用一句话描述春天。", "写一个关于猫的短故事的开头。", "推荐三种健康的早餐。",
    "如何学好英语？", "什么是比喻？", "请写一封感谢老师的短信。", "为什么天空是蓝色的？",
    "给我讲个谜语。", "怎样煮鸡蛋？", "写一个Python函数，反转字符串。", "列出五种水果。", "为什么人们喜欢音乐？",
    "请用简单的话解释什么是电。", "如何保持专注？", "写一句面包店的广告语。", "把“早上好”翻译成英文。",
    "鲸鱼是鱼吗？", "火车有什么优点？", "怎样交到新朋友？", "谢谢你！", "你能做什么？",
)  # fmt: skip


def prompts(seed: int = 1, chinese: bool = False) -> list[str]:
    """Every prompt once, in a seeded order; `chinese`: those in Chinese come first."""
    texts = [ask.format(topic) for ask in ASKS for topic in TOPICS]
    texts += [code.format(task) for code in CODE for task in TASKS] + list(DAILY)
    Random(f"rehearse/{seed}").shuffle(texts)
    return [*CHINESE, *texts] if chinese else texts


async def ask_all(client: ServiceClient, texts: Sequence[str], replies: dict[str, str]) -> CapReached | None:
    """Put into `replies`, by prompt, every reply that ended by itself, as soon as it is there.

    Returns the cap that was reached, if one was: what is under way is waited for, and nothing more is asked. Raises
    ServerError if the service refuses, or when FAILURES_IN_A_ROW requests in a row have failed, or all of fewer.
    """
    waiting, in_a_row = iter(enumerate(texts)), 0
    ended: CapReached | ServerError | None = None

    async def worker() -> None:
        nonlocal ended, in_a_row
        for number, prompt in waiting:
            if ended:
                return
            try:
                reply = await client.ask([Message("user", prompt)], seed=number)
            except (CapReached, ServerError) as error:
                ended = ended or error
                return
            in_a_row = in_a_row + 1 if reply.failure else 0
            if in_a_row == min(FAILURES_IN_A_ROW, len(texts)):
                last = f"the last with {reply.failure}, {reply.detail}"
                ended = ServerError(f"{in_a_row} requests in a row failed, {last}.", "Check the address and the key.")
            if not reply.failure and reply.finish_reason == "stop" and reply.text.strip():
                replies[prompt] = reply.text.strip()

    await asyncio.gather(*(worker() for _ in range(client.options.concurrency)))
    if isinstance(ended, ServerError):
        raise ended
    return ended
