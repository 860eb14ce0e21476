"""Every setting of tfanon.weights; field names are flag names."""

import dataclasses

from tfanon.core.config import flag


@dataclasses.dataclass(frozen=True)
class WeightsOptions:
    """What is fetched or converted, and where it goes."""

    output: str = flag(
        "", "convert, fetch: the .weights.h5 to write; its JSON goes beside it.", short="o"
    )
    network: str = flag("", "convert: a network of tfanon/models.")
    layout: str = flag(
        "", "convert: a file of tfanon/pretrained/layouts; empty: the one whose names the file has."
    )
    part: str = flag(
        "", "convert: where in a file of several networks this one is, such as 'model_state'."
    )
    dilated: bool = flag(
        False, "convert: the file is of SPAct's r3d_18, which keeps time in its last stage."
    )
    cache: str = flag("~/.cache/tfanon", "fetch: folder of downloaded files.")
    sha256: str = flag(
        "", "fetch: the digest that you trust, for weights whose makers publish none."
    )
    mirror: str = flag(
        "", "fetch: address of a folder that holds the same file; empty: where its makers have it."
    )
