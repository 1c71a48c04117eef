"""The Dockerfile of a Space: install.py creates both environments during the build, as an unprivileged user."""

from models.config.plan import build_of
from models.config.registry import Profile, SpaceCard

HEAD = """\
# Written by `arena space --profile {profile}`.
FROM python:{python}-slim
RUN apt-get update && apt-get install -y --no-install-recommends {system} && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 1000 user
USER user
RUN mkdir /home/user/app
WORKDIR /home/user/app
COPY install.py requirements.txt ./
COPY requirements requirements
COPY common common
"""
WITH_ENGINE = """\
# The two environments share their files through uv's cache, within one layer only.
RUN {variables}python install.py --engine {engine} && rm -rf /home/user/.cache/uv
"""
WITHOUT_ENGINE = """\
RUN python -m venv .venv && .venv/bin/pip install --no-cache-dir -r requirements.txt
"""
TAIL = """\
COPY . .
ENV PATH=/home/user/app/.venv/bin:$PATH JOURNEY_HOME=/home/user/data JOURNEY_PROFILE={profile} JOURNEY_PAIR={pair}
ENV GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT={port}
{more}EXPOSE {port}
CMD ["python", "app.py"]
"""
NVIDIA = "ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility\n"
"""Makes the container runtime provide the driver; a CUDA base image would add a second set of CUDA libraries."""
ENGINE = "ENV JOURNEY_ENGINE=/home/user/app/.venv-engine\n"
FETCH = "RUN python commands fetch\n"


def dockerfile(card: SpaceCard, profile: Profile, pair: str, *, fetch: bool) -> str:
    """The text of the Dockerfile. `fetch`: whether the build downloads the pair's weights into the image."""
    system = "g++ libnuma1" if profile.kv_cache_gib and profile.served_by == "vllm" else "g++"
    text = HEAD.format(profile=profile.key, python=card.python_version, system=system)
    if profile.arrangement == "remote":
        more = ""
        text += WITHOUT_ENGINE
    else:
        # Without a GPU, torch's CUDA builds would only waste gigabytes.
        variables = "" if profile.gpu else "UV_TORCH_BACKEND=cpu "
        kind = build_of(profile)
        text += WITH_ENGINE.format(engine=kind, variables=variables)
        more = ("" if kind == "none" else ENGINE) + (NVIDIA if profile.gpu else "") + (FETCH if fetch else "")
    return text + TAIL.format(profile=profile.key, pair=pair, port=card.app_port, more=more)
