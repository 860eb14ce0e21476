"""Files of the report: a page without requests, escaped text, tables, numbers, exit status."""

import csv
import json
import re
import shutil
import xml.etree.ElementTree as ElementTree

import fabricated_runs
import numpy as np
import pytest

from tfanon.media import contact_sheet
from tfanon.report import __main__ as report
from tfanon.report import gallery, svg, tables
from tfanon.report.aggregate import Statistic


def write_report(tmp_path, *folders, **settings):
    """(exit status, HTML, folder) of a report."""
    out = tmp_path / "report"
    status = report.write_report(
        [str(folder) for folder in folders], report.ReportOptions(output=str(out), **settings)
    )
    return status, (out / "report.html").read_text(), out


def test_page_and_numbers_of_a_sweep(tmp_path, capsys):
    status, html, out = write_report(tmp_path, fabricated_runs.write_sweep(tmp_path / "sweep"))
    assert status == 0 and "6 runs, 5 anonymizers" in capsys.readouterr().out
    for words in (
        "f_A, B = 0.05",
        "85.0 ± 0.0",
        "35.0 ± 1.0",
        "hypervolume",
        "Table 1: known action",
        "Gait and other motion",
        "prefers-color-scheme:dark",
        "@media print",
        "data:image/png;base64,",
    ):
        assert words in html
    found = json.loads((out / "report.json").read_text())
    assert found["schema_version"] == 1 and len(found["runs"]) == 6
    assert {one["name"] for one in found["anonymizers"] if one["unbeaten"]} == {
        "raw",
        "downsample",
        "f_A, B = 0.05",
    }
    assert found["tables"]["results"]["rows"][0][1]["mean"] == pytest.approx(0.9)
    with open(out / "tables/results.csv", newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["anonymizer"] == "f_A, B = 0.2")
    leak = "leakage, max\N{NO-BREAK SPACE}↓"
    assert (float(row[leak]), float(row[f"{leak} std"])) == pytest.approx((0.5, 0.01))
    assert r"f\_A, B = 0.2 & 70.0 $\pm$ 0.0" in (out / "tables/results.tex").read_text()


