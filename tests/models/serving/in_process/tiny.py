"""A pair of tiny models with random weights: what they write means nothing, but is always the same."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.chat.client import Message, ModelClient
from models.chat.events import Reply
from models.config.registry import ROLES, PairSpec, Role, load_config
from models.config.sampling import Sampling
from models.config.sources import FolderSource
from models.config.thought_format import ThoughtFormat
from models.serving.clients import client_of
from models.serving.in_process.engine import ASKED_TOGETHER
from models.serving.pair import ServedPair, serving

ASK = [Message("user", "what is 2 and 3")]
LONG = Sampling(max_tokens=400, temperature=1.5, seed=3)
WORDS = ["</s>", *"abcdefghijklmnopqrstuvwxyz", *"0123456789", " ", "\n", ".", "<", ">", "/", "?"]
TEMPLATE = (
    "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"
    "{% if tone is defined %}{{ tone }}{% endif %}{% if add_generation_prompt %}>{% endif %}"
)
CONTEXT = 512


def write_model(folder: Path, seed: int) -> Path:
    """A Llama of 60 thousand weights in which a token is a character; greedy replies never end by themselves."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from tokenizers.decoders import Fuse
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    known = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="?"))
    known.pre_tokenizer = pre_tokenizers.Split("", "isolated")  # type: ignore[assignment]
    known.decoder = Fuse()  # type: ignore[assignment]
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=known, eos_token="</s>")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        eos_token_id=0,
        bos_token_id=None,
        initializer_range=0.6,
    )
    model = LlamaForCausalLM(config)
    model.lm_head.weight.data[0] = 0.0  # the end of a reply is never the most likely token
    model.save_pretrained(folder)
    return folder


def tiny_pair(folder: Path, *, one: bool = False) -> PairSpec:
    """Two models, or with `one` the same weights on both sides, told apart by an option of the template."""
    pair = load_config().pairs["smol-135m"]
    changes = {}
    for number, role in enumerate(ROLES):
        path = folder / ("one" if one else role)
        if not path.is_dir():
            write_model(path, seed=number)
        weights = FolderSource(folder=str(path))
        options = {"tone": f"{number}"} if one else {}
        update = {"weights": weights, "thought": ThoughtFormat("tags"), "chat_template_kwargs": options}
        changes[role] = pair.model(role).model_copy(update={**update, "context_length": CONTEXT})
    return pair.model_copy(update=changes)


@contextmanager
def tiny_served(folder: Path, profile: str = "transformers", *, one: bool = False) -> Iterator[ServedPair]:
    config = load_config()
    with serving(config, tiny_pair(folder, one=one), config.profiles[profile]) as served:
        yield served


async def tiny_client(served: ServedPair, role: Role) -> ModelClient:
    return await client_of(served, role, 5)


async def ask_both(served: ServedPair, limits: tuple[int, int] = (40, 60)) -> list[Reply]:
    """Both sides of one question, asked as a battle asks them."""
    ASKED_TOGETHER.set(object())
    clients = [await tiny_client(served, role) for role in ROLES]
    asked = zip(clients, limits, strict=True)
    return await asyncio.gather(*(client.complete(ASK, Sampling(max_tokens=limit)) for client, limit in asked))
