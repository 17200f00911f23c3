"""What a run's page adds to the style of all pages: the colours of its stages and outcomes."""

from __future__ import annotations

__all__ = ["RUN_STYLE"]

RUN_STYLE = """
:root{--decode:#2f6fed;--wait:#e2a33b;--encode:#7c5cdb;--load:#c3b4f2;--store:#0f9f9a;--index:#57b94c;--on-idle:#667085}
@media (prefers-color-scheme:dark){:root{--decode:#5b96f7;--wait:#d99a35;--encode:#9a7ff0;--load:#5a4a91;
--store:#2bb3ad;--index:#5fbf55;--on-idle:#949aa6}}
.badge.finished{background:var(--done)}.badge.failed{background:var(--failed)}
.badge.interrupted{background:var(--partial)}
.badge.running{background:var(--accent)}
svg .line.decode{stroke:var(--decode)}svg .line.encode{stroke:var(--encode)}
svg text.on.idle{fill:var(--on-idle)}svg text.on.load{fill:var(--text)}
rect.decode{fill:var(--decode)}rect.wait{fill:var(--wait)}rect.encode{fill:var(--encode)}
rect.load{fill:var(--load)}rect.store{fill:var(--store)}rect.index{fill:var(--index)}
.dot.decode::before{background:var(--decode)}.dot.wait::before{background:var(--wait)}
.dot.encode::before{background:var(--encode)}.dot.load::before{background:var(--load)}
.dot.store::before{background:var(--store)}.dot.index::before{background:var(--index)}
"""