def test_the_page_requests_nothing(tmp_path):
    _, html, _ = write_report(tmp_path, fabricated_runs.write_run(tmp_path / "run"))
    assert not re.findall(r"<(script|link|iframe|object|embed)\b", html)
    addresses = re.findall(r"""(?:src|href)=["']?([^"'> ]+)|url\(""", html)
    assert addresses and all(address.startswith(("data:image/", "#part")) for address in addresses)
    assert set(re.findall(r"https?://[^\"' <]+", html)) <= {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in html


def test_every_text_is_escaped(tmp_path):
    evil = '<img src=x onerror=alert(1)>&"'
    folder = fabricated_runs.write_run(tmp_path / evil.replace("/", ""), gates=False)
    path = folder / "evaluation/strict/results.json"
    found = json.loads(path.read_text())
    found["notes"] = [evil]
    found["gates"][0]["attacker"] = evil
    found["attacks"] = [
        {**attack, "network": evil, "anonymizer": evil} for attack in found["attacks"]
    ]
    path.write_text(json.dumps(found))
    _, html, out = write_report(tmp_path, folder)
    assert "<img src=x" not in html and "&lt;img src=x onerror=alert(1)&gt;&amp;&quot;" in html
    for drawn in re.findall(r"<svg.*?</svg>", html):
        ElementTree.fromstring(drawn)
    assert (
        "<img src=x onerror" in (out / "tables/attackers.csv").read_text()
    )  # text there, and LaTeX's own escapes:
    assert (
        r"\textless{}img src=x onerror=alert(1)\textgreater{}\&"
        in (out / "tables/attackers.tex").read_text()
    )


def test_a_failed_control_comes_first_and_gives_exit_status_1(tmp_path, capsys):
    status, html, _ = write_report(
        tmp_path, fabricated_runs.write_run(tmp_path / "run", gates=False)
    )
    assert (
        status == 1
        and '"raw is read" in run (strict): fresh reached 0.9' in capsys.readouterr().err
    )
    assert (
        html.index('<div class="bad"><strong>Not to be trusted')
        < html.index("Caveats")
        < html.index("<h2")
    )
    status, html, _ = write_report(tmp_path, fabricated_runs.write_run(tmp_path / "good"))
    assert status == 0 and 'class="bad"' not in html


@pytest.mark.parametrize(
    "pictures, source, shown, said",
    [
        ("synthetic", "synthetic", True, False),
        ("synthetic", "ucf101", False, True),
        ("real", "ucf101", True, False),
        ("none", "synthetic", False, False),
    ],
)
def test_real_people_are_shown_on_request_only(tmp_path, pictures, source, shown, said):
    _, html, _ = write_report(
        tmp_path, fabricated_runs.write_run(tmp_path / "run", clip_source=source), pictures=pictures
    )
    assert ("data:image/png" in html) == shown and ("may show real people" in html) == said


def test_a_fixed_anonymizers_sheet_is_shown_once(tmp_path):
    folder = fabricated_runs.write_sweep(tmp_path / "sweep")
    for point in ("B0.05-seed0", "B0.2-seed0"):
        for name in ("blur", "f_A"):
            phase = folder / point / f"evaluation/strict/phases/reconstruction-1-images-{name}"
            phase.mkdir(parents=True)
            shutil.copy(folder / point / "pictures/images.png", phase / "sheet.png")
    _, html, _ = write_report(tmp_path, folder)
    assert html.count("reconstruction-1-images-blur/sheet.png</figcaption>") == 1
    assert html.count("reconstruction-1-images-f_A/sheet.png</figcaption>") == 2


def test_every_f_a_is_in_one_sheet_with_raw(tmp_path, monkeypatch):
    folder = fabricated_runs.write_sweep(tmp_path / "sweep")
    shown = {}
    for grey, point in ((50, "B0.05-seed0"), (60, "B0.2-seed0"), (99, "B0.2-seed1")):
        rows = {
            name: np.full(
                (contact_sheet.SAMPLES_PER_SHEET, 8, 8, 3), 200 if name == "raw" else grey, np.uint8
            )
            for name in ("raw", "blur", "downsample", "f_A")
        }
        contact_sheet.save_sheet(
            folder / point / "pictures/images.png", contact_sheet.draw_sheet(rows)
        )
    monkeypatch.setattr(
        gallery, "_encode_png", lambda sheet: shown.setdefault("sheet", sheet).tobytes()
    )
    _, html, _ = write_report(tmp_path, folder)
    assert (
        html.count("images.png</figcaption>") == 1
        and "f_A side by side: images.png, seed 0" in html
    )
    assert [
        row.mean()
        for row in contact_sheet.cut_sheet(shown["sheet"], 3, contact_sheet.SAMPLES_PER_SHEET)
    ] == [
        200,
        50,
        60,
    ]


def test_it_works_without_logs_pictures_or_evaluation(tmp_path):
    import shutil

    folder = fabricated_runs.write_run(tmp_path / "run", evaluated=False)
    for name in ("logs", "pictures"):
        shutil.rmtree(folder / name)
    status, html, _ = write_report(tmp_path, folder)
    assert status == 0 and "No controls were run" in html and "Training of f_A" not in html


def test_folders_without_runs_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Give at least one run or sweep folder"):
        report.write_report([], report.ReportOptions())
    with pytest.raises(ValueError, match="there is nothing at that path"):
        report.write_report([str(tmp_path / "nowhere")], report.ReportOptions())


def test_cells_as_text():
    assert tables.format_cell(Statistic((0.5,), (0.4, 0.62))) == "50.0 (40.0–62.0)"
    assert tables.format_cell(Statistic((0.4, 0.6))) == "50.0 ± 14.1"  # deviation sqrt(.02)
    assert [tables.format_cell(cell) for cell in (None, 21.456, 40, "x")] == [
        "-",
        "21.46",
        "40",
        "x",
    ]


def test_csv_has_a_column_for_each_part_and_no_formulas():
    table = tables.Table(
        "t",
        "T",
        ("who", "share"),
        (("=1+1", Statistic((0.4, 0.6))), ("b", Statistic((0.5,), (0.4, 0.6))), ("c", None)),
    )
    rows = list(csv.reader(tables.to_csv(table).splitlines()))
    assert rows[0] == ["who", "share", "share std", "share low", "share high"]
    assert (
        rows[1][0] == "'=1+1"
        and float(rows[1][2]) == pytest.approx(0.02**0.5)
        and rows[1][3:] == ["", ""]
    )
    assert rows[2] == ["b", "0.5", "", "0.4", "0.6"] and rows[3] == ["c", "", "", "", ""]


def test_latex_escapes():
    assert tables.escape_latex("a_b & 50% \\x\n~{λ}") == (
        r"a\_b \& 50\% \textbackslash{}x \textasciitilde{}\{$\lambda$\}"
    )


@pytest.mark.parametrize(
    "values, expected",
    [
        ([0, 100], [0, 20, 40, 60, 80, 100]),
        ([0.092, 0.133], [0.09, 0.1, 0.11, 0.12, 0.13, 0.14]),
        ([3, 3], [2.6, 2.8, 3.0, 3.2, 3.4]),
        ([], [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
    ],
)
def test_ticks_are_round_and_hold_every_value(values, expected):
    assert svg.choose_ticks(values, 5) == pytest.approx(expected)


def test_points_are_at_their_values():
    drawn = ElementTree.fromstring(
        svg.draw_scatter([svg.Dot("a", 0, 0), svg.Dot("b", 100, 50, shape="square")], "x", "y")
    )
    (circle,) = (node for node in drawn.iter() if node.tag.endswith("circle"))
    # The axes begin at the left and at the bottom margin.
    assert (float(circle.get("cx")), float(circle.get("cy"))) == (svg.LEFT, svg.HEIGHT - svg.BOTTOM)
    (square,) = (node for node in drawn.iter() if node.tag.endswith("rect"))
    assert (
        float(square.get("x")) + 5 == svg.WIDTH - svg.RIGHT
        and float(square.get("y")) + 5 == svg.TOP
    )


def test_the_name_of_a_rule_does_not_cover_a_point():
    drawn = ElementTree.fromstring(
        svg.draw_scatter(
            [svg.Dot("black", 0, 12)],
            "x",
            "y",
            rules=[("y", 12, "chance")],
            reach=((0, 40), (0, 100)),
        )
    )
    places = {
        node.text: (float(node.get("x")), node.get("text-anchor"))
        for node in drawn.iter()
        if node.tag.endswith("text")
    }
    assert (
        places["chance"] == (svg.WIDTH - svg.RIGHT - 6, "end")
        and places["black"][0] < svg.WIDTH / 2
    )


def test_names_do_not_overlap():
    frame = svg.Axes([0, 100], [0, 100])
    texts = svg.place_names([(100, 100 + k, "a name", 0) for k in range(6)], frame)
    heights = [float(re.search(r'<text[^>]* y="([\d.]+)"', one)[1]) for one in texts]
    assert all(below - above >= svg.LINE_HEIGHT for above, below in zip(heights, heights[1:]))
