"""The look of the page: quiet, one column, both themes from the same names."""

from __future__ import annotations

_LIGHT = (
    "--ink:#1b1f24;--muted:#667080;--paper:#fbfbfa;--card:#fff;--rule:#e3e5e8;--a:#2563c9;--b:#c2570c;--c:#1f8a70;"
    "--d:#7a4fbf;--buy:#1f8a70;--sell:#c2410c;--yes:#1f8a70;--no:#b4471f;--staged:#9aa3af;--cost:#c2570c;--gain:#1f8a70"
)
_DARK = (
    "--ink:#e6e8eb;--muted:#97a0ad;--paper:#14171b;--card:#1b1f25;--rule:#2c323a;--a:#79a8f5;--b:#f0a05a;--c:#5cc9ab;"
    "--d:#b79bf0;--buy:#5cc9ab;--sell:#f58a5b;--yes:#5cc9ab;--no:#f08a63;--staged:#687282;--cost:#f0a05a;--gain:#5cc9ab"
)
_NAMES = ("ink", "muted", "a", "b", "c", "d", "buy", "sell", "yes", "no", "staged", "cost", "gain")
_COLOURS = "".join(
    f".s-{n}{{stroke:var(--{n})}}.f-{n}{{fill:var(--{n})}}.k-{n}{{background:var(--{n})}}" for n in _NAMES
)

STYLE = f"""
:root{{{_LIGHT}}}
@media(prefers-color-scheme:dark){{:root{{{_DARK}}}}}
*{{box-sizing:border-box}}
body{{margin:0;background:var(--paper);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}}
main{{max-width:64rem;margin:0 auto;padding:2.2rem 1.2rem 4rem}}
h1{{font-size:1.7rem;letter-spacing:-.01em;margin:0 0 .3rem}}
h2{{font-size:1.1rem;margin:0 0 .35rem}}
p{{margin:0 0 .8rem;color:var(--muted);max-width:52rem}}
section{{background:var(--card);border:1px solid var(--rule);border-radius:10px}}
section{{padding:1.1rem 1.2rem;margin-top:1.1rem}}
.tiles{{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.4rem,1fr));gap:.7rem;margin-top:1.1rem}}
.tile{{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:.75rem .9rem}}
.tile b{{display:block;font-size:1.25rem;font-variant-numeric:tabular-nums}}
.tile span{{display:block}}.tile small{{color:var(--muted)}}
svg{{display:block;width:100%;height:auto;margin:.2rem 0}}
.line{{fill:none;stroke-linejoin:round}}.area{{opacity:.28}}.dash{{fill:none;stroke-dasharray:4 4}}
.grid{{stroke:var(--rule);fill:none}}.axis{{stroke:var(--muted);fill:none}}
text{{fill:var(--muted);font-size:11px;font-variant-numeric:tabular-nums}}
text.name{{fill:var(--ink);font-size:12px}}text.small{{font-size:10.5px}}text.note{{fill:var(--ink)}}
.f-buy,.f-sell{{opacity:.85}}
.key{{display:flex;flex-wrap:wrap;gap:1rem;font-size:.85rem;margin:.2rem 0 0 62px}}
.key i{{display:inline-block;width:.8rem;height:.8rem;border-radius:2px;margin-right:.4rem;vertical-align:-1px}}
pre{{font:12px/1.5 ui-monospace,Menlo,monospace;overflow-x:auto;margin:.3rem 0 1rem}}
summary{{cursor:pointer}}
table{{border-collapse:collapse;width:100%;font-size:.88rem}}
td,th{{padding:.28rem .6rem .28rem 0;border-bottom:1px solid var(--rule);text-align:left;vertical-align:top}}
th{{font-weight:500;color:var(--muted);white-space:nowrap}}
td.n,th.n{{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap;padding-right:1rem}}
td.yes{{color:var(--yes);fill:none}}td.no{{color:var(--no);font-weight:600;fill:none}}
.badge{{border:1px solid var(--rule);border-radius:99px;padding:0 .5rem;color:var(--muted);font-size:.78rem}}
code{{font-size:.92em;background:var(--paper);border:1px solid var(--rule);border-radius:4px;padding:0 .25em}}
{_COLOURS}
"""
