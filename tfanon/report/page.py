"""The report as one HTML file without scripts or requests; for light and dark screens and paper."""

import base64
import html
from collections.abc import Sequence

from tfanon.report import svg
from tfanon.report import tables as report_tables

# Colours of Okabe and Ito, distinct for colour-blind readers, darkened to be legible on white.
BASE_STYLE = """
:root{--paper:#fff;--ink:#1c1c1c;--quiet:#5c5c5c;--rule:#d8d8d8;--panel:#f6f6f4;--bad:#b00020;
--warn:#8a5a00;
--c0:#0062a3;--c1:#b35900;--c2:#00805c;--c3:#a83f80;--c4:#6b6200;--c5:#2a86c4;--c6:#7a3b00;
--c7:#1c1c1c;
color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--paper:#15171a;--ink:#e8e8e6;--quiet:#a9a9a6;
--rule:#3a3d42;--panel:#1e2125;
--bad:#ff8a80;--warn:#ffc266;--c0:#6cb8f0;--c1:#f0a35a;--c2:#4fc9a0;--c3:#e39ac8;
--c4:#e0d860;--c5:#9ad0f5;--c6:#d9a878;--c7:#e8e8e6}}
*{box-sizing:border-box}
body{background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;
max-width:76rem;margin:0 auto;padding:1.5rem}
h1{font-size:1.7rem;margin:0 0 .3rem}
h2{font-size:1.3rem;margin:2.2rem 0 .6rem;padding-top:.6rem;border-top:1px solid var(--rule)}
h3{font-size:1.05rem;margin:1.4rem 0 .3rem}p,ul,ol{margin:.3rem 0;max-width:62rem}
a{color:var(--c0)}nav{margin:.6rem 0}nav a{margin-right:1rem}
.quiet,.notes,figcaption{color:var(--quiet);font-size:.875rem}
.bad,.warn{background:var(--panel);border-left:5px solid var(--bad);padding:.6rem 1rem;
margin:1rem 0}
.bad strong{color:var(--bad)}.warn{border-color:var(--warn)}.warn strong{color:var(--warn)}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.875rem;
font-variant-numeric:tabular-nums}
th,td{padding:.3em .7em;border-bottom:1px solid var(--rule);text-align:right;vertical-align:top}
th[scope=row],th:first-child,td:not(.n){text-align:left}
thead th{vertical-align:bottom;border-bottom:2px solid var(--ink)}
tbody th{font-weight:normal}td small{display:block;color:var(--quiet)}td.n{white-space:nowrap}
th.t{text-align:left}
figure{margin:.5rem 0}.grid figcaption{color:var(--ink);font-weight:600}
figure img{max-width:100%;height:auto;image-rendering:pixelated;background:#fff}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(24rem,100%),1fr));gap:1rem}
svg{width:100%;max-width:46rem;height:auto;display:block}svg text{font-size:12px;fill:var(--ink)}
svg text.number,svg text.quiet{fill:var(--quiet);font-size:12px}
svg text.name{paint-order:stroke;stroke:var(--paper);stroke-width:3px}
svg .grid{stroke:var(--rule)}svg .axis{stroke:var(--quiet)}
svg .rule{stroke:var(--quiet);stroke-dasharray:5 4}svg .lead{stroke:var(--quiet);stroke-width:.7}
.key{columns:22em;font-size:.85em}.key li{padding-right:1.5em}svg .line{fill:none;stroke-width:1.8}
svg .frontier{fill:none;stroke:var(--quiet);stroke-width:1.2}
svg .bar{fill:none;stroke-width:1.2;opacity:.65}svg .dot{stroke:var(--paper);stroke-width:1.5}
@media print{:root{--paper:#fff;--ink:#000;--quiet:#444;--rule:#bbb;--panel:#fff;--bad:#b00020;
--warn:#6b4500;
--c0:#0062a3;--c1:#b35900;--c2:#00805c;--c3:#a83f80;--c4:#6b6200;--c5:#2a86c4;--c6:#7a3b00;
--c7:#000}
body{max-width:none;padding:0;font-size:10pt}figure,tr,li{break-inside:avoid}
h2,h3,.table>p{break-after:avoid}nav{display:none}
.wide{overflow:visible}table{font-size:8pt}.grid{grid-template-columns:1fr 1fr}
td,th{padding:.2em .4em}td.n{white-space:normal}}
"""
# One class per colour: the same picture serves light and dark screens.
_COLOUR_RULES = [
    f"svg .s{k}{{stroke:var(--c{k})}}svg .dot.s{k}{{fill:var(--c{k});stroke:var(--paper)}}"
    f"svg text.t{k}{{fill:var(--c{k})}}\n"
    for k in range(svg.COLOUR_COUNT)
]
STYLE_SHEET = BASE_STYLE + "".join(_COLOUR_RULES)
# Nothing is fetched or run, even if text of a run got into the page unescaped.
CONTENT_SECURITY_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def format_page(
    title: str,
    subtitle: str,
    alerts: Sequence[tuple[str, str, Sequence[str]]],
    sections: Sequence[tuple[str, str]],
) -> str:
    """Return the whole page.

    Args:
        title: Heading.
        subtitle: Line below it.
        alerts: (class "bad" or "warn", heading, sentences), shown first; empty ones are left out.
        sections: (heading, HTML); empty ones are left out.
    """
    boxes, links, parts = [], [], []
    for kind, heading, sentences in alerts:
        if sentences:
            content = f"<strong>{html.escape(heading)}</strong>{format_list(sentences)}"
            boxes.append(f'<div class="{kind}">{content}</div>')
    for number, (heading, body) in enumerate(sections):
        # The number is that of the section, so links stay the same if others are empty.
        if body:
            links.append(f'<a href="#part{number}">{html.escape(heading)}</a>')
            parts.append(f'<h2 id="part{number}">{html.escape(heading)}</h2>{body}')
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_SECURITY_POLICY}">'
        f"<title>{html.escape(title)}</title><style>{STYLE_SHEET}</style></head>"
        f"<body><h1>{html.escape(title)}</h1>"
        f'<p class="quiet">{html.escape(subtitle)}</p>{"".join(boxes)}'
        f"<nav>{''.join(links)}</nav>{''.join(parts)}</body></html>\n"
    )


