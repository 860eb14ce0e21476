"""Reads the split of each row from a column of a label table, and catches misspelled splits."""

import collections
import re

from absl import logging

from tfanon.data.parsing.label_table import LabelTable, get_column

SPLITS = ("train", "test")
# Other words for a split, too far from its name to count as misspelled.
SPLIT_SYNONYMS = {"training": "train", "trn": "train", "testing": "test"}
MAX_WORDS_SHOWN = 10  # in a message


def read_split_names(table: LabelTable, column: str, flag: str) -> list[str]:
    """Return the split of each row.

    Args:
        table: The table.
        column: A column that says "train" or "test", or 'COLUMN=VALUE': test for the rows with
            that value, train for all others.
        flag: Flag that chose the column, for the error message.

    Returns:
        The words of the column, of which only "train" and "test" are splits.

    Raises:
        ValueError: The column or the value does not exist, or a split is misspelled.
    """
    name, has_value, value = column.partition("=")
    words = get_column(table, name, flag)
    if not has_value:
        # Before training: rows of a misspelled split would silently be left out.
        _check_split_names(table, name, words)
        return words
    if value not in words:
        listed = ", ".join(sorted(set(words))[:MAX_WORDS_SHOWN])
        raise ValueError(f"{flag}: no row of {table.path} has {column}; the column has: {listed}.")
    return ["test" if word == value else "train" for word in words]


def _check_split_names(table: LabelTable, column: str, words: list[str]) -> None:
    """Raise ValueError for a misspelled split; log how many rows are in neither split."""
    counts = collections.Counter(words)
    for word in counts:
        intended = find_intended_split(word)
        if intended:
            row = words.index(word)
            more = f" (and {counts[word] - 1} more rows)" if counts[word] > 1 else ""
            raise ValueError(
                f"{table.path}: '{word}' in {table.describe_row(row)}{more} of the column "
                f"'{column}' looks like a misspelling of '{intended}': write '{intended}', or "
                "another word, such as 'unused', for rows in neither split."
            )
    unused = {word: count for word, count in sorted(counts.items()) if word not in SPLITS}
    # If all rows are unused, the caller reports an empty split.
    if unused and len(unused) < len(counts):
        first_words = list(unused.items())[:MAX_WORDS_SHOWN]
        logging.info(
            "%s: rows in neither split by the column '%s': %d (%s).",
            table.path,
            column,
            sum(unused.values()),
            ", ".join(f"{word}: {count}" for word, count in first_words),
        )


def find_intended_split(word: str) -> str:
    """Return the split that a word misspells.

    A misspelling differs in capitals, in punctuation around the word, in one letter that is added,
    missing, wrong or swapped with its neighbour, or is one of SPLIT_SYNONYMS. Words such as 'test2'
    and 'testB' are taken as they are.

    Args:
        word: A word of a split column.

    Returns:
        "train" or "test"; "" for the name of a split itself and for any other word.
    """
    # "test2" and "testB" differ in one letter, but name a second test set on purpose.
    if word in SPLITS or re.search(r"\d", word) or re.fullmatch("(train|test)[A-Z]", word):
        return ""
    plain = word.casefold().strip(" .,:;_-'\"()[]")
    plain = SPLIT_SYNONYMS.get(plain, plain)
    for split in SPLITS:
        if plain == split or _is_one_edit_apart(plain, split):
            return split
    return ""


def _is_one_edit_apart(one: str, other: str) -> bool:
    """Whether adding, removing, replacing or swapping one letter turns one word into the other."""
    if len(one) > len(other):
        # So that `other` has the letter that may have been added.
        one, other = other, one
    shared = 0  # letters that both begin with
    while shared < len(one) and one[shared] == other[shared]:
        shared += 1
    left, right = one[shared:], other[shared:]
    if len(one) < len(other):
        return left == right[1:]
    replaced = left[1:] == right[1:]
    swapped = left[:2] == right[1::-1] and left[2:] == right[2:]
    return replaced or swapped
