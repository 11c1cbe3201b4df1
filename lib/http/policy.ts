/** What a browser may do with a page: run and use what stands in it, ask the server that gave it, and nothing else. */

/**
 * Returns the texts of a page's scripts and styles, of which the policy names the hashes. A page has `<script>` and `<style>`
 * without attributes; anything else is not run.
 */
export function partsOf(page: string, element: "script" | "style"): string[] {
  return [...page.matchAll(new RegExp(`<${element}>([^]*?)</${element}>`, "g"))].map(([, text]) => text);
}

/** Returns the policy of a page, from the SHA-256 of each of its scripts and styles, in base64. */
export function policyOf(hashes: { readonly script: readonly string[]; readonly style: readonly string[] }): string {
  const list = (of: readonly string[]) => of.length === 0 ? "'none'" : of.map((hash) => `'sha256-${hash}'`).join(" ");
  const rules = [
    "default-src 'none'",
    `script-src ${list(hashes.script)}`,
    `style-src ${list(hashes.style)}`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return rules.join("; ");
}
