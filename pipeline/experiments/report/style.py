"""CSS of the experiment page, in addition to that of the evaluation page."""

from __future__ import annotations

__all__ = ["EXPERIMENT_STYLE"]

EXPERIMENT_STYLE = """
:root{--gain:#2f9e5d;--loss:#d64545}
@media (prefers-color-scheme:dark){:root{--gain:#4ade80;--loss:#f0716f}}
.tile:first-child{grid-row:auto}
.number{display:inline-block;min-width:22px;text-align:center;border-radius:99px;padding:0 6px;font-size:12px;
font-weight:650;line-height:20px;border:1px solid var(--skipped);color:var(--quiet)}
.number.worth{background:var(--accent);border-color:var(--accent);color:var(--on)}
th.right{white-space:nowrap}
td small{display:block;color:var(--quiet);font-size:11px;white-space:nowrap}
td .mark{width:120px;margin-top:3px}
.planes{display:grid;grid-template-columns:repeat(auto-fit,minmax(400px,1fr));gap:26px 30px;margin-top:14px}
.dot.worth::before{background:var(--accent)}.dot.beaten::before{background:var(--skipped)}
svg .line.front{stroke:var(--accent);stroke-dasharray:6 4;opacity:.75;stroke-width:1.8}
svg .spread{stroke-width:1.6;opacity:.45}svg .spread.worth{stroke:var(--accent)}
svg .spread.beaten{stroke:var(--skipped)}
svg circle.worth{fill:var(--accent)}svg circle.beaten{fill:var(--card);stroke:var(--skipped);stroke-width:1.6}
svg .point .number{font-size:10.5px;font-weight:650;fill:var(--quiet)}
svg .point circle.worth+.number{fill:var(--on)}
svg .zero{stroke:var(--text);opacity:.5}
rect.gain,circle.gain{fill:var(--gain)}rect.loss,circle.loss{fill:var(--loss)}circle.even{fill:var(--skipped)}
rect.band.gain{fill:var(--gain);opacity:.3}rect.band.loss{fill:var(--loss);opacity:.3}
rect.band.even{fill:var(--skipped);opacity:.3}
h3.cases{margin-top:26px;font-size:15px}.case h4{margin:0;font-size:15px}
h3.cases+.case{border-top:0;padding-top:4px;margin-top:6px}
"""
