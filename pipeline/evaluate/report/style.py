"""CSS of the evaluation page."""

from __future__ import annotations

__all__ = ["EVALUATION_STYLE"]

EVALUATION_STYLE = """
:root{--true:#2f9e5d;--found:#2f6fed;--later:#a9c4f8;--near:#e2a33b;--band:#c4d7fb}
@media (prefers-color-scheme:dark){:root{--true:#4ade80;--found:#6ea8fe;--later:#33507f;--near:#e5ab4a;--band:#33507f}}
i.correct{background:var(--true)}i.near{background:var(--near)}i.wrong{background:var(--failed)}
i.nothing{background:var(--skipped)}
.dot.correct::before,.dot.true::before,.dot.rejected::before{background:var(--true)}
.dot.near::before,.dot.precise::before{background:var(--near)}.dot.wrong::before,.dot.lost::before{background:var(--failed)}
.dot.nothing::before{background:var(--skipped)}.dot.found::before,.dot.recalled::before{background:var(--found)}
.dot.later::before{background:var(--later)}.dot.right-lost::before{background:var(--near)}
svg .line.rejected{stroke:var(--true)}svg .line.lost{stroke:var(--failed)}
svg .line.right-lost{stroke:var(--near);stroke-dasharray:7 4}
svg .line.precise{stroke:var(--near)}svg .line.recalled{stroke:var(--found)}
rect.true{fill:var(--true)}rect.found{fill:var(--found)}rect.later{fill:var(--later)}
.score{fill:var(--accent)}rect.band{fill:var(--band)}
.whisker{stroke:var(--text);stroke-width:1.6;opacity:.6}
.mark{width:160px;display:inline-block;vertical-align:middle}
td code,td.right{white-space:nowrap}.meaning{white-space:nowrap;color:var(--quiet)}
.case{border-top:1px solid var(--line);padding-top:18px;margin-top:22px}
.case:first-of-type{border-top:0;padding-top:4px;margin-top:8px}
.case h3{margin:0;font-size:16px}.case>p{margin:1px 0 10px;color:var(--quiet);font-size:13px}
.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(215px,1fr));gap:12px;margin-top:12px}
figure{margin:0;border:1px solid var(--line);border-radius:8px;overflow:hidden;border-top:3px solid var(--later)}
figure.true{border-top-color:var(--true)}figure.found{border-top-color:var(--found)}
figure img,figure .none{display:block;width:100%;aspect-ratio:16/9;object-fit:contain;background:#0d0f13}
figure .none{display:flex;align-items:center;justify-content:center;color:#949aa6;font-size:12px;padding:10px;
text-align:center;overflow-wrap:anywhere}
figcaption{padding:6px 10px 7px;font-size:12.5px;line-height:1.4;color:var(--quiet);font-variant-numeric:tabular-nums;
display:grid;grid-template-columns:1fr auto}
figcaption b{color:var(--text);font-weight:600}figcaption .when{grid-column:1/-1}
"""
