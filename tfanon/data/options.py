"""The settings of `python -m tfanon.data` beside those of an experiment; field names are flag names."""

import dataclasses

from tfanon.core.config import flag


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is looked at with how much patience, and where the result goes."""

    output: str = flag(
        "", "File to write; empty: verify.json, describe.json or peek.png.", short="o"
    )
    workers: int = flag(0, "Files examined at once; 0: one per core.", low=0, high=256)
    seconds_per_file: float = flag(
        60.0, "Seconds after which a file counts as unreadable.", low=0.1
    )
