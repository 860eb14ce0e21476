"""The options of tfanon-weights; field names are flag names."""

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
        "", "Network that the file holds, a file of tfanon/models.", group="Input of convert"
    )
    layout: str = flag(
        "",
        "How the file names its tensors, a file of tfanon/pretrained/layouts; empty: found by the "
        "names in the file.",
    )
    part: str = flag(
        "",
        "Where in a file of several networks this one is, such as 'model_state'.",
    )
    dilated: bool = flag(
        False, "The file is of SPAct's r3d_18, which does not reduce time in its last stage."
    )
    cache: str = flag("~/.cache/tfanon", "Folder of downloaded files.", group="Download by fetch")
    sha256: str = flag(
        "", "The digest that you trust, for weights whose authors do not publish one."
    )
    mirror: str = flag(
        "",
        "URL of a folder that holds the same file; empty: download from the authors.",
    )
