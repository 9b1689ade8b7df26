"""The look of a report page: inline CSS, light and dark, readable on a phone."""

CSS = """
:root { --bg:#f6f7f9; --card:#fff; --ink:#1c2129; --soft:#5b6472; --line:#dfe3e8; --accent:#2f6fde;
  --good:#12794f; --bad:#b3321b; --unclear:#8a6100; color-scheme:light dark; }
@media (prefers-color-scheme: dark) {
  :root { --bg:#14171c; --card:#1d2128; --ink:#e7eaef; --soft:#9aa4b2; --line:#323944; --accent:#7aa7ff;
    --good:#4fc38f; --bad:#ff8066; --unclear:#e0b050; }
}
* { box-sizing:border-box; }
body { margin:0; background:var(--bg); color:var(--ink); font:16px/1.55 system-ui,-apple-system,"Segoe UI",
  Roboto,"Liberation Sans",sans-serif; }
main { max-width:1120px; margin:0 auto; padding:28px 18px 60px; }
h1 { font-size:1.85rem; line-height:1.2; margin:0 0 .3em; letter-spacing:-.01em; }
h2 { font-size:1.22rem; margin:2.2em 0 .7em; padding-bottom:.3em; border-bottom:1px solid var(--line); }
p { margin:.4em 0 .9em; max-width:46em; } ul { margin:.4em 0 .9em; padding-left:1.3em; max-width:60em; }
.intro { color:var(--soft); }
.cards { display:grid; grid-template-columns:repeat(auto-fit,minmax(232px,1fr)); gap:14px; margin:18px 0; }
.card { background:var(--card); border:1px solid var(--line); border-top:4px solid var(--soft);
  border-radius:10px; padding:14px 16px; }
.card .title { color:var(--soft); font-size:.86rem; }
.card .value { font-size:1.9rem; font-weight:650; line-height:1.25; font-variant-numeric:tabular-nums; }
.card .unit { font-size:1rem; font-weight:500; color:var(--soft); }
.card .verdict { font-weight:600; font-size:.93rem; }
.card .note { color:var(--soft); font-size:.86rem; }
.card.good { border-top-color:var(--good); } .card.good .verdict { color:var(--good); }
.card.bad { border-top-color:var(--bad); } .card.bad .verdict { color:var(--bad); }
.card.unclear { border-top-color:var(--unclear); } .card.unclear .verdict { color:var(--unclear); }
.scroll { overflow-x:auto; background:var(--card); border:1px solid var(--line); border-radius:10px;
  margin:10px 0 4px; }
table { border-collapse:collapse; width:100%; font-size:.93rem; font-variant-numeric:tabular-nums; }
th,td { padding:7px 14px; text-align:left; white-space:nowrap; border-bottom:1px solid var(--line); }
tbody tr:last-child td { border-bottom:0; }
th { color:var(--soft); font-weight:600; font-size:.84rem; }
.n { text-align:right; } .best { font-weight:700; } .missing { color:var(--soft); font-style:italic; }
.chip { display:inline-block; width:.95em; height:.95em; border-radius:3px; margin-right:.55em;
  vertical-align:-.1em; border:1px solid var(--line); }
figure { margin:14px 0 22px; } .picture { overflow-x:auto; }
figure img { display:block; max-width:100%; height:auto; border-radius:8px; }
figcaption,.caption { color:var(--soft); font-size:.88rem; margin-top:6px; }
.jumps { display:flex; flex-wrap:wrap; gap:2px 18px; max-width:none; } a { color:var(--accent); }
.choice { background:var(--card); border:1px solid var(--line); border-radius:10px; padding:10px 12px 12px;
  margin:12px 0; content-visibility:auto; contain-intrinsic-size:auto 230px; }  /* a thousand stay quick */
.choice figcaption { display:flex; flex-wrap:wrap; gap:2px 24px; margin:0 0 8px; overflow-wrap:anywhere; }
.choice .rank { color:var(--accent); font-weight:700; margin-right:.4em; }
.choice .name { color:var(--ink); font-weight:600; }
.why { display:flex; flex-wrap:wrap; gap:0 18px; font-variant-numeric:tabular-nums; } .why b { color:var(--ink); }
details { background:var(--card); border:1px solid var(--line); border-radius:10px; padding:9px 14px;
  margin:8px 0; }
summary { cursor:pointer; font-weight:600; } pre { overflow-x:auto; font-size:.82rem; line-height:1.45; }
dl { display:grid; grid-template-columns:max-content 1fr; gap:3px 20px; margin:0 0 14px; }
dt { color:var(--soft); } dd { margin:0; overflow-wrap:anywhere; }
@media (max-width:600px) { main { padding:18px 12px 40px; } dl { grid-template-columns:1fr; gap:0; }
  .picture img { min-width:min(var(--width),760px); }  /* small captions: scroll rather than shrink */
  dd { margin-bottom:8px; } th,td { padding:6px 10px; } }
@media print { body { background:#fff; } .card,.scroll,figure { break-inside:avoid; } }
"""
