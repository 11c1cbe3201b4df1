/** Encrypted connections of others' clients: openssl, and memcached's in Python and Ruby where they are installed. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Authority, hasOpenssl } from "../support/certificates.ts";
import { portOf } from "../support/ports.ts";
import { serve } from "../support/processes.ts";
import { startedServer } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

const ignore = !hasOpenssl;
/** An answer that is not found by chance in what openssl prints of certificates and sessions. */
const ANSWERED = /STORED/;
const PYTHON = "/usr/bin/python3";
const hasPymemcache = await succeeds("python3-pymemcache", PYTHON, ["-c", "import pymemcache"]);
const hasDalli = await succeeds("ruby-dalli", "ruby", ["-e", "require 'dalli'"]);

async function succeeds(debianPackage: string, command: string, args: string[]): Promise<boolean> {
  const isThere = await execute(command, args).then(({ code }) => code === 0, () => false);
  if (!isThere) console.log(`Not tested: ${debianPackage}, which is not installed (apt-get install ${debianPackage})`);
  return isThere;
}

async function execute(command: string, args: string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** Says something by `openssl s_client`, waits for an answer, and returns all that it has printed. */
async function bySClient(port: number, request: string, answer: RegExp, args: string[]): Promise<string> {
  const child = new Deno.Command("openssl", {
    args: ["s_client", "-connect", `127.0.0.1:${port}`, ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let said = "";
  const listen = async (stream: ReadableStream<Uint8Array>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)) {
      said += text;
    }
  };
  const listening = [listen(child.stdout), listen(child.stderr)];
  let hasEnded = false;
  const ended = child.status.then(() => hasEnded = true);
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(request)).catch(() => {});
  await until("it has an answer, or ends", () => hasEnded || answer.test(said));
  await writer.close().catch(() => {});
  await Promise.all([ended, ...listening]);
  return said;
}

Deno.test({
  name: "openssl s_client speaks TLS 1.2 and 1.3 with a server process, and nothing older",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    const { certFile, keyFile } = await authority.issue();
    await using server = await serve([
      "--listen",
      "127.0.0.1:0",
      "--tls-cert",
      certFile,
      "--tls-key",
      keyFile,
      "--tls",
    ]);
    const believing = ["-CAfile", authority.caFile, "-verify_return_error", "-verify_hostname", "localhost"];
    for (const version of ["-tls1_2", "-tls1_3"]) {
      const said = await bySClient(portOf(server.address), "set a 0 0 1\r\nb\r\n", /STORED/, [version, ...believing]);
      assertStringIncludes(said, "Verify return code: 0 (ok)");
      assertStringIncludes(said, "STORED");
    }
    const old = ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"];
    const refused = await bySClient(portOf(server.address), "version\r\n", /alert/, old);
    assertMatch(refused, /alert (handshake failure|protocol version)/);
    const { status } = await server.stop();
    assertEquals(status, 0);
  },
});

Deno.test({
  name: "a session that began with a server which wants no certificate opens no other of the same process",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    const tls = await authority.files();
    await using open = await startedServer({ tls });
    await using strict = await startedServer({ tls: { ...tls, clientCaFile: authority.caFile } });
    const session = `${authority.folder}/session`;
    const { certFile, keyFile } = await authority.issue("alice");
    for (const version of ["-tls1_2", "-tls1_3"]) {
      const keep = [version, "-sess_out", session];
      assertMatch(await bySClient(portOf(open.address!), "set a 0 0 1\r\nb\r\n", ANSWERED, keep), ANSWERED);
      assertEquals((await Deno.stat(session)).isFile, true);
      const resumed = await bySClient(portOf(strict.address!), "set a 0 0 1\r\nb\r\n", ANSWERED, [
        version,
        "-sess_in",
        session,
      ]);
      assertEquals(ANSWERED.test(resumed), false, resumed);
      const known = [version, "-cert", certFile, "-key", keyFile];
      assertMatch(await bySClient(portOf(strict.address!), "set a 0 0 1\r\nb\r\n", ANSWERED, known), ANSWERED);
      await Deno.remove(session);
    }
    assertEquals(strict.stats().tlsFailures, 2);
  },
});

Deno.test({
  name: "pymemcache stores and retrieves over TLS",
  ignore: ignore || !hasPymemcache,
  fn: async () => {
    await using authority = await Authority.make();
    await using server = await startedServer({ tls: { ...await authority.files(), required: true } });
    const program = `
import ssl, sys
from pymemcache.client.base import Client
context = ssl.create_default_context(cafile=sys.argv[2])
cache = Client(("localhost", int(sys.argv[1])), tls_context=context)
big = b"x" * 200000
assert cache.set("a", b"one") and cache.set("big", big)
assert cache.get("a") == b"one" and cache.get("big") == big
assert cache.get_many(["a", "none"]) == {"a": b"one"}
print("done")`;
    const { code, text } = await execute(PYTHON, ["-c", program, `${portOf(server.address!)}`, authority.caFile]);
    assertEquals([code, text], [0, "done\n"]);
  },
});

Deno.test({
  name: "dalli stores and retrieves over TLS, in memcached's binary protocol and in meta",
  ignore: ignore || !hasDalli,
  fn: async () => {
    await using authority = await Authority.make();
    await using server = await startedServer({ tls: { ...await authority.files(), required: true } });
    const program = `
require "dalli"
require "openssl"
context = OpenSSL::SSL::SSLContext.new
context.ca_file = ARGV[1]
context.ssl_version = :SSLv23
context.verify_hostname = true
context.verify_mode = OpenSSL::SSL::VERIFY_PEER
[:binary, :meta].each do |protocol|
  cache = Dalli::Client.new("localhost:#{ARGV[0]}", ssl_context: context, protocol: protocol)
  big = "x" * 200_000
  cache.set("a", "one")
  cache.set("big", big)
  raise "a" unless cache.get("a") == "one"
  raise "big" unless cache.get("big") == big
  cache.close
end
puts "done"`;
    const { code, text } = await execute("ruby", ["-e", program, "--", `${portOf(server.address!)}`, authority.caFile]);
    assertEquals([code, text], [0, "done\n"]);
  },
});
