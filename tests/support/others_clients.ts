/** Programs of others that use a server: whether they are there, and what they say. */

/** How a command of another ended. */
export interface Outcome {
  status: number;
  text: string;
}

/** Runs a command; a status of -1 is one that cannot be run. */
export async function execute(command: string, args: string[]): Promise<Outcome> {
  try {
    const { code, stdout, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
    const text = new TextDecoder();
    return { status: code, text: text.decode(stdout) + text.decode(stderr) };
  } catch (error) {
    return { status: -1, text: String(error) };
  }
}

/** Whether a command that needs a package succeeds; says so if not. */
export async function has(debianPackage: string, command: string, ...args: string[]): Promise<boolean> {
  const { status } = await execute(command, args);
  if (status !== 0) {
    console.log(`Not tested: ${debianPackage}, which is not installed (apt-get install ${debianPackage})`);
  }
  return status === 0;
}
