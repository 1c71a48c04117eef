"""The hardware part of a recipe."""

from pydantic import Field, model_validator

from common.strict import Strict


class Launch(Strict):
    """Hardware, and what depends on it. A run may be resumed with other values, but a started phase only with the same
    number of devices."""

    devices: int = Field(default=1, ge=1, description="processes of all machines together, one a GPU")
    machines: int = Field(default=1, ge=1, description="they share the output folder, and `devices` evenly")
    deepspeed: str | None = Field(default=None, description="DeepSpeed configuration, relative to the recipe")
    gradient_checkpointing: bool = False
    activation_offload: bool = Field(
        default=False, description="keep what the backward pass needs in main memory; on GPUs only"
    )
    sequence_parallel: int = Field(
        default=1, ge=1, description="devices that share each row, through DeepSpeed (Ulysses); needs `deepspeed`"
    )
    attention: str | None = Field(
        default=None,
        description="sdpa, flash_attention_2, or a kernel of the hub such as kernels-community/flash-attn2; "
        "default: the model's own",
    )
    memory_per_device_gb: float | None = Field(default=None, gt=0, description="`arena train check` compares with it")
    host_memory_gb: float | None = Field(default=None, gt=0, description="main memory of a machine, likewise")
    timeout_minutes: float = Field(
        default=120,
        gt=0,
        description="how long processes wait for each other: longer than the first one takes to write the model",
    )
    report_to: tuple[str, ...] = Field(default=(), description="trackers that are installed, such as wandb or trackio")
    push_to: str | None = Field(
        default=None,
        pattern=r"^[\w.-]+/[\w.-]+$",
        description="repository of the hub for what was trained; made private where it does not exist",
    )

    @model_validator(mode="after")
    def divides(self) -> "Launch":
        if self.devices % self.machines:
            raise ValueError("`devices` must be a multiple of `machines`")
        if self.devices % self.sequence_parallel:
            raise ValueError("`devices` must be a multiple of `sequence_parallel`")
        if self.sequence_parallel > 1 and not self.deepspeed:
            raise ValueError("`sequence_parallel` needs `deepspeed`")
        return self

    @property
    def row_devices(self) -> int:
        """Number of devices that process different rows in parallel."""
        return self.devices // self.sequence_parallel
