/** Certificates for tests, made as docs/tls.md makes them: by the openssl command. */

import { isOldDeno } from "./deno_version.ts";

/** Whether openssl is there, and TLS. */
export const hasOpenssl: boolean = !isOldDeno && await openssl(["version"]).then(() => true, () => false);
if (!hasOpenssl) {
  console.log("Not tested: TLS, because the command openssl is not installed, or Deno is too old for it");
}

/** Files of a certificate. */
export interface Issued {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/** What a certificate is to say. */
export interface IssueOptions {
  /** Name of the files, new ones by default. */
  file?: string;
  /** Days that it is valid from now on; below 0 it has expired. */
  days?: number;
  /** Names beside `localhost` and 127.0.0.1, as openssl writes them. */
  names?: string;
  /** Whether it is an authority's. */
  isAuthority?: boolean;
}

/** A private authority in a folder of its own. */
export class Authority implements AsyncDisposable {
  readonly caFile: string;
  readonly ca: string;
  readonly folder: string;
  #count = 0;
  #serial = 0;

  private constructor(folder: string) {
    this.folder = folder;
    this.caFile = `${folder}/ca.pem`;
    this.ca = Deno.readTextFileSync(this.caFile);
  }

  static async make(): Promise<Authority> {
    const folder = await Deno.makeTempDir();
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key"];
    await openssl(["req", "-x509", ...key, "-out", "ca.pem", "-days", "30", "-subj", "/CN=Cache authority"], folder);
    return new Authority(folder);
  }

  /** Issues a certificate. */
  async issue(subject = "localhost", options: IssueOptions = {}): Promise<Issued> {
    const { file = `leaf${this.#count++}`, days = 20, names = "", isAuthority = false } = options;
    const [certFile, keyFile] = [`${this.folder}/${file}.pem`, `${this.folder}/${file}.key`];
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", keyFile];
    await openssl(["req", ...key, "-out", `${file}.csr`, "-subj", `/CN=${subject}`], this.folder);
    const extensions = `basicConstraints=CA:${isAuthority ? "TRUE" : "FALSE"}\n` +
      `subjectAltName=DNS:localhost,IP:127.0.0.1${names}\n`;
    await Deno.writeTextFile(`${this.folder}/${file}.ext`, extensions);
    const by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", `${++this.#serial}`]; // a file of numbers would be shared
    const lasting = ["-days", `${days}`, "-extfile", `${file}.ext`];
    await openssl(["x509", "-req", "-in", `${file}.csr`, ...by, ...lasting, "-out", certFile], this.folder);
    const [cert, text] = await Promise.all([certFile, keyFile].map((path) => Deno.readTextFile(path)));
    return { certFile, keyFile, cert, key: text };
  }

  /** Issues a certificate, and returns its files alone, as a server takes them. */
  async files(subject?: string, options?: IssueOptions): Promise<Pick<Issued, "certFile" | "keyFile">> {
    const { certFile, keyFile } = await this.issue(subject, options);
    return { certFile, keyFile };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Deno.remove(this.folder, { recursive: true });
  }
}

async function openssl(args: string[], cwd?: string): Promise<void> {
  const { code, stderr } = await new Deno.Command("openssl", {
    args,
    cwd,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  })
    .output();
  if (code !== 0) throw new Error(`openssl ${args[0]}: ${new TextDecoder().decode(stderr)}`);
}
