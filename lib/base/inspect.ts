/** What a debugger or `console.log` shows of an object: facts that help, and no secret. It prints nothing. */

/** The method that Deno calls. */
export const INSPECT: unique symbol = Symbol.for("Deno.customInspect");

/** Formats the name of a class and facts of an object of it. */
export function inspected(
  name: string,
  facts: object,
  inspect: (value: unknown, options?: Record<string, unknown>) => string,
  options?: Record<string, unknown>,
): string {
  return `${name} ${inspect(facts, options)}`;
}
