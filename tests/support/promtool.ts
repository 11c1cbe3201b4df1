/** Prometheus' own tool, which reads rules and metrics; and what an expression names, read by hand. */

/** Whether promtool is there. */
export const hasPromtool: boolean = await promtool(["--version"]).then(() => true, () => false);
if (!hasPromtool) console.log("Not tested: promtool, because it is not installed");

/** Runs it. Returns what it says; throws if it finds a fault. */
export async function promtool(args: string[], input = "", cwd?: string): Promise<string> {
  const child = new Deno.Command("promtool", { args, cwd, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(Uint8Array.from(input, (letter) => letter.charCodeAt(0)));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  if (!success) throw new Error(`promtool ${args.join(" ")}: ${said}`);
  return said;
}

/** A metric that an expression names, with the labels that it asks for: as they are written if they are to be equal, else `undefined`. */
export interface Named {
  readonly metric: string;
  readonly labels: ReadonlyMap<string, string | undefined>;
}

const KEYWORDS = new Set(["and", "or", "unless", "bool", "offset", "inf", "nan"]);

/** The metrics in an expression: the words that are no function, no keyword and no label. */
export function namedIn(expression: string): Named[] {
  const bare = expression
    .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, " ")
    .replace(/\[[^\]]*\]/g, " ");
  return [...bare.matchAll(/"[^"]*"|([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(\(|\{[^}]*\})?/g)].flatMap(
    ([, metric, after = ""]) => {
      if (metric === undefined || after === "(" || KEYWORDS.has(metric.toLowerCase())) return [];
      const labels = [...after.matchAll(/([a-zA-Z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g)];
      return [{
        metric,
        labels: new Map(labels.map(([, label, how, text]) => [label, how === "=" ? text : undefined])),
      }];
    },
  );
}
