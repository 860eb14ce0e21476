from tfanon.summaries import text_table

ROWS = [["", "top-1", "cMAP"], ["raw", "100.0", "88.6"], ["f_A", "9.5", ""]]


def test_names_are_aligned_left_and_numbers_right():
    assert text_table.align_columns(ROWS) == [
        "     top-1  cMAP",
        "raw  100.0  88.6",
        "f_A    9.5",
    ]


def test_markdown_is_aligned_alike():
    assert text_table.format_markdown(ROWS).split("\n") == [
        "|  | top-1 | cMAP |",
        "| --- | ---: | ---: |",
        "| raw | 100.0 | 88.6 |",
        "| f_A | 9.5 |  |",
    ]
