/**
 * memcached's binary protocol: commands in packets that state their length. It answers as memcached does, byte for byte
 * except as docs/memcached.md lists. It knows where packets end; binary_commands.ts knows what they say.
 */

import { MAX_MEMCACHED_KEY_BYTES } from "../base/limits.ts";
import {
  type Allowance,
  type ConnectionContext,
  type HandlerState,
  OUTPUT_BYTES,
  type ProtocolHandler,
  STRANGER_BYTES,
} from "../wire/protocol_handler.ts";
import type { Access } from "../wire/access.ts";
import type { InputBuffer } from "../wire/input_buffer.ts";
import type { Mode } from "./commands.ts";
import { BinaryCommands } from "./binary_commands.ts";
import { needsOfOpcode } from "./binary_gate.ts";
import {
  BinaryReplies,
  BinaryRequest,
  type Failure,
  HEADER_BYTES,
  OPCODE,
  REQUEST_MAGIC,
  STATUS,
} from "./binary_packet.ts";
import { Sasl } from "./sasl.ts";
import type { MemcachedHost } from "./statistics.ts";
import type { OutputBuffer } from "../wire/output_buffer.ts";
import type { ByteSpan } from "../base/byte_span.ts";
import { rolesText } from "../base/roles.ts";

export { REQUEST_MAGIC };

const { get: GET, getk: GETK, set: SET, add: ADD, replace: REPLACE, append: APPEND, prepend: PREPEND } = OPCODE;
const { delete: DELETE, increment: INCREMENT, decrement: DECREMENT, touch: TOUCH, gat: GAT, gatk: GATK } = OPCODE;
const { quit: QUIT, flush: FLUSH, noop: NOOP, version: VERSION, stat: STAT } = OPCODE;
const { saslMechanisms: SASL_MECHANISMS, saslAuth: SASL_AUTH, saslStep: SASL_STEP } = OPCODE;
/** Commands that are answered only in some cases, each with the one that does the same and is always answered. */
const QUIET: readonly (readonly [number, number])[] = [
  [0x09, GET],
  [0x0d, GETK],
  [0x11, SET],
  [0x12, ADD],
  [0x13, REPLACE],
  [0x14, DELETE],
  [0x15, INCREMENT],
  [0x16, DECREMENT],
  [0x17, QUIT],
  [0x18, FLUSH],
  [0x19, APPEND],
  [0x1a, PREPEND],
  [0x1e, GAT],
  [0x24, GATK],
];
/** For every opcode, the command of equal effect that is always answered. */
const LOUD: Uint8Array = Uint8Array.from({ length: 256 }, (_, opcode) => opcode);
for (const [quiet, loud] of QUIET) LOUD[quiet] = loud;

/** Bytes of flags and expiry. */
const STORE_EXTRAS_BYTES = 8;

/** Answers one client in memcached's binary protocol. */
export class BinaryHandler implements ProtocolHandler {
  readonly #host: MemcachedHost;
  readonly #input: InputBuffer;
  readonly #output: OutputBuffer;
  readonly #access: Access;
  readonly #allowance: Allowance;
  readonly #request: BinaryRequest;
  readonly #commands: BinaryCommands;
  readonly #replies: BinaryReplies;
  /** Asks who the client is; `undefined` where nobody is asked. */
  #sasl: Sasl | undefined;
  /** Bytes that have been taken of a client that has not said who it is. */
  #strangerBytes = 0;
  readonly #value: ByteSpan = { bytes: new Uint8Array(0), from: 0, to: 0 };

  constructor(host: MemcachedHost, { access, input, output, allowance }: ConnectionContext) {
    this.#host = host;
    this.#access = access;
    this.#input = input;
    this.#output = output;
    this.#allowance = allowance;
    this.#request = new BinaryRequest(input);
    this.#replies = new BinaryReplies(this.#request, output);
    this.#commands = new BinaryCommands(host, this.#request, output);
    if (access.wantsCredential) this.#sasl = new Sasl(access, this.#replies);
  }

