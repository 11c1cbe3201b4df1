/** The chart of deploy/chart as helm renders it: documents that Kubernetes takes, and settings with which a server starts. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parse, parseAllDocuments } from "yaml";
import { SERVER_SETTING_NAMES } from "../../lib/base/settings.ts";
import { Authority, hasOpenssl } from "../support/certificates.ts";
import { text } from "../support/examples.ts";
import { askHttp } from "../support/http.ts";
import { faultsIn, type KubernetesDocument } from "../support/kubernetes.ts";
import { execute } from "../support/others_clients.ts";
import { freePort } from "../support/ports.ts";
import { run, serve } from "../support/processes.ts";
import { until } from "../support/waiting.ts";

const CHART = new URL("../../deploy/chart", import.meta.url).pathname;
const FULL = [
  "tls.issuer.name=ours",
  "tls.issuer.kind=ClusterIssuer",
  "serviceMonitor.enabled=true",
  "replicas=5",
  "snapshot.size=2Gi",
];

const hasHelm = (await execute("helm", ["version"])).status === 0;
if (!hasHelm) console.log("Not tested: the chart, because helm is not installed");

/** What helm says of the chart with some values, or why it says nothing. */
function helm(command: string[], values: string[] = []): Promise<{ status: number; text: string }> {
  return execute("helm", [...command, CHART, "--namespace", "web", ...values.flatMap((value) => ["--set", value])]);
}

/** The documents of the chart. */
async function rendered(values: string[] = []): Promise<KubernetesDocument[]> {
  const { status, text } = await helm(["template", "cache"], values);
  assertEquals(status, 0, text);
  return parseAllDocuments(text).map((document) => document.toJS());
}

function ofKind(documents: KubernetesDocument[], kind: string): KubernetesDocument {
  return documents.find((document) => document.kind === kind)!;
}

Deno.test({
  name: "helm finds no fault in the chart, and all of its documents are what Kubernetes takes",
  ignore: !hasHelm,
  fn: async () => {
    const { status, text } = await helm(["lint", "--strict"]);
    assertEquals(status, 0, text);
    const [few, all, open] = await Promise.all([
      rendered(),
      rendered([...FULL, "podSpec.priorityClassName=high", "settings.CLUSTER=blue"]),
      rendered(["tls.secret=", "insecure=true", "serviceMonitor.enabled=true"]),
    ]);
    const kinds = ["PodDisruptionBudget", "Service", "Service", "StatefulSet"];
    assertEquals(few.map(({ kind }) => kind).sort(), kinds);
    assertEquals(all.map(({ kind }) => kind).sort(), ["Certificate", ...kinds, "ServiceMonitor"].sort());
    assertEquals(await faultsIn([...few, ...all, ...open]), "");
  },
});

Deno.test({
  name: "a field that is misspelt, of another type or missing is found in a document",
  ignore: !hasHelm,
  fn: async () => {
    const faulty = await Promise.all(["misspelt", "mistyped", "missing"].map(() => rendered()));
    const [misspelt, mistyped, missing] = faulty.map((documents) => ofKind(documents, "StatefulSet"));
    misspelt.spec.template.spec.containers[0].livenessProbe.failureTreshold = 3;
    mistyped.spec.template.spec.containers[0].env[0].value = 3;
    delete missing.spec.selector;
    const faults = await faultsIn([misspelt, mistyped, missing]);
    for (
      const name of ['"failureTreshold"\' does not exist', "env/0/value must be string", "required property selector"]
    ) {
      assertStringIncludes(faults, name);
    }
  },
});

Deno.test({
  name: "helm refuses values that are misspelt or mistyped, and a chart that is open without saying so",
  ignore: !hasHelm,
  fn: async () => {
    const wrong = [
      ["replica=3", "replica"],
      ["replicas=many", "/replicas"],
      ["settings.CACHE_MAX_BITES=1GiB", "CACHE_MAX_BITES"],
      ["settings.CACHE_MAX_SIZE=1000000", "want string"],
      ["tls.secret=", "insecure: true"],
    ];
    for (const [value, words] of wrong) {
      const { status, text } = await helm(["template", "cache"], [value]);
      assertEquals(status, 1, value);
      assertStringIncludes(text, words);
    }
  },
});

Deno.test({
  name: "a server starts with the settings of the chart, its probes answer without TLS, and its metrics with TLS alone",
  ignore: !hasHelm || !hasOpenssl,
  fn: async () => {
    await using authority = await Authority.make();
    const names = ofKind(await rendered(FULL), "Certificate").spec.dnsNames.map((name: string) => `,DNS:${name}`);
    const { certFile, keyFile } = await authority.issue("cache", { names: names.join("") });
    await Deno.writeTextFile(`${authority.folder}/token`, (await run("cli.ts", ["token"])).out, { mode: 0o440 });
    const mounted: Record<string, string> = {
      "auth/token": `${authority.folder}/token`,
      "tls/tls.crt": certFile,
      "tls/tls.key": keyFile,
      "tls/ca.crt": authority.caFile,
    };
    const [port, httpPort] = [freePort(), freePort()];
    const { containers: [{ env, args, livenessProbe, readinessProbe }] } =
      ofKind(await rendered(["settings.READY_AFTER=1s"]), "StatefulSet").spec.template.spec;
    const settings = env.map(({ name, value }: { name: string; value: string }) => {
      const file = value.replace("/run/secrets/ormuco-cache/", "");
      return [name, mounted[file] ?? value.replace(/:11142$/, `:${port}`).replace(/:9100$/, `:${httpPort}`)];
    });
    assertEquals(args[0], "serve");
    await using _server = await serve(args.slice(1), { env: Object.fromEntries(settings) });
    assertEquals((await askHttp(httpPort, livenessProbe.httpGet.path))?.status, 200);
    await until("it is ready", async () => (await askHttp(httpPort, readinessProbe.httpGet.path))?.status === 200);
    assertEquals((await askHttp(httpPort, "/metrics"))?.status, 403);
    const within = { env: Object.fromEntries(settings) };
    const stored = await run("cli.ts", ["store", "key", "value", "--server", `127.0.0.1:${port}`], within);
    assertEquals([stored.status, stored.err], [0, ""], "as kubectl exec does it");
  },
});

Deno.test("the chart has the version of the cache, and takes the settings that a server looks at, but no secret", () => {
  const { version, appVersion } = parse(text("deploy/chart/Chart.yaml"));
  assertEquals([version, appVersion], [JSON.parse(text("deno.json")).version, JSON.parse(text("deno.json")).version]);
  const { properties } = JSON.parse(text("deploy/chart/values.schema.json"));
  const names = SERVER_SETTING_NAMES.filter((name) => !/_TOKEN$/.test(name));
  assertEquals(properties.settings.propertyNames.enum, names);
  assert(names.includes("AUTH_TOKEN_FILE"));
});
