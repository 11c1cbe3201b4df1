/** A software bill of materials, in CycloneDX's format, of what Deno has written into a lock file. It reads and writes no file. */

/** What a lock file of Deno says of packages; https://docs.deno.com/runtime/fundamentals/modules/#integrity-checking-and-lock-files. */
export interface Lock {
  readonly version: string;
  /** What was asked for, as `npm:acme-client@^5.4.0`, and the version that it came to. */
  readonly specifiers: Readonly<Record<string, string>>;
  readonly jsr?: Readonly<Record<string, Locked>>;
  readonly npm?: Readonly<Record<string, Locked>>;
}

interface Locked {
  readonly integrity: string;
  /** Names, with a version where there are several; on JSR with `jsr:` or `npm:` before them. */
  readonly dependencies?: readonly string[];
}

/** The software whose bill it is. */
export interface Subject {
  readonly version: string;
  readonly deno: string;
  readonly v8: string;
  /** When the bill was made, as `2026-01-31T12:00:00Z`. */
  readonly time: string;
}

/** A part, as CycloneDX has it. */
interface Component {
  readonly type: "application" | "library" | "platform";
  readonly "bom-ref": string;
  readonly name: string;
  readonly version: string;
  readonly [more: string]: unknown;
}

/** A package of a registry. */
interface Package {
  readonly registry: "jsr" | "npm";
  /** Its name there, and its version. */
  readonly path: string;
  readonly version: string;
  readonly locked: Locked;
  readonly ref: string;
}

const LOCK_VERSION = "5";

/** The bill: Deno and each package, with the digests by which they were checked and what they depend on. */
export function billOfMaterials(lock: Lock, { version, deno, v8, time }: Subject): object {
  if (lock.version !== LOCK_VERSION) {
    throw new RangeError(`Cannot read lock file: its version must be ${LOCK_VERSION}: received ${lock.version}`);
  }
  const packages = [...packagesOf("jsr", lock.jsr), ...packagesOf("npm", lock.npm)];
  const own: Component = { type: "application", "bom-ref": "ormuco-cache", name: "ormuco-cache", version };
  const asked = Object.keys(lock.specifiers).map((specifier) => refOf(specifier, lock, packages));
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { timestamp: time, component: { ...own, licenses: [{ license: { id: "MIT" } }] } },
    components: [
      { type: "platform", "bom-ref": "deno", name: "deno", version: deno, purl: `pkg:github/denoland/deno@v${deno}` },
      { type: "library", "bom-ref": "v8", name: "v8", version: v8 },
      ...packages.map(componentOf),
    ],
    dependencies: [
      { ref: "ormuco-cache", dependsOn: unique(["deno", ...asked]) },
      { ref: "deno", dependsOn: ["v8"] },
      ...packages.map(({ ref, registry, locked: { dependencies = [] } }) => ({
        ref,
        dependsOn: unique(
          dependencies.map((name) => refOf(/^(jsr|npm):/.test(name) ? name : `${registry}:${name}`, lock, packages)),
        ),
      })),
    ],
  };
}

function packagesOf(registry: "jsr" | "npm", locked: Readonly<Record<string, Locked>> = {}): Package[] {
  return Object.entries(locked).map(([key, locked]) => {
    const [, path, version] = /^(.+?)@([^@_]+)/.exec(key)!; // behind the version may stand those of peer dependencies
    return { registry, path, version, locked, ref: `${registry}:${key}` };
  });
}

function componentOf({ registry, path, version, locked: { integrity }, ref }: Package): Component {
  const [name, group] = path.split("/").reverse();
  const component: Component = { type: "library", "bom-ref": ref, ...(group && { group }), name, version };
  if (registry === "npm") {
    return { ...component, purl: `pkg:npm/${path.replace("@", "%40")}@${version}`, hashes: [hashOf(integrity)] };
  }
  // JSR's digest is that of a version's list of files, each with a digest of its own.
  const url = `https://jsr.io/${path}/${version}_meta.json`;
  return {
    ...component,
    externalReferences: [{ type: "distribution", url, hashes: [{ alg: "SHA-256", content: integrity }] }],
  };
}

/** A digest of npm's, which is in base64, in hexadecimal digits. */
function hashOf(integrity: string): { alg: string; content: string } {
  const [, bits, digest] = /^sha(\d+)-(.*)$/.exec(integrity)!;
  const bytes = Array.from(atob(digest), (letter) => letter.charCodeAt(0));
  return { alg: `SHA-${bits}`, content: bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("") };
}

/** Which package is meant by what was asked for, by a name and a version, or by the name of what has one version only. */
function refOf(name: string, { specifiers }: Lock, packages: readonly Package[]): string {
  const bare = name.replace(/(?<=.)@[^@/]*$/, "");
  const wanted = specifiers[name] === undefined ? name : `${bare}@${specifiers[name]}`;
  const found = packages.filter(({ ref, registry, path }) => ref === wanted || `${registry}:${path}` === wanted);
  if (found.length === 1) return found[0].ref;
  throw new RangeError(`Cannot read lock file: ${name} must be one package of it: received ${found.length}`);
}

function unique(refs: readonly string[]): string[] {
  return [...new Set(refs)];
}
