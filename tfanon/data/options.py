"""Options of `tfanon.data` besides those of an experiment; field names are flag names."""

import dataclasses

from tfanon.core.config import flag


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """How files are examined and where the result is written."""

    output: str = flag(
        "",
        "File to write; empty: verify.json, describe.json or peek.png.",
        short="o",
        group="Examining data sets",
    )
    workers: int = flag(0, "Files examined at once; 0: one per core.", low=0, high=256)
    seconds_per_file: float = flag(
        60.0, "Seconds after which a file counts as unreadable.", low=0.1
    )
