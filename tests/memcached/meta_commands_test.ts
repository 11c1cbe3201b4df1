/** memcached's meta commands, in the text protocol. */

import { META_DIALOGUES } from "../support/memcached_dialogues.ts";
import { assertAnswers } from "../support/memcached_talk.ts";

for (const dialogue of META_DIALOGUES) {
  Deno.test(`MetaCommands answers ${dialogue[0]} as memcached does`, () => assertAnswers(dialogue));
}
