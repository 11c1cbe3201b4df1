/**
 * Documents of Kubernetes, judged by the npm package kubernetes-models and its like for others' kinds: their validators, which pass
 * over fields that they do not know, and their types, by which the type check refuses those in what is written out as a literal.
 */

import { CONFIG, runDeno } from "./processes.ts";

const ROOT = new URL("../../", import.meta.url);

/** A document, as far as all are alike. */
export interface KubernetesDocument {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  // deno-lint-ignore no-explicit-any -- what stands in it depends on its kind
  readonly spec: any;
}

/** The packages of groups that are not Kubernetes' own. */
const PACKAGES: Readonly<Record<string, string>> = {
  "monitoring.coreos.com": "@kubernetes-models/prometheus-operator",
  "cert-manager.io": "@kubernetes-models/cert-manager",
};

/** The module that describes a kind. */
function moduleOf({ apiVersion, kind }: KubernetesDocument): string {
  const [group] = apiVersion.split("/");
  return `${PACKAGES[group] ?? "kubernetes-models"}/${apiVersion}/${kind}`;
}

/** What is wrong with documents: nothing where the result is empty. Its text names the fields. */
export async function faultsIn(documents: readonly KubernetesDocument[]): Promise<string> {
  const faults: string[] = [];
  for (const document of documents) {
    const { [document.kind]: Model } = await import(moduleOf(document)); // which downloads the package, for the type check too
    try {
      new Model(document).validate();
    } catch (error) {
      faults.push(`${document.kind}: ${(error as Error).message}`);
    }
  }
  return [...faults, await typeFaultsIn(documents)].join("\n").trim();
}

async function typeFaultsIn(documents: readonly KubernetesDocument[]): Promise<string> {
  const program = documents.flatMap((document, i) => [
    `import type { I${document.kind} as Type${i} } from "${moduleOf(document)}";`,
    `export const document${i}: Type${i} = ${JSON.stringify(document, undefined, 1)};`,
  ]);
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/documents.ts`, program.join("\n"));
    const config = new URL(CONFIG, ROOT).pathname;
    const { status, err } = await runDeno(["check", "--quiet", "-c", config, `${folder}/documents.ts`]);
    return status === 0 ? "" : err || `status ${status}`;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
