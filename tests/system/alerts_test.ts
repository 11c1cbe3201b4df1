/** The alert rules and the dashboard: each expression is one, names only what servers tell, and each alert is explained. */

import { assert, assertEquals } from "@std/assert";
import { Authority, hasOpenssl } from "../support/certificates.ts";
import { text } from "../support/examples.ts";
import { askHttp } from "../support/http.ts";
import { readMetrics, type ReadSample } from "../support/metrics_format.ts";
import { portOf } from "../support/ports.ts";
import { hasPromtool, namedIn, promtool } from "../support/promtool.ts";
import { startedServer } from "../support/servers.ts";
import { exchange } from "../support/text_socket.ts";
import { until } from "../support/waiting.ts";

const FOLDER = new URL("../../deploy/prometheus/", import.meta.url).pathname;

/** An alert, as the lines of the file say. */
interface Alert {
  readonly alert: string;
  readonly fields: ReadonlyMap<string, string>;
}

const ALERTS: Alert[] = text("deploy/prometheus/rules.yml").split(/^ +- alert: /m).slice(1).map((block) => {
  const fields = [...block.matchAll(/^ +(\w+): (?:(["'])(.*)\2|(.*))$/gm)];
  return {
    alert: block.split("\n")[0],
    fields: new Map(fields.map(([, name, , quoted, plain]) => [name, quoted ?? plain])),
  };
});

/** What the dashboard asks Prometheus for, where `$job` and so on stand for something. */
function dashboardExpressions(): string[] {
  const found: string[] = [];
  JSON.parse(text("deploy/grafana/dashboard.json"), (key, value) => {
    if (key === "expr") found.push(value.replaceAll("$__rate_interval", "5m"));
    return value;
  });
  return found;
}

/** What dashboards and alerts made for memcached_exporter ask for. */
const OF_MEMCACHED = [
  "memcached_up == 0",
  "100 * memcached_current_connections / memcached_max_connections > 95",
  "sum without (slab) (rate(memcached_slab_items_outofmemory_total[5m])) > 0",
  "rate(memcached_items_evicted_total[5m]) > 10",
  "rate(memcached_connections_yielded_total[5m]) > 5",
  "increase(memcached_connections_rejected_total[5m]) > 0",
  "memcached_current_bytes / memcached_limit_bytes > 0.9",
  'sum without (command, status) (rate(memcached_commands_total{command="get", status="hit"}[5m]))',
  "memcached_current_items",
  "rate(memcached_read_bytes_total[5m]) + rate(memcached_written_bytes_total[5m])",
  "time() - memcached_uptime_seconds",
];

const EXPRESSIONS = [...ALERTS.map(({ fields }) => fields.get("expr")!), ...dashboardExpressions(), ...OF_MEMCACHED];

Deno.test({
  name: "promtool takes all alerts, and each fires where it should, when it should, and nowhere else",
  ignore: !hasPromtool,
  fn: async () => {
    await promtool(["check", "rules", "rules.yml"], "", FOLDER);
    await promtool(["test", "rules", "rules_test.yml"], "", FOLDER);
    const tested = text("deploy/prometheus/rules_test.yml");
    for (const { alert } of ALERTS) assert(tested.includes(`alertname="${alert}"`), `${alert} is not tested`);
  },
});

Deno.test({
  name: "promtool takes each expression of alerts, of the dashboard, and of others' for memcached",
  ignore: !hasPromtool,
  fn: async () => {
    const file = await Deno.makeTempFile({ suffix: ".yml" });
    try {
      const rules = EXPRESSIONS.map((expr, i) => ({ record: `rule:${i}`, expr }));
      await Deno.writeTextFile(file, JSON.stringify({ groups: [{ name: "all", rules }] })); // JSON is YAML
      const said = await promtool(["check", "rules", file]);
      assert(said.includes(`SUCCESS: ${EXPRESSIONS.length} rules found`), said);
    } finally {
      await Deno.remove(file);
    }
  },
});

/** The metrics of a server that encrypts, has a peer and an entry, and has been asked for some things. */
async function metricsOfServer(): Promise<ReadSample[]> {
  await using authority = await Authority.make();
  const tls = await authority.files();
  const http = "127.0.0.1:0";
  await using one = await startedServer({ http, tls });
  await using _two = await startedServer({ http, peers: [one.address!] });
  await until("they are peers", () => one.stats().peers.some(({ state, ready }) => state === "connected" && ready));
  await exchange(portOf(one.address!), "set a 0 0 1\r\nx\r\nget a\r\nmn\r\n", (reply) => reply.endsWith("MN\r\n"));
  await until("the other has answered a round", () => one.stats().peers.every(({ lastRoundMs }) => lastRoundMs >= 0));
  await askHttp(portOf(one.httpAddress!), "/healthz"); // replies are counted once there is one
  return [...readMetrics((await askHttp(portOf(one.httpAddress!), "/metrics"))!.body).values()].flatMap((family) =>
    family.samples
  );
}

/** What Prometheus makes itself. */
const OF_PROMETHEUS = ["up"];
/** Labels that it puts to each sample, and one of which a server tells what is so now only. */
const NOT_LOOKED_FOR = ["job", "instance", "state"];

Deno.test({
  name: "alerts and the dashboard name only metrics, labels and values of labels that /metrics has",
  ignore: !hasOpenssl,
  fn: async () => {
    const samples = await metricsOfServer();
    for (const expression of EXPRESSIONS) {
      const all = namedIn(expression);
      assert(all.length > 0, expression);
      for (const { metric, labels } of all.filter(({ metric }) => !OF_PROMETHEUS.includes(metric))) {
        const found = samples.filter(({ name }) => name === metric);
        assert(found.length > 0, `${metric} is no metric: ${expression}`);
        for (const [label, value] of labels) {
          if (NOT_LOOKED_FOR.includes(label)) continue;
          const has = found.some(({ labels }) => label in labels && (value === undefined || labels[label] === value));
          assert(has, `${metric} has no ${label} ${value}: ${expression}`);
        }
      }
    }
  },
});

Deno.test("namedIn() finds what an expression names, and nothing else", () => {
  const names = (expression: string) => namedIn(expression).map(({ metric }) => metric);
  const mixed =
    'sum by (a) (rate(x_total{b="c(d)", e=~"f|g"}[5m])) / on (job, h) (y > 0) unless ignoring (i) time() - z';
  assertEquals(names(mixed), ["x_total", "y", "z"]);
  assertEquals([...namedIn(mixed)[0].labels], [["b", "c(d)"], ["e", undefined]]);
});

Deno.test("each alert says how bad it is, what is so, and what to do, and stands in docs/metrics.md", () => {
  const document = text("docs/metrics.md");
  assert(ALERTS.length > 10);
  for (const { alert, fields } of ALERTS) {
    assert(["warning", "critical"].includes(fields.get("severity")!), alert);
    assert(/^\d+[mhd]$/.test(fields.get("for")!), alert);
    assert(fields.get("summary")!.includes("{{ $labels.instance }}"), alert);
    assert(fields.get("description")!.length > 40, alert);
    const [, file, anchor] = /^(docs\/\S+)#(\S+)$/.exec(fields.get("see")!)!;
    const headings = [...text(file).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading.toLowerCase().replaceAll(" ", "-")
    );
    assert(headings.includes(anchor), `${alert}: ${anchor}`);
    assert(document.includes(`| \`${alert}\``), `${alert} is not in docs/metrics.md`);
  }
  for (const [name] of document.matchAll(/\bOrmucoCache[A-Z]\w+/g)) {
    assert(ALERTS.some(({ alert }) => alert === name), `${name} is no alert`);
  }
});

Deno.test("the dashboard's panels do not cover each other, and ask the source, job and instance that are chosen", () => {
  const { panels, templating } = JSON.parse(text("deploy/grafana/dashboard.json"));
  assertEquals(templating.list.map(({ name }: { name: string }) => name), ["datasource", "job", "instance"]);
  const taken = new Set<string>();
  for (const { title, type, gridPos: { x, y, w, h }, targets = [], datasource } of panels) {
    for (let i = x; i < x + w; i++) {
      for (let j = y; j < y + h; j++) {
        assert(i < 24 && !taken.has(`${i},${j}`), title);
        taken.add(`${i},${j}`);
      }
    }
    if (type === "row") continue;
    assertEquals(datasource, { type: "prometheus", uid: "${datasource}" }, title);
    assert(targets.length > 0, title);
    for (const { expr } of targets) {
      for (const { metric, labels } of namedIn(expr)) {
        assert(labels.has("job") && labels.has("instance"), `${title}: ${metric}`);
      }
    }
  }
  assertEquals(new Set(panels.map(({ id }: { id: number }) => id)).size, panels.length);
});
