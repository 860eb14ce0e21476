"""The size at which an anonymizer was trained and its privacy measured; what is said at another.

An anonymizer removes what it saw in training. One that was trained on frames of 48 x 48 pixels and
sees a face of 200 leaves it recognisable, whatever the table of its run says.
"""

MAX_SIZE_RATIO = (
    1.5  # times the tested side, or less than one over that: the figures say nothing there
)

Size = tuple[int, int]  # (height, width) in pixels


def format_size(size: Size) -> str:
    """'HxW', as flags have it."""
    return f"{size[0]}x{size[1]}"


def is_far(size: Size, tested: Size) -> bool:
    """Whether a side is more than FAR times, or less than one over FAR of, the tested one."""
    smaller = any(side * MAX_SIZE_RATIO < known for side, known in zip(size, tested))
    return smaller or is_far_larger(size, tested)


def is_far_larger(size: Size, tested: Size) -> bool:
    """Whether a side is more than FAR times the tested one."""
    return any(side > MAX_SIZE_RATIO * known for side, known in zip(size, tested))


def describe_untested_size(name: str, where: str, tested: Size) -> str:
    """The warning.

    Args:
        name: Of the anonymizer.
        where: At which size it works now, such as 'at 224x224'.
        tested: At which it was trained.
    """
    known = format_size(tested)
    return (
        f"{name} was trained and measured at {known} and works {where} here: the privacy figures "
        f"of its table hold for {known} alone, and people may be recognisable."
    )


def refuse_untested_size(name: str, where: str, tested: Size, instead: str) -> None:
    """Raise the ValueError for a size that is far from the tested one.

    Args:
        name: Of the anonymizer.
        where: At which size it would work, such as 'at 224x224'.
        tested: At which it was trained.
        instead: What else would do, without a full stop.
    """
    raise ValueError(
        f"{name} was trained and measured at {format_size(tested)}; {where} it may hide "
        f"far less than the privacy figures of its table say. {instead}, or give "
        "--allow_untested_size."
    )
