/** What the program is called where it runs, for messages that say how to call it. */

import { SOFTWARE } from "../base/software.ts";

/** How a program was started. */
export interface Started {
  /** Whether it was compiled to an executable, and the path of the executable. */
  readonly isStandalone: boolean;
  readonly execPath: () => string;
  /** The URL of the main module, and the working directory. */
  readonly main: string;
  readonly folder: () => string;
}

/**
 * Returns the name of a compiled executable, `cli.ts` in the folder of that file, and the name of this software elsewhere: there
 * it has been installed.
 */
export function programName(started: Started = STARTED): string {
  if (started.isStandalone) return started.execPath().replace(/^.*[/\\]/, "").replace(/\.exe$/i, "");
  const [, folder, file] = /^file:\/\/(?:\/(?=[A-Za-z]:))?(.*)\/([^/]+)$/.exec(started.main) ?? [];
  const isHere = folder !== undefined && decodeURIComponent(folder) === started.folder().replaceAll("\\", "/");
  return isHere ? file : SOFTWARE.split("/")[0];
}

const STARTED: Started = {
  isStandalone: Deno.build.standalone,
  execPath: Deno.execPath,
  main: Deno.mainModule,
  folder: Deno.cwd,
};
