/** Certificates in PEM: what a text holds, and who issued whom. It knows no files and no connections. */

import { X509Certificate } from "node:crypto";

/** Certificates between a client's and its authority at most. */
const MOST_BETWEEN = 4;

/** Returns the certificates of a text in PEM, one or more. @throws {RangeError} If one of them is damaged. */
export function certificatesIn(setting: string, pem: string): X509Certificate[] {
  const blocks = pem.split(/(?=-----BEGIN CERTIFICATE-----)/).filter((block) =>
    block.startsWith("-----BEGIN CERTIFICATE")
  );
  if (blocks.length === 0) throw new RangeError(`${setting} holds no certificate in PEM`);
  return blocks.map((block) =>
    parsed(`${setting} holds a certificate of which only a part is there`, () => {
      if (!/-----END CERTIFICATE-----/.test(block)) throw new Error("its end is missing");
      return new X509Certificate(block);
    })
  );
}

/** Whether one of some authorities has issued a certificate, or one of those in between that were shown with it, and all are valid today. */
export function isIssuedBy(certificate: X509Certificate | undefined, authorities: readonly X509Certificate[]): boolean {
  let issued = certificate;
  for (let between = 0; issued !== undefined && isValid(issued) && between <= MOST_BETWEEN; between++) {
    const found = issued;
    if (authorities.some((authority) => isIssuer(authority, found))) return true;
    const { issuerCertificate } = issued;
    issued = issuerCertificate !== undefined && isIssuer(issuerCertificate, issued) ? issuerCertificate : undefined;
  }
  return false;
}

/**
 * Returns the names of hosts in a certificate (`dNSName`, RFC 5280, 4.2.1.6), read from its bytes. The text that node:crypto makes of
 * all alternative names does not tell `email:a, DNS:b`, one name, from two.
 */
export function hostNamesIn(certificate: Uint8Array): string[] {
  const [tbs] = partsOf(partsOf(certificate)[0].content);
  const extensions = partsOf(tbs.content).find(({ tag }) => tag === EXTENSIONS);
  if (extensions === undefined) return [];
  const names: string[] = [];
  for (const extension of partsOf(partsOf(extensions.content)[0].content)) {
    const [id, ...rest] = partsOf(extension.content);
    if (id.content.join(".") !== ALTERNATIVE_NAMES) continue;
    const [all] = partsOf(rest.at(-1)!.content);
    for (const { tag, content } of partsOf(all.content)) {
      if (tag === HOST_NAME) names.push(String.fromCharCode(...content));
    }
  }
  return names;
}

/** Tags of DER: of the extensions in a certificate, and of a host's name in an extension. */
const [EXTENSIONS, HOST_NAME] = [0xa3, 0x82];
/** The bytes of 2.5.29.17, an extension's number. */
const ALTERNATIVE_NAMES = "85.29.17";

interface Part {
  readonly tag: number;
  readonly content: Uint8Array;
}

/** The parts that stand side by side in DER. Whoever has let the certificate through has checked that it is DER. */
function partsOf(der: Uint8Array): Part[] {
  const parts: Part[] = [];
  for (let at = 0; at < der.length;) {
    const tag = der[at];
    let [length, from] = [der[at + 1], at + 2];
    if (length >= 0x80) {
      const to = from + (length & 0x7f);
      for (length = 0; from < to; from++) length = 256 * length + der[from];
    }
    if (!(from + length <= der.length)) throw new RangeError("a certificate that ends within a part of it");
    parts.push({ tag, content: der.subarray(from, from + length) });
    at = from + length;
  }
  return parts;
}

function isIssuer(issuer: X509Certificate, issued: X509Certificate): boolean {
  return issuer.ca && issued.checkIssued(issuer) && issued.verify(issuer.publicKey);
}

function isValid({ validFrom, validTo }: X509Certificate): boolean {
  const nowMs = Date.now();
  return Date.parse(validFrom) <= nowMs && nowMs < Date.parse(validTo);
}

/** Returns what `parse` does; the error says `what` is wrong. */
export function parsed<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new RangeError(`${what}: ${(error as Error).message}`, { cause: error });
  }
}
