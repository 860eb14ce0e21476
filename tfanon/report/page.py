"""The report as one HTML file: no script, no address, nothing to fetch; light, dark and on paper."""

import base64
import html

from tfanon.report import svg
from tfanon.report import tables as sheets

# Colours of Okabe and Ito, which people tell apart whatever their eyes, darkened on white until they read as lines.
STYLE = """
:root{--paper:#fff;--ink:#1c1c1c;--quiet:#5c5c5c;--rule:#d8d8d8;--panel:#f6f6f4;--bad:#b00020;--warn:#8a5a00;
--c0:#0062a3;--c1:#b35900;--c2:#00805c;--c3:#a83f80;--c4:#6b6200;--c5:#2a86c4;--c6:#7a3b00;--c7:#1c1c1c;
color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--paper:#15171a;--ink:#e8e8e6;--quiet:#a9a9a6;--rule:#3a3d42;--panel:#1e2125;
--bad:#ff8a80;--warn:#ffc266;--c0:#6cb8f0;--c1:#f0a35a;--c2:#4fc9a0;--c3:#e39ac8;
--c4:#e0d860;--c5:#9ad0f5;--c6:#d9a878;--c7:#e8e8e6}}
*{box-sizing:border-box}
body{background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;
max-width:76rem;margin:0 auto;padding:1.5rem}
h1{font-size:1.7rem;margin:0 0 .3rem}
h2{font-size:1.3rem;margin:2.2rem 0 .6rem;padding-top:.6rem;border-top:1px solid var(--rule)}
h3{font-size:1.05rem;margin:1.4rem 0 .3rem}p,ul,ol{margin:.3rem 0;max-width:62rem}
a{color:var(--c0)}nav{margin:.6rem 0}nav a{margin-right:1rem}
.quiet,.notes,figcaption{color:var(--quiet);font-size:.875rem}
.bad,.warn{background:var(--panel);border-left:5px solid var(--bad);padding:.6rem 1rem;margin:1rem 0}
.bad strong{color:var(--bad)}.warn{border-color:var(--warn)}.warn strong{color:var(--warn)}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}
th,td{padding:.3em .7em;border-bottom:1px solid var(--rule);text-align:right;vertical-align:top}
th[scope=row],th:first-child,td:not(.n){text-align:left}
thead th{vertical-align:bottom;border-bottom:2px solid var(--ink)}
tbody th{font-weight:normal}td small{display:block;color:var(--quiet)}td.n{white-space:nowrap}th.t{text-align:left}
figure{margin:.5rem 0}.grid figcaption{color:var(--ink);font-weight:600}
figure img{max-width:100%;height:auto;image-rendering:pixelated;background:#fff}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(24rem,100%),1fr));gap:1rem}
svg{width:100%;max-width:46rem;height:auto;display:block}svg text{font-size:12px;fill:var(--ink)}
svg text.number,svg text.quiet{fill:var(--quiet);font-size:12px}
svg text.name{paint-order:stroke;stroke:var(--paper);stroke-width:3px}
svg .grid{stroke:var(--rule)}svg .axis{stroke:var(--quiet)}
svg .rule{stroke:var(--quiet);stroke-dasharray:5 4}svg .lead{stroke:var(--quiet);stroke-width:.7}
.key{columns:22em;font-size:.85em}.key li{padding-right:1.5em}svg .line{fill:none;stroke-width:1.8}svg .frontier{fill:none;stroke:var(--quiet);stroke-width:1.2}
svg .bar{fill:none;stroke-width:1.2;opacity:.65}svg .dot{stroke:var(--paper);stroke-width:1.5}
@media print{:root{--paper:#fff;--ink:#000;--quiet:#444;--rule:#bbb;--panel:#fff;--bad:#b00020;--warn:#6b4500;
--c0:#0062a3;--c1:#b35900;--c2:#00805c;--c3:#a83f80;--c4:#6b6200;--c5:#2a86c4;--c6:#7a3b00;--c7:#000}
body{max-width:none;padding:0;font-size:10pt}figure,tr,li{break-inside:avoid}h2,h3,.table>p{break-after:avoid}nav{display:none}
.wide{overflow:visible}table{font-size:8pt}.grid{grid-template-columns:1fr 1fr}
td,th{padding:.2em .4em}td.n{white-space:normal}}
""" + "".join(
    f"svg .s{k}{{stroke:var(--c{k})}}svg .dot.s{k}{{fill:var(--c{k});stroke:var(--paper)}}"
    f"svg text.t{k}{{fill:var(--c{k})}}\n"
    for k in range(svg.COLOURS)
)
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write(title, subtitle, alarms, sections):
    """The whole page.

    alarms: [(class "bad" or "warn", heading, [sentences]), ..], shown first.  sections: [(heading, HTML), ..].
    """
    marks = [
        (f"part{number}", heading, body) for number, (heading, body) in enumerate(sections) if body
    ]
    links = "".join(f'<a href="#{mark}">{html.escape(heading)}</a>' for mark, heading, _ in marks)
    parts = "".join(
        f'<h2 id="{mark}">{html.escape(heading)}</h2>{body}' for mark, heading, body in marks
    )
    boxes = "".join(
        f'<div class="{kind}"><strong>{html.escape(heading)}</strong>{bullets(lines)}</div>'
        for kind, heading, lines in alarms
        if lines
    )
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body><h1>{html.escape(title)}</h1>"
        f'<p class="quiet">{html.escape(subtitle)}</p>{boxes}<nav>{links}</nav>{parts}</body></html>\n'
    )


def bullets(lines):
    return f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in lines)}</ul>" if lines else ""


def figure(drawn, caption=""):
    told = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{drawn}{told}</figure>"


def plots(drawn, note=""):
    """Several plots beside each other, the title above each, a note below all.  drawn: [(title, SVG), ..]."""
    if not drawn:
        return ""
    parts = "".join(
        f"<figure><figcaption>{html.escape(title)}</figcaption>{one}</figure>"
        for title, one in drawn
    )
    return f'<div class="grid">{parts}</div><p class="quiet">{html.escape(note)}</p>'


def numbered(names):
    """A list that says which number is what."""
    return (
        f'<ol class="key">{"".join(f"<li>{html.escape(name)}</li>" for name in names)}</ol>'
        if names
        else ""
    )


def tables(found, lead=""):
    return (f"<p>{html.escape(lead)}</p>" if lead and found else "") + "".join(
        map(sheets.to_html, found)
    )


def picture(content, kind, caption):
    """A picture as a part of the page.  content: the bytes of its file.  kind: "png" or "gif"."""
    data = base64.b64encode(content).decode()
    return figure(
        f'<img alt="{html.escape(caption)}" src="data:image/{kind};base64,{data}">', caption
    )


def paragraphs(parts):
    """[(heading, [lines]), ..] as headings and lists."""
    return "".join(f"<h3>{html.escape(heading)}</h3>{bullets(lines)}" for heading, lines in parts)