  /** Answers the commands that have arrived. */
  run(): HandlerState {
    const [input, allowance, memcached] = [this.#input, this.#allowance, this.#host.memcached];
    while (true) {
      if (this.#sasl?.isChecking && !this.#sasl.answer()) return "waiting";
      if (this.#output.collectedBytes >= OUTPUT_BYTES || allowance.isOver) return "output-full";
      if (input.from === input.to) return "needs-input";
      const state = this.#command();
      allowance.spend(1 + memcached.takeWork());
      if (state !== undefined) return state;
    }
  }

  /** Does nothing: this protocol announces no end of a connection. */
  close(): void {}

  /** Answers a command that has arrived whole. Returns what must happen before the next command, if anything. */
  #command(): HandlerState | undefined {
    const input = this.#input;
    const request = this.#request;
    const { from } = input;
    if (input.firstByte() !== REQUEST_MAGIC) {
      this.#host.counters.protocolErrors++;
      return "closing";
    }
    if (input.to - from < HEADER_BYTES) return "needs-input";
    request.read();
    const isStranger = !this.#access.isKnown;
    const packetBytes = Math.max(HEADER_BYTES + request.bodyBytes, request.headBytes);
    if (isStranger && this.#strangerBytes + packetBytes > STRANGER_BYTES) return this.#refuse(STATUS.unauthenticated);
    if (input.to - from < request.headBytes) return "needs-input";
    input.from += request.headBytes;
    const state = this.#dispatch(request);
    if (state === "needs-input") {
      input.from = from; // the packet is read again when its value is there
      return state;
    }
    input.announced = 0;
    if (isStranger) this.#strangerBytes += packetBytes;
    this.#host.counters.requests++;
    return state;
  }

  #dispatch({ opcode, keyBytes, valueBytes }: BinaryRequest): HandlerState | undefined {
    const commands = this.#commands;
    if (valueBytes < 0) return this.#refuse(STATUS.unknown);
    if (keyBytes > MAX_MEMCACHED_KEY_BYTES) return this.#refuse();
    const loud = LOUD[opcode];
    commands.isQuiet = loud !== opcode;
    if (!this.#access.allowsAll && (loud < SASL_MECHANISMS || loud > SASL_STEP)) {
      if ((this.#access.allowed & needsOfOpcode(loud, this.#request.key)) === 0) return this.#refuseRole();
    }
    switch (loud) {
      case GET:
        return this.#done(commands.get(false));
      case GETK:
        return this.#done(commands.get(true));
      case SET:
        return this.#set("set", STORE_EXTRAS_BYTES);
      case ADD:
        return this.#set("add", STORE_EXTRAS_BYTES);
      case REPLACE:
        return this.#set("replace", STORE_EXTRAS_BYTES);
      case APPEND:
        return this.#set("append", 0);
      case PREPEND:
        return this.#set("prepend", 0);
      case DELETE:
        return this.#done(commands.delete());
      case INCREMENT:
        return this.#done(commands.arithmetic(false));
      case DECREMENT:
        return this.#done(commands.arithmetic(true));
      case TOUCH:
        return this.#done(commands.touch(false, false));
      case GAT:
        return this.#done(commands.touch(false, true));
      case GATK:
        return this.#done(commands.touch(true, true));
      case FLUSH:
        return this.#done(commands.flush());
      case STAT:
        return this.#done(commands.stat());
      default:
        return this.#dispatchRare(loud);
    }
  }

  #dispatchRare(loud: number): HandlerState | undefined {
    const commands = this.#commands;
    const { extrasBytes, keyBytes, bodyBytes } = this.#request;
    switch (loud) {
      case NOOP:
        return bodyBytes === 0 ? void commands.succeed() : this.#refuse();
      case VERSION:
        return bodyBytes === 0 ? void commands.version() : this.#refuse();
      case QUIT:
        if (bodyBytes > 0) return this.#refuse();
        commands.succeed();
        return "closing";
      case SASL_MECHANISMS:
        if (bodyBytes > 0) return this.#refuse();
        return this.#sasl === undefined ? this.#unknown() : void this.#sasl.list();
      case SASL_AUTH:
      case SASL_STEP:
        if (extrasBytes > 0 || keyBytes === 0) return this.#refuse();
        return this.#sasl === undefined ? this.#unknown() : this.#authenticate(this.#sasl, loud === SASL_AUTH);
      default:
        return this.#unknown();
    }
  }

  #done(hasForm: boolean): HandlerState | undefined {
    return hasForm ? undefined : this.#refuse();
  }

  /** Refuses a packet that breaks the protocol, and ends the connection. */
  #refuse(status: Failure = STATUS.invalid): HandlerState {
    this.#commands.fail(status);
    this.#host.counters.protocolErrors++;
    return "closing";
  }

  /** Refuses a command that the client's roles do not allow; a stranger's connection ends, as memcached's does. */
  #refuseRole(): HandlerState | undefined {
    const { isKnown, roles } = this.#access;
    this.#host.counters.refusals++;
    this.#replies.fail(STATUS.unauthenticated, isKnown ? `not allowed for ${rolesText(roles)}` : undefined);
    if (!isKnown) return "closing";
    this.#input.skip(this.#request.valueBytes);
  }

  /** Takes a step of SASL. */
  #authenticate(sasl: Sasl, isFirst: boolean): HandlerState | undefined {
    const input = this.#input;
    const { key, valueBytes, headBytes } = this.#request;
    if (valueBytes > STRANGER_BYTES) return this.#refuse(STATUS.unauthenticated);
    if (input.to - input.from < valueBytes) {
      input.announced = headBytes + valueBytes;
      return "needs-input";
    }
    const from = input.from;
    input.from += valueBytes;
    sasl.step(isFirst, key.bytes.subarray(key.from, key.to), input.bytes.subarray(from, from + valueBytes));
  }

  #unknown(): undefined {
    this.#commands.fail(STATUS.unknown);
    this.#input.skip(this.#request.valueBytes);
  }

  #set(mode: Mode, extrasBytes: number): HandlerState | undefined {
    const input = this.#input;
    const { keyBytes, valueBytes, headBytes, extrasBytes: givenBytes } = this.#request;
    if (keyBytes === 0 || givenBytes !== extrasBytes) return this.#refuse();
    if (!this.#commands.prepareSet(mode)) {
      this.#input.skip(valueBytes);
      return;
    }
    if (input.to - input.from < valueBytes) {
      input.announced = headBytes + valueBytes;
      return "needs-input";
    }
    const value = this.#value;
    value.bytes = input.bytes;
    value.from = input.from;
    value.to = input.from += valueBytes;
    this.#commands.set(mode, value);
  }
}
