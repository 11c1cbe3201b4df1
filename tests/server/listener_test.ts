/** A server's port: what becomes of the file of a unix socket. */

import { assertEquals } from "@std/assert";
import { Listener } from "../../lib/server/listener.ts";

Deno.test({
  name: "Listener.stop() removes the file of its unix socket, but none that has taken its place",
  ignore: Deno.build.os === "windows", // it has no unix sockets
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/cache.sock`;
    const isThere = () => Deno.stat(path).then(() => true, () => false);
    const [old, next] = [1, 2].map(() => new Listener({ transport: "unix", path }));
    try {
      await old.start();
      old.close(); // it still waits for clients to read what was sent to them
      await next.start();
      old.stop();
      old.stop();
      const [near, far] = await Promise.all([Deno.connect({ transport: "unix", path }), next.accept()]);
      near.close();
      far.close();
      next.stop();
      assertEquals(await isThere(), false);
      await old.start();
      await Deno.remove(path);
      await next.start();
      old.stop();
      (await Deno.connect({ transport: "unix", path })).close();
      (await next.accept()).close();
      next.stop();
      await old.start();
      await Deno.remove(path);
      await Deno.writeTextFile(path, "another's");
      old.stop();
      assertEquals(await Deno.readTextFile(path), "another's");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
