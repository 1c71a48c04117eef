"""The Space card: README's front matter, made from spaces.yaml."""

import yaml

from models.config.registry import Profile, SpaceCard


def front_matter(card: SpaceCard, profile: Profile | None = None) -> str:
    """README's YAML block, including both `---` lines; `profile` determines the SDK and the hardware."""
    fields = card.model_dump(exclude_none=True, exclude_defaults=False)
    if profile is not None:
        fields |= {"sdk": profile.sdk, "suggested_hardware": profile.hardware}
    if fields["sdk"] == "docker":
        for gradio_only in ("sdk_version", "python_version", "app_file"):
            del fields[gradio_only]
    else:
        del fields["app_port"]
    listed = {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
    filled = {name: value for name, value in listed.items() if value != []}
    return f"---\n{yaml.safe_dump(filled, sort_keys=False, allow_unicode=True, width=120)}---\n"


def without_front_matter(readme: str) -> str:
    if not readme.startswith("---\n"):
        return readme
    return readme.split("\n---\n", 1)[1]
