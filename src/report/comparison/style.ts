// The report's style sheet. Colours are told apart with any colour vision (after Okabe and Ito, darkened for contrast
// on white, lightened on black); markers and dashes say the same once more. Paper is always light.

export const STYLE = `
:root {
  --page: #fff; --panel: #fff; --ink: #1b2026; --soft: #59626d; --line: #d9dee4; --grid: #e9edf1;
  --reference: #68717c; --shade: 0 114 178;
  --c0: #0067a3; --c1: #c24e00; --c2: #007a58; --c3: #9c3f8f; --c4: #8a6100; --c5: #0e7f93; --c6: #b3263b; --c7: #4b4fae;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #13171b; --panel: #1a1f25; --ink: #e8ebee; --soft: #a4adb8; --line: #39414b; --grid: #2a3139;
    --reference: #9aa4af; --shade: 86 160 220;
    --c0: #5fb4ef; --c1: #ff9350; --c2: #3fcf9f; --c3: #e592d4; --c4: #e3b94f; --c5: #5fd0e0; --c6: #ff8190; --c7: #a9abff;
  }
}
* { box-sizing: border-box; }
html { color-scheme: light dark; -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2.5rem 1.5rem 3rem; max-width: 66rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
h1 { margin: 0 0 .6rem; font-size: 1.7rem; line-height: 1.2; font-weight: 650; }
h2 { margin: 2.4rem 0 .3rem; font-size: 1.12rem; font-weight: 650; }
.lead { margin: 0; font-size: 1.08rem; max-width: 54rem; }
.note { margin: .1rem 0 .7rem; color: var(--soft); font-size: .9rem; max-width: 54rem; }
figure { margin: .4rem 0 0; overflow-x: auto; }
svg { display: block; width: 100%; min-width: 44rem; height: auto; font-size: 13px; font-variant-numeric: tabular-nums; }
.axes line { stroke: var(--grid); }
.axes text { fill: var(--soft); }
.axes .y { text-anchor: end; }
.axes .x { text-anchor: middle; }
.axes .name { fill: var(--ink); font-weight: 600; }
.axes .name:first-of-type { text-anchor: start; }
line.level { stroke: var(--own); stroke-width: 1.2; }
line.level.chance { stroke-dasharray: 1 3; }
.xai.c0 { --own: var(--c0); } .xai.c1 { --own: var(--c1); } .xai.c2 { --own: var(--c2); } .xai.c3 { --own: var(--c3); }
.xai.c4 { --own: var(--c4); } .xai.c5 { --own: var(--c5); } .xai.c6 { --own: var(--c6); } .xai.c7 { --own: var(--c7); }
.reference { --own: var(--reference); }
.unpruned { --own: var(--ink); }
.chance { --own: var(--soft); }
.series polyline { fill: none; stroke: var(--own); stroke-width: 2.4; stroke-linejoin: round; }
.series .mark { fill: var(--own); stroke: var(--page); stroke-width: 1.2; }
.series.reference polyline { stroke-width: 1.6; }
.series.reference .mark { fill: var(--page); stroke: var(--own); stroke-width: 1.6; }
.spread polygon { fill: var(--own); opacity: .13; }
.spread path { fill: none; stroke: var(--own); stroke-width: 1.2; opacity: .7; }
.series .mark:hover { stroke: var(--ink); stroke-width: 2; }
.label polyline { fill: none; stroke: var(--own); stroke-width: 1; opacity: .55; }
.label text { fill: var(--own); }
.label.xai .who, .label.unpruned .who { font-weight: 650; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .36rem .75rem; text-align: right; white-space: nowrap; }
th[scope=row], thead th:first-child { text-align: left; font-weight: 500; padding-left: .25rem; }
thead th { font-weight: 600; border-bottom: 1px solid var(--line); }
thead .sub th, thead .sub td { font-weight: 400; color: var(--soft); font-size: .88rem; border-bottom: 1px solid var(--line); }
tbody tr + tr > * { border-top: 1px solid var(--grid); }
.heat tbody td { background: rgb(var(--shade) / calc(var(--share, 0) * .36)); min-width: 5.2rem; }
.heat tbody tr.base > * { border-bottom: 1px solid var(--line); }
.heat small { display: block; color: var(--soft); font-size: .8rem; }
td.none { color: var(--soft); }
strong { font-weight: 750; }
.swatch { display: inline-block; width: .7rem; height: .7rem; margin-right: .5rem; border-radius: 50%; border: 2px solid var(--own); background: var(--own); }
.swatch.reference { background: transparent; }
.bars { width: 100%; max-width: 44rem; }
.bars .bar { width: 60%; text-align: left; }
.bars .bar span { display: block; min-width: 1px; height: .65rem; border-radius: 2px; background: var(--reference); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1.2rem; margin: .4rem 0 0; font-size: .92rem; }
dt { color: var(--soft); }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
code { font: .92em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 28rem), 1fr)); gap: 1rem; margin-top: .6rem; }
.pictures img { display: block; width: 100%; height: auto; border: 1px solid var(--line); border-radius: 6px; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .6rem; } }
@media print {
  @page { margin: 14mm; }
  html { color-scheme: light; font-size: 11px; }
  body { padding: 0; max-width: none; font-size: 11px; }
  svg { min-width: 0; }
  h2 { break-after: avoid; }
  figure, tr, dl, .pictures img { break-inside: avoid; }
  .scroll, figure { overflow: visible; }
  th, td { padding: .25rem .5rem; }
  .heat tbody td { min-width: 0; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
