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