def format_list(sentences: Sequence[str]) -> str:
    """Return a bulleted list; nothing without sentences."""
    if not sentences:
        return ""
    items = [f"<li>{html.escape(sentence)}</li>" for sentence in sentences]
    return f"<ul>{''.join(items)}</ul>"


def format_figure(content: str, caption: str = "") -> str:
    """Return HTML with a caption below it."""
    described = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{content}{described}</figure>"


def format_plots(plots: Sequence[tuple[str, str]], note: str = "") -> str:
    """Return plots side by side with a note below all of them.

    Args:
        plots: (title, SVG).
        note: A sentence.
    """
    if not plots:
        return ""
    parts = []
    for title, drawing in plots:
        parts.append(f"<figure><figcaption>{html.escape(title)}</figcaption>{drawing}</figure>")
    return f'<div class="grid">{"".join(parts)}</div><p class="quiet">{html.escape(note)}</p>'


def format_key(names: Sequence[str]) -> str:
    """Return a numbered list of the names of a plot's points; nothing without names."""
    if not names:
        return ""
    items = [f"<li>{html.escape(name)}</li>" for name in names]
    return f'<ol class="key">{"".join(items)}</ol>'


def format_tables(tables: Sequence[report_tables.Table], lead: str = "") -> str:
    """Return tables one below another, after a sentence about all of them."""
    first = f"<p>{html.escape(lead)}</p>" if lead and tables else ""
    return first + "".join(map(report_tables.to_html, tables))


def embed_picture(content: bytes, kind: str, caption: str) -> str:
    """Return a picture as a part of the page.

    Args:
        content: The bytes of its file.
        kind: "png" or "gif".
        caption: Text below it.
    """
    # Inside the page, so that it is one file.
    data = base64.b64encode(content).decode()
    image = f'<img alt="{html.escape(caption)}" src="data:image/{kind};base64,{data}">'
    return format_figure(image, caption)


def format_paragraphs(parts: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Return (heading, sentences) as headings and lists."""
    formatted = []
    for heading, sentences in parts:
        formatted.append(f"<h3>{html.escape(heading)}</h3>{format_list(sentences)}")
    return "".join(formatted)
