/** The status page's style: system fonts, light or dark as the reader has it, one column on a phone. */

/** The style. */
export const PAGE_STYLE = `
:root {
  --back: #f3f4f6; --card: #fff; --ink: #181b20; --quiet: #555e6c; --line: #dcdfe5; --accent: #0b62ba;
  --good: #14713a; --odd: #875300; --bad: #b91f2b; --good-back: #e2f3e7; --odd-back: #faefd7; --bad-back: #fbe5e6;
  --note-back: #e9ecf1;
  color-scheme: light dark;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #0e1116; --card: #171b21; --ink: #e6e9ee; --quiet: #9ca6b5; --line: #2c333d; --accent: #6cb0f8;
    --good: #58c97e; --odd: #e3b04b; --bad: #ff857e; --good-back: #12291b; --odd-back: #2e2410; --bad-back: #3a1a1c;
    --note-back: #222832;
  }
}
@media (forced-colors: active) {
  :root {
    --back: Canvas; --card: Canvas; --ink: CanvasText; --quiet: CanvasText; --line: CanvasText; --accent: Highlight;
    --good: CanvasText; --odd: CanvasText; --bad: CanvasText; --good-back: Canvas; --odd-back: Canvas;
    --bad-back: Canvas; --note-back: Canvas;
  }
}
* { box-sizing: border-box; margin: 0; }
body {
  background: var(--back); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; font-variant-numeric: tabular-nums;
  -webkit-text-size-adjust: 100%;
}
.wide { max-width: 1240px; margin: 0 auto; padding: 0 20px; }
.quiet { color: var(--quiet); }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }

header { position: sticky; top: 0; z-index: 1; background: var(--card); border-bottom: 1px solid var(--line); }
header .wide {
  display: grid; grid-template: "name verdict" auto "facts verdict" auto / minmax(0, 1fr) auto; align-items: center;
  column-gap: 16px; padding-block: 10px;
}
.brand { font-size: 12px; font-weight: 600; color: var(--accent); }
h1 { font-size: 20px; line-height: 1.25; font-weight: 650; overflow-wrap: anywhere; }
#facts { grid-area: facts; font-size: 13px; }
#verdict {
  grid-area: verdict; display: flex; align-items: center; gap: 8px; padding: 7px 14px; border: 1px solid; border-radius: 999px;
  font-weight: 600; white-space: nowrap;
}
.good { color: var(--good); background: var(--good-back); }
.odd { color: var(--odd); background: var(--odd-back); }
.bad { color: var(--bad); background: var(--bad-back); }
.note { color: var(--quiet); background: var(--note-back); }
#verdict svg, #findings svg { width: 16px; height: 16px; flex: none; overflow: visible; }
.filled { fill: currentColor; stroke: currentColor; }
.drawn { fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }

main { padding-block: 16px; }
main > * + * { margin-top: 16px; }
#findings { list-style: none; padding: 0; display: grid; gap: 8px; }
#findings li { display: flex; gap: 10px; padding: 9px 14px; border-radius: 8px; }
#findings svg { margin-top: 3px; }
#findings p { color: var(--ink); overflow-wrap: anywhere; min-width: 0; }
#findings strong { font-weight: 600; }
#findings span { color: var(--quiet); }
@media (forced-colors: active) { #findings li { border: 1px solid; } }

.card, .tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.card { padding: 14px 16px; }
h2, caption { font-size: 15px; font-weight: 650; text-align: left; }
h2 { margin-bottom: 8px; }
#tiles { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 12px; }
.tile {
  display: grid; grid-template: "title most" auto "value value" auto "more more" 1fr "chart chart" 56px / 1fr auto;
  padding: 12px 0 0; overflow: hidden;
}
.tile > :not(svg) { margin-inline: 14px; }
.tile h3 { grid-area: title; font-size: 13px; font-weight: 500; color: var(--quiet); }
.most { grid-area: most; font-size: 12px; line-height: 19px; }
.tile h3 + .most { margin-left: 0; }
.value { grid-area: value; font-size: 26px; line-height: 1.25; font-weight: 650; letter-spacing: -.01em; white-space: nowrap; }
.more { grid-area: more; font-size: 13px; overflow-wrap: anywhere; min-height: 1.45em; }
.chart { grid-area: chart; display: block; width: 100%; height: 56px; margin-top: 0; touch-action: pan-y; cursor: crosshair; }
.chart path { vector-effect: non-scaling-stroke; }
.area { fill: var(--accent); opacity: .13; }
.line { fill: none; stroke: var(--accent); stroke-width: 1.6; stroke-linejoin: round; stroke-linecap: round; }
.cursor { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 3 3; }
#looking-back { display: flex; align-items: center; gap: 12px; margin-top: 10px; font-size: 13px; color: var(--quiet); }
#looking-back input { flex: 1; min-width: 60px; max-width: 420px; accent-color: var(--accent); height: 24px; }
#looking-back output { min-width: 12em; }
details { margin-top: 4px; font-size: 13px; }
summary { cursor: pointer; color: var(--quiet); padding: 4px 0; width: fit-content; }
.scrolled { overflow-x: auto; }

table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: 5px 0 5px 12px; vertical-align: top; font-weight: 400; }
th:first-child { padding-left: 0; overflow-wrap: anywhere; }
tr > :not(:first-child) { text-align: right; white-space: nowrap; }
thead th { color: var(--quiet); font-size: 12px; padding-block: 0 4px; }
tbody tr { border-top: 1px solid var(--line); }
caption { padding-bottom: 4px; }
th b { display: block; font-weight: 600; }
th b + span { display: block; color: var(--quiet); font-size: 13px; }
.bars { display: block; width: 100%; min-width: 40px; height: 6px; margin-top: 3px; background: var(--note-back); border-radius: 2px; }
.bar { fill: var(--accent); }
@media (forced-colors: active) { .bars { border: 1px solid; } }

#peer-picture { position: relative; padding-left: 126px; }
#links { position: absolute; left: 0; top: 0; width: 120px; height: 100%; overflow: visible; }
#peers td, #peers th { padding-block: 8px; }
#peers td span { display: block; }
#peers .away span, #peers .wrong span { color: var(--bad); }
#peers .away td span, #peers .wrong td span { color: inherit; }
#hub circle { fill: var(--accent); }
#hub path { stroke: var(--card); stroke-width: 2; stroke-linecap: round; }
.link { fill: none; stroke: currentColor; opacity: .55; }
.mark { stroke-width: 2; }
.drawn.mark { fill: var(--card); }
.away .drawn.mark { fill: none; }
#link-lines .well { color: var(--good); }
#link-lines .under-way { color: var(--odd); }
#link-lines .under-way .link { stroke-dasharray: 7 4; }
#link-lines .away, #link-lines .wrong { color: var(--bad); }
#link-lines .away .link { stroke-dasharray: 2 6; }
#link-lines .wrong .link { stroke-dasharray: 7 4 2 4; }
#link-lines .none { color: var(--quiet); }
#link-lines .none .link { stroke: none; }

.two { display: grid; gap: 16px; align-items: start; grid-template-columns: repeat(2, minmax(0, 1fr)); }
.two section + section { margin-top: 16px; }
#misses td:nth-child(2) { width: 24%; }
.keys { table-layout: fixed; margin-bottom: 14px; }
.keys td { width: 40%; }
.keys tbody th { font: 13px/1.5 ui-monospace, monospace; unicode-bidi: isolate; }
#memory-rows th { font: inherit; }
#details { columns: 3 330px; column-gap: 16px; }
#details .card { padding-bottom: 8px; margin-bottom: 16px; break-inside: avoid; }
footer { padding-bottom: 24px; font-size: 13px; }

@media (max-width: 900px) {
  #tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .two { grid-template-columns: minmax(0, 1fr); }
}
@media (max-width: 520px) {
  .wide { padding-inline: 12px; }
  h1 { font-size: 17px; }
  header .wide { grid-template: "name verdict" auto "facts facts" auto / minmax(0, 1fr) auto; }
  #facts { font-size: 12px; }
  #verdict { padding: 6px 10px; font-size: 14px; }
  #tiles { gap: 8px; }
  .tile > :not(svg) { margin-inline: 10px; }
  .value { font-size: 21px; }
  .tile h3, .more { font-size: 12px; }
  .most { display: none; }
  .card { padding: 12px; }
  th, td { padding-left: 8px; }
  table { font-size: 13px; }
  #peer-picture { padding-left: 62px; }
  #links { width: 62px; left: -6px; }
  #peer-picture table, #peers { display: block; }
  #peer-picture thead { position: absolute; overflow: hidden; clip-path: inset(50%); width: 1px; height: 1px; }
  #peers tr { display: grid; grid-template-columns: 1fr 1fr 1.4fr; padding-block: 8px; }
  #peers th, #peers td { padding: 0; text-align: left; }
  #peers th { grid-column: 1 / -1; padding-bottom: 4px; }
  #peers td::before { display: block; color: var(--quiet); font-size: 12px; }
  #peers td:nth-child(2)::before { content: "Lag"; }
  #peers td:nth-child(3)::before { content: "Answers in"; }
  #peers td:nth-child(4)::before { content: "Traffic"; }
}
`;
