"""The looks of a report: one style sheet, by day and by night, on screens and on paper."""

from kqq.charts.svg import DARK_VARIABLES, FONTS, MONO, VARIABLES

STYLE = f"""
:root {{ {VARIABLES}; --card: #f6f8fb; --away: #b07a00; --busy: #b3261e; --hidden: #6b5ca5;
  --heat: 26, 92, 192; color-scheme: light dark }}
@media (prefers-color-scheme: dark) {{
  :root {{ {DARK_VARIABLES}; --card: #1b2027; --away: #e3b341; --busy: #ff8f84;
    --hidden: #b4a3f0; --heat: 132, 181, 255 }} }}
* {{ box-sizing: border-box }}
html {{ background: var(--paper); color: var(--ink); font: 15px/1.5 {FONTS};
  -webkit-text-size-adjust: 100%; scroll-padding-top: 1rem }}
body {{ max-width: 66rem; margin: 0 auto; padding: 1.75rem 1.25rem 4rem }}
h1 {{ font-size: 1.6rem; line-height: 1.25; margin: 0; overflow-wrap: anywhere }}
h2 {{ font-size: 1.2rem; line-height: 1.3; margin: 2.75rem 0 .25rem }}
h3 {{ font-size: .95rem; margin: 1.5rem 0 .25rem }}
p {{ margin: 0 0 .75rem; max-width: 46rem }}
.faint, p.about {{ color: var(--faint) }}
p.about {{ font-size: .9rem }}
a {{ color: var(--request) }}
nav ol {{ display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; list-style: none; margin: .75rem 0 0;
  padding: 0; font-size: .9rem }}
.tiles {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .625rem;
  margin: 1.5rem 0 0; padding: 0 }}
.tiles div {{ background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .625rem .875rem }}
.tiles dt {{ color: var(--faint); font-size: .8rem }}
.tiles dd {{ font-size: 1.125rem; font-variant-numeric: tabular-nums; font-weight: 650;
  line-height: 1.3; margin: 0; overflow-wrap: anywhere }}
.wide {{ overflow-x: auto }}
table {{ border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums;
  margin: .5rem 0 1rem; min-width: 60% }}
th, td {{ border-bottom: 1px solid var(--line); padding: .3125rem .625rem; text-align: left;
  vertical-align: baseline }}
thead th {{ color: var(--faint); font-size: .8rem; font-weight: 600; vertical-align: bottom }}
tbody th {{ font-weight: 600 }}
.n {{ text-align: right; white-space: nowrap }}
td.draw {{ min-width: 9rem; vertical-align: middle; width: 34% }}
td.short {{ min-width: 6rem; vertical-align: middle; width: 22% }}
td.about {{ color: var(--faint); min-width: 13rem }}
.words, .about bdi, .inside td, .odd td, .odd th {{ overflow-wrap: anywhere }}
.odd thead th, .odd td a {{ white-space: nowrap }}
td, th, dd {{ overflow-wrap: break-word }}
code, .command {{ font-family: {MONO}; font-size: .92em }}
.matrix {{ min-width: 0 }}
.matrix td {{ min-width: 2.6rem; text-align: right }}
.matrix thead th {{ max-width: 7rem; text-align: right; overflow-wrap: anywhere }}
.h1 {{ background: rgba(var(--heat), .08) }} .h2 {{ background: rgba(var(--heat), .18) }}
.h3 {{ background: rgba(var(--heat), .3) }} .h4 {{ background: rgba(var(--heat), .44) }}
.legend {{ display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; list-style: none; font-size: .825rem;
  color: var(--faint); margin: .5rem 0; padding: 0 }}
.legend li {{ align-items: center; display: flex; gap: .375rem }}
.key {{ border-radius: 2px; display: inline-block; height: .75rem; width: .75rem }}
.key.request {{ background: var(--request) }} .key.reply {{ background: var(--reply) }}
.key.push {{ background: var(--push) }} .key.refusal {{ background: var(--bad) }}
.key.unreadable {{ background: var(--odd) }}
.key.odd {{ background: var(--odd); border-radius: 50%; height: .5rem; width: .5rem }}
svg {{ display: block; overflow: visible }}
svg text {{ fill: var(--faint); font-size: 11px; font-variant-numeric: tabular-nums }}
svg .request {{ fill: var(--request) }} svg .reply {{ fill: var(--reply); opacity: .75 }}
svg .push {{ fill: var(--push) }} svg .refusal {{ fill: var(--bad) }}
svg .unreadable, svg .odd {{ fill: var(--odd) }}
svg .over {{ fill: transparent }} svg .over:hover {{ fill: rgba(var(--heat), .12) }}
.grid {{ stroke: var(--line); stroke-width: .75; opacity: .7 }}
.base {{ stroke: var(--edge); stroke-width: 1 }}
.tick, .count {{ text-anchor: middle }}
.tick.low {{ text-anchor: start }} .tick.high {{ text-anchor: end }}
.count {{ paint-order: stroke; stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round }}
.level {{ text-anchor: end }}
.levels {{ margin: .5rem 0 0 2.5rem; width: calc(100% - 2.5rem) }}
.share {{ stroke: var(--ink); stroke-dasharray: 3 3; stroke-width: 1.25 }}
.whisker {{ stroke: var(--request); stroke-linecap: round; stroke-opacity: .45; stroke-width: 6 }}
.median {{ fill: var(--request); stroke: var(--paper); stroke-width: 1.5 }}
.s10, .s60 {{ fill: var(--push) }} .s30 {{ fill: var(--away) }}
.s50, .s70 {{ fill: var(--busy) }} .s0 {{ fill: var(--reply) }}
.s40 {{ fill: var(--paper); stroke: var(--hidden); stroke-width: 1.5; stroke-dasharray: 4 2 }}
.left {{ fill: var(--paper); stroke: var(--reply); stroke-width: 1.5 }}
.lanes {{ align-items: center; display: grid; font-size: .875rem; gap: .125rem .875rem;
  grid-template-columns: minmax(5rem, max-content) 1fr; margin: .5rem 0 0 }}
.lanes > span {{ max-width: 12rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap }}
.chart {{ border: 1px solid var(--line); border-radius: .5rem; margin: .75rem 0; overflow-x: auto }}
.chart img {{ display: block; margin: 0 auto }}
.day, .gap {{ max-width: none }}
.day {{ color: var(--faint); font-size: .85rem; font-weight: 600; margin: 1.25rem 0 .375rem;
  text-align: center }}
details.said {{ border-left: 3px solid var(--edge); margin: 0 0 2px; padding-left: .625rem }}
details.request {{ border-color: var(--request) }} details.push {{ border-color: var(--push) }}
details.reply {{ border-left-style: dashed; border-color: var(--reply) }}
details.refusal {{ border-left-style: dashed; border-color: var(--bad) }}
details.unreadable {{ border-left-style: dotted; border-color: var(--bad) }}
summary {{ cursor: pointer; display: grid; gap: 0 .75rem; padding: .1875rem .375rem;
  grid-template-columns: 3rem 6.25rem minmax(6rem, 13rem) minmax(0, 1fr) auto;
  align-items: baseline; border-radius: .25rem; list-style: none }}
summary::-webkit-details-marker {{ display: none }}
summary:hover {{ background: var(--card) }}
:target > summary {{ outline: 2px solid var(--odd) }}
summary .id, summary time, summary .took {{ color: var(--faint); font-size: .8rem;
  font-variant-numeric: tabular-nums; white-space: nowrap }}
summary .ends {{ font-size: .85rem; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap }}
.request .command {{ color: var(--request) }} .push .command {{ color: var(--push) }}
.refusal .command, .unreadable .command {{ color: var(--bad) }}
.command {{ font-weight: 600 }}
.tag {{ border: 1px solid var(--edge); border-radius: .25rem; color: var(--faint);
  font-size: .7rem; font-weight: 600; padding: 0 .25rem }}
.warn {{ color: var(--odd); font-weight: 700 }}
.inside {{ background: var(--card); border-radius: .375rem; margin: .25rem 0 .75rem;
  padding: .625rem .875rem }}
.inside table {{ margin: .5rem 0 0; min-width: 0; width: 100% }}
.inside td {{ white-space: pre-wrap }}
.inside td:nth-child(2) {{ max-width: 22rem }}
.inside code {{ white-space: pre-wrap }}
.inside ul {{ color: var(--odd); margin: .5rem 0 0; padding-left: 1.2rem }}
.inside img {{ background: #fff; display: block; image-rendering: pixelated; margin: .5rem 0 0;
  max-width: 100%; padding: 4px }}
.gap {{ color: var(--faint); font-style: italic; margin: .875rem 0; text-align: center }}
footer {{ border-top: 1px solid var(--line); color: var(--faint); font-size: .85rem;
  margin-top: 3rem; padding-top: .75rem }}
@media (max-width: 44rem) {{
  body {{ padding: 1rem .75rem 3rem }}
  .minor {{ display: none }}
  .lanes {{ grid-template-columns: 1fr }} .lanes > span:empty {{ display: none }}
  .lanes > span {{ margin-top: .375rem }}
  summary {{ grid-template-columns: auto auto 1fr auto }}
  summary .words {{ grid-column: 1 / -1 }} summary .took {{ grid-column: 4; grid-row: 1 }}
  .hide {{ display: none }}
  th, td {{ padding: .3125rem .375rem }} }}
@media print {{
  :root {{ {VARIABLES}; --card: #fff; --heat: 26, 92, 192; --away: #b07a00; --busy: #b3261e;
    --hidden: #6b5ca5 }}
  html {{ font-size: 10.5pt; print-color-adjust: exact; -webkit-print-color-adjust: exact }}
  body {{ max-width: none; padding: 0 }}
  nav {{ display: none }}
  .wide, .chart {{ overflow: visible }}
  .chart img {{ height: auto; max-height: 85vh; max-width: 100%; width: auto }}
  .lanes, .chart {{ break-inside: avoid }} .chart {{ border: 0 }}
  h2, h3, p.about, .legend {{ break-after: avoid }}
  tr, .tiles div, summary, .lanes > * {{ break-inside: avoid }} }}
"""
"""Nothing in a page needs a style of its own: a policy can forbid all but this one."""
