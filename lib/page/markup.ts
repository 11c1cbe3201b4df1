/** The status page's HTML, without style and script. */

import { details } from "./details.ts";
import { tiles } from "./tiles.ts";

const ICON = "%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='4' " +
  "fill='%230b6bcb'/%3E%3Cpath d='M4 5h8M4 8h8M4 11h5' stroke='%23fff' stroke-width='1.6' stroke-linecap='round'/%3E%3C/svg%3E";

const TILES = tiles().map(({ id, title }) => `
      <div class="tile">
        <h3>${title}</h3>
        <p class="most quiet" id="${id}-most"></p>
        <p class="value" id="${id}-value">–</p>
        <p class="more quiet" id="${id}-more">&nbsp;</p>
        <svg id="${id}-chart" class="chart" viewBox="0 0 300 100" preserveAspectRatio="none" role="img"
          aria-label="${title}"><path class="area"/><path class="line"/><path class="cursor"/></svg>
      </div>`).join("");

const DETAILS = details().map(({ id, title }) => `
      <section class="card" aria-labelledby="${id}-title">
        <table>
          <caption id="${id}-title">${title}</caption>
          <thead><tr><th scope="col"><span class="unseen">Figure</span></th><th scope="col">a second</th><th scope="col">in all</th></tr></thead>
          <tbody id="${id}"></tbody>
        </table>
      </section>`).join("");

const keyTable = (id: string, title: string) => `
          <table class="keys"><caption>${title}</caption>
            <thead class="unseen"><tr><th scope="col">Key</th><th scope="col">Share</th></tr></thead>
            <tbody id="${id}"></tbody></table>`;

/** The columns of peers; with their roles, since they are none to a reader of the screen where the style makes a list of the table. */
const COLUMNS = ["Peer", "Lag", "Answers in", "Traffic"]
  .map((title) => `<th scope="col" role="columnheader">${title}</th>`).join("");

const HEAD = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Ormuco Cache</title>
<link rel="icon" href="data:image/svg+xml,${ICON}">
`;

const BODY = `
<header>
  <div class="wide">
    <div>
      <p class="brand">Ormuco Cache</p>
      <h1 id="address">&nbsp;</h1>
    </div>
    <p class="quiet" id="facts">&nbsp;</p>
    <p id="verdict" class="note"><svg id="verdict-mark" viewBox="0 0 16 16" aria-hidden="true"><path/></svg><span
      id="verdict-word">Connecting</span></p>
  </div>
</header>
<main class="wide">
  <p id="news" class="unseen" role="status"></p>
  <noscript><p class="card">This page needs JavaScript; <a href="metrics">/metrics</a> tells the same as text.</p></noscript>
  <section aria-labelledby="findings-title">
    <h2 id="findings-title" class="unseen">What to look at</h2>
    <ul id="findings"></ul>
    <p id="no-findings" class="quiet" hidden>Nothing needs your attention.</p>
  </section>
  <section aria-labelledby="tiles-title">
    <h2 id="tiles-title" class="unseen">The last five minutes</h2>
    <div id="tiles">${TILES}
    </div>
    <div id="looking-back">
      <label for="moment">Look back</label>
      <input id="moment" type="range" min="-300" max="0" step="1" value="0">
      <output id="moment-text" for="moment">now</output>
    </div>
    <details id="minutes-shown">
      <summary>Minute by minute, as a table</summary>
      <div class="scrolled" role="region" tabindex="0" aria-label="Minute by minute">
        <table>
          <thead><tr><th scope="col">Minute</th>${
  tiles().map(({ title }) => `<th scope="col">${title}</th>`).join("")
}</tr></thead>
          <tbody id="minutes"></tbody>
        </table>
      </div>
    </details>
  </section>
  <div class="two">
  <div>
  <section class="card" aria-labelledby="peers-title">
    <h2 id="peers-title">Peers</h2>
    <p id="no-peers" class="quiet">There are none: this server shares its entries with no other.</p>
    <div id="peer-picture" hidden>
      <svg id="links" aria-hidden="true"><g id="link-lines"></g><g id="hub"><circle r="15"/><path
        d="M-6 -5h12M-6 0h12M-6 5h7"/></g></svg>
      <table role="table">
        <thead role="rowgroup"><tr role="row">${COLUMNS}</tr></thead>
        <tbody role="rowgroup" id="peers"></tbody>
      </table>
    </div>
  </section>
    <section class="card" aria-labelledby="misses-title">
      <h2 id="misses-title">Misses by reason</h2>
      <table>
        <thead><tr><th scope="col">Reason</th><th scope="col">Share</th><th scope="col">5 min</th><th scope="col">in all</th></tr></thead>
        <tbody id="misses"></tbody>
      </table>
    </section>
  </div>
    <section class="card" aria-labelledby="keys-title">
      <h2 id="keys-title">Keys and memory</h2>
      <div id="memories" hidden>
          <table class="keys"><caption>Hit ratio with other memory</caption>
            <thead class="unseen"><tr><th scope="col">Memory</th><th scope="col">Hit ratio</th></tr></thead>
            <tbody id="memory-rows"></tbody></table>
      </div>
      <p id="no-memories" class="quiet">What more or less memory would give is not counted yet.</p>
      <div id="keys" hidden>${keyTable("by-reads", "Read most often")}${keyTable("by-bytes", "Most bytes read")}
      </div>
      <p id="no-keys" class="quiet">Which keys are read most is not counted yet.</p>
      <p id="counted" class="quiet"></p>
    </section>
  </div>
  <section aria-labelledby="details-title">
    <h2 id="details-title">All figures</h2>
    <div id="details">${DETAILS}
    </div>
  </section>
</main>
<footer class="wide quiet"><a href="metrics">The same for Prometheus</a></footer>
`;

/** Puts style and script into the page. */
export function pageOf(style: string, script: string): string {
  return `${HEAD}<style>${style}</style>\n</head>\n<body>${BODY}<script>${script}</script>\n</body>\n</html>\n`;
}
