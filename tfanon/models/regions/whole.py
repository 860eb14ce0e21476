"""The whole frame as a region, so that no detector can miss anybody."""


def build() -> None:
    """Return None, which means that no mask is needed."""
    return None
