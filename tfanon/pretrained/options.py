"""Options of `tfanon.weights`; field names are flag names."""

import dataclasses

from tfanon.core.config import flag


@dataclasses.dataclass(frozen=True)
class WeightsOptions:
    """What is downloaded or converted, and where it is written."""

    output: str = flag(
        "",
        "The .weights.h5 to write; its JSON record is written beside it. fetch without it only "
        "downloads.",
        short="o",
        group="Output of fetch and convert",
    )
    network: str = flag(
        "", "Network that the file holds: a file of tfanon/models.", group="Input of convert"
    )
    layout: str = flag(
        "",
        "How the file names its tensors: a file of tfanon/pretrained/layouts; empty: detected from "
        "the names in the file.",
    )
    part: str = flag(
        "",
        "Key of the network in a file that holds several, such as 'model_state'.",
    )
    dilated: bool = flag(
        False, "The file holds SPAct's r3d_18, whose last stage keeps the temporal resolution."
    )
    cache: str = flag("~/.cache/tfanon", "Folder for downloaded files.", group="Download by fetch")
    sha256: str = flag("", "Expected SHA-256 digest, for weights whose authors do not publish one.")
    mirror: str = flag(
        "",
        "URL of a folder that holds the same file; empty: the authors' address.",
    )
