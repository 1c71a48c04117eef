"""Replies from Transformers' `generate`: requests go in as plain values, pieces of text come out as generated."""

import logging
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from common.errors import ServerError, WeightsError
from models.chat.pieces import Piece
from models.config.sampling import Sampling

LOG = logging.getLogger(__name__)
PieceOrError = Piece | ServerError
"""A reply ends with a piece that has a finish reason, or with an error."""
Pieces = Generator[tuple[int, PieceOrError], None, None]
"""(job number, piece), as they are generated; closing it stops the replies that are still running."""
_MOVING = threading.Lock()


@dataclass(frozen=True)
class Job:
    """One request. Plain values, since on ZeroGPU it is answered in another process."""

    model: str
    """Key of the model."""
    prompt: tuple[int, ...]
    limit: int
    """Maximum number of output tokens."""
    sampling: Sampling
    stop: Path
    """A file that is created to end the reply early, since ZeroGPU's process can see it too."""

    def end(self) -> None:
        self.stop.touch()

    @property
    def ended(self) -> bool:
        return self.stop.exists()


class Model(NamedTuple):
    """A model in memory."""

    network: Any
    tokenizer: Any
    ends: frozenset[int]
    """Ids of the tokens that end a reply."""


def load(folder: Path, dtype: str) -> Model:
    """The model in `folder`, in main memory. Raises WeightsError if Transformers cannot load it."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        network = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype), local_files_only=True)
    except MemoryError as error:
        raise WeightsError("There is not enough memory to load the model.", "Choose a smaller pair.") from error
    except Exception as error:  # a checkpoint's own code and files may raise anything
        LOG.exception("loading %s failed", folder)
        words = " ".join(str(error).split())[:300]
        raise WeightsError(f"Transformers cannot load {folder}: {words}.", "Check the folder, or use vLLM.") from error
    own = network.generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])} - {None}
    # Sampling follows the request, not the defaults in a checkpoint's generation_config.json.
    network.generation_config = GenerationConfig(eos_token_id=sorted(ends), pad_token_id=min(ends, default=0))
    return Model(network.eval(), tokenizer, frozenset(ends))


def device() -> str:
    """Where models compute: `cuda`, `mps` (Apple) or `cpu`. On ZeroGPU only right inside a call that has the GPU."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def generate(models: Mapping[str, Model], jobs: Sequence[Job]) -> Pieces:
    """Answer all jobs at once, each in a thread of its own."""
    where = device()
    with _MOVING:
        for key in {job.model for job in jobs}:
            models[key].network.to(where)
    pieces: SimpleQueue[tuple[int, PieceOrError]] = SimpleQueue()

    def answer_one(number: int) -> None:
        job = jobs[number]
        try:
            answer(job, models[job.model], lambda piece: pieces.put((number, piece)))
        except Exception as error:  # the reader must get an end, whatever goes wrong
            LOG.exception("a reply of %s failed", job.model)
            pieces.put((number, _in_words(error)))

    running = len(jobs)
    with ThreadPoolExecutor(running, "reply") as threads:
        try:
            for number in range(len(jobs)):
                threads.submit(answer_one, number)
            while running:
                number, piece = pieces.get()
                running -= isinstance(piece, ServerError) or piece.finish is not None
                yield number, piece
        finally:
            if running:
                for job in jobs:
                    job.end()


def answer(job: Job, model: Model, tell: Callable[[Piece], None]) -> None:
    """Sample one reply. `tell` receives its text with the token count so far, and finally the finish reason."""
    import torch
    from transformers import GenerationConfig

    prompt = torch.tensor([job.prompt], device=model.network.device)
    hearer = _Hearer(job, model.tokenizer, tell)
    with torch.inference_mode():
        model.network.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            generation_config=GenerationConfig(max_new_tokens=job.limit, do_sample=False),
            logits_processor=_drawing(job.sampling, model.network.device),
            stopping_criteria=[hearer],
        )
    finish = "stop" if hearer.last in model.ends else "length"
    tell(Piece(tokens=hearer.tokens, prompt_tokens=len(job.prompt), finish=finish))  # type: ignore[arg-type]


class _Hearer:
    """Stopping criterion, called by `generate` after each token: passes on new text, returns whether to stop."""

    def __init__(self, job: Job, tokenizer: Any, tell: Callable[[Piece], None]) -> None:
        from tokenizers.decoders import DecodeStream

        self._job, self._tell = job, tell
        self._backend = tokenizer.backend_tokenizer
        self._text = DecodeStream(skip_special_tokens=True)
        self.tokens, self.last = 0, -1

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> bool:
        self.tokens += 1
        self.last = int(input_ids[0, -1])
        if text := self._text.step(self._backend, self.last):
            self._tell(Piece(text=text, tokens=self.tokens))
        return self._job.ended


def _drawing(sampling: Sampling, device: Any) -> list[Any]:
    """Logits processors that make `generate`'s argmax a random sample; none for greedy decoding."""
    if sampling.temperature <= 0:
        return []
    import torch
    from transformers import TemperatureLogitsWarper, TopPLogitsWarper

    generator = torch.Generator(device)
    if sampling.seed is None:
        generator.seed()
    else:
        generator.manual_seed(sampling.seed)

    def gumbel(_: Any, scores: Any) -> Any:
        """Add Gumbel noise to the logits; the argmax is then a sample from the distribution (Gumbel 1954). Unlike
        torch's global generator, a separate one keeps a seeded reply independent of other replies.
        """
        return scores - torch.empty_like(scores).exponential_(generator=generator).log_()

    narrowed = [TopPLogitsWarper(sampling.top_p)] if sampling.top_p < 1 else []
    return [TemperatureLogitsWarper(sampling.temperature), *narrowed, gumbel]


def _in_words(error: Exception) -> ServerError:
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return ServerError("There is not enough memory for this reply.", "Lower the token limit, or try again later.")
    return ServerError(f"The model failed ({type(error).__name__}).", "Try again. The log has the details.")
