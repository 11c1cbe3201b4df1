/** The table of commands and options. It runs nothing. */

/** An option of a command. */
export interface Flag {
  readonly name: string;
  /** The option in one letter, as in `-p`. */
  readonly letter?: string;
  /** Name of the option's value, for the help; without it the option is a switch. */
  readonly argument?: string;
  /** The environment variable that the option overrides. */
  readonly setting?: string;
  /** Whether a switch can be negated, as in `--no-renew-on-hit`. */
  readonly negatable?: boolean;
  readonly help: string;
}

/** A command. */
export interface Command {
  readonly name: string;
  /** Another name of the command. */
  readonly also?: string;
  /** Names of the operands; one in brackets may be left out. */
  readonly operands: readonly string[];
  readonly summary: string;
  readonly flags: readonly Flag[];
}

const ENV_FILE: readonly Flag[] = [
  { name: "env-file", argument: "FILE", help: "settings, in place of .env" },
  { name: "no-env-file", help: "settings of no file" },
];
const CLIENT_FLAGS: readonly Flag[] = [
  {
    name: "server",
    argument: "HOSTS",
    setting: "SERVER_HOST",
    help: "host, host:port or unix:/path; commas: failover (127.0.0.1)",
  },
  {
    name: "port",
    letter: "p",
    argument: "PORT",
    setting: "SERVER_PORT",
    help: "of hosts without one (11142)",
  },
  { name: "timeout", argument: "SECONDS", setting: "NETWORK_TIMEOUT", help: "until a call has failed (1)" },
  {
    name: "token-file",
    argument: "FILE",
    setting: "AUTH_TOKEN_FILE",
    help: 'the token for the server, alone; "-" is standard input',
  },
  {
    name: "tls",
    setting: "TLS",
    negatable: true,
    help: "encrypt the connection (on with --tls-ca)",
  },
  { name: "tls-ca", argument: "FILE", setting: "TLS_CA", help: "authorities to believe beside the system's, PEM" },
  {
    name: "tls-cert",
    argument: "FILE",
    setting: "TLS_CERT",
    help: "certificate to show to servers that want one, PEM",
  },
  { name: "tls-key", argument: "FILE", setting: "TLS_KEY", help: "its key, PEM" },
  ...ENV_FILE,
];
const YES_FLAG: Flag = { name: "yes", letter: "y", help: "do not ask" };
/** The option of commands whose output can be JSON. */
export const JSON_FLAG: Flag = { name: "json", help: "print JSON" };

/** All commands. */
export const COMMANDS: readonly Command[] = [
  {
    name: "serve",
    operands: [],
    summary: "run a server until SIGINT or SIGTERM",
    flags: [
      { name: "listen", argument: "WHERE", setting: "LISTEN_ON", help: "port, host:port or unix:/path (11142)" },
      { name: "port", letter: "p", argument: "PORT", help: "in place of that of --listen" },
      {
        name: "http",
        argument: "WHERE",
        setting: "HTTP_ON",
        help: "status page, health, metrics by HTTP: port, host:port (off)",
      },
      { name: "check", help: "say what would run, and stop" },
      { name: "max-size", argument: "N", setting: "CACHE_MAX_SIZE", help: "entries (128; no limit with --max-bytes)" },
      {
        name: "max-bytes",
        argument: "BYTES",
        setting: "CACHE_MAX_BYTES",
        help: "memory for entries (half of all, 16GiB at most)",
      },
      {
        name: "max-item-bytes",
        argument: "BYTES",
        setting: "CACHE_MAX_ITEM_BYTES",
        help: "an item of a memcached client (1MiB)",
      },
      {
        name: "max-buffers",
        argument: "BYTES",
        setting: "CACHE_MAX_BUFFERS",
        help: "memory for requests and replies under way (36MiB)",
      },
      {
        name: "max-connections",
        argument: "N",
        setting: "CACHE_MAX_CONNECTIONS",
        help: "connections of clients (1000)",
      },
      {
        name: "max-connections-per-address",
        argument: "N",
        setting: "CACHE_MAX_CONNECTIONS_PER_ADDRESS",
        help: "of one address; 0 is no limit (0)",
      },
      {
        name: "idle-timeout",
        argument: "SECONDS",
        setting: "CACHE_IDLE_TIMEOUT",
        help: "until an idle client is disconnected; 0 is never (0)",
      },
      {
        name: "max-forgotten",
        argument: "N",
        setting: "CACHE_MAX_FORGOTTEN",
        help: "fingerprints kept (by --max-bytes, 1469644 at most)",
      },
      {
        name: "expiration",
        argument: "SECONDS",
        setting: "CACHE_EXPIRATION",
        help: "until an entry expires; 0 is never (3600)",
      },
      {
        name: "renew-on-hit",
        setting: "CACHE_RENEW_ON_HIT",
        negatable: true,
        help: "a hit restarts expiration (on); or --no-renew-on-hit",
      },
      { name: "peers", argument: "HOSTS", setting: "PEERS", help: "other servers, to share entries with" },
      { name: "cluster", argument: "NAME", setting: "CLUSTER", help: "servers with another name are no peers (none)" },
      {
        name: "advertise",
        argument: "ADDRESS",
        setting: "ADVERTISE",
        help: "where peers reach this server, behind NAT",
      },
      {
        name: "peer-lookup-interval",
        argument: "SECONDS",
        setting: "PEER_LOOKUP_INTERVAL",
        help: "between look-ups of names (30, or as they say)",
      },
      {
        name: "gossip-interval",
        argument: "SECONDS",
        setting: "GOSSIP_INTERVAL",
        help: "between rounds with peers (1)",
      },
      {
        name: "ready-after",
        argument: "SECONDS",
        setting: "READY_AFTER",
        help: "until it is ready though it lacks what a peer holds (30)",
      },
      {
        name: "snapshot",
        argument: "FILE",
        setting: "SNAPSHOT_FILE",
        help: "keeps the entries over a restart (none)",
      },
      {
        name: "snapshot-interval",
        argument: "SECONDS",
        setting: "SNAPSHOT_INTERVAL",
        help: "between writing it in between; 0 is never (300)",
      },
      {
        name: "snapshot-max-age",
        argument: "SECONDS",
        setting: "SNAPSHOT_MAX_AGE",
        help: "until it is not loaded any more; 0 is never (3600)",
      },
      {
        name: "token-file",
        argument: "FILE",
        setting: "AUTH_TOKEN_FILE",
        help: "the token of clients and peers, alone",
      },
      { name: "auth-file", argument: "FILE", setting: "AUTH_FILE", help: "credentials, one a line: name:role:secret" },
      {
        name: "peer-token-file",
        argument: "FILE",
        setting: "PEER_TOKEN_FILE",
        help: "the token for peers, alone (that of clients)",
      },
      { name: "insecure", help: "serve whoever reaches the server, and take tokens without TLS" },
      { name: "tls-cert", argument: "FILE", setting: "TLS_CERT", help: "certificate, to accept TLS with, PEM" },
      { name: "tls-key", argument: "FILE", setting: "TLS_KEY", help: "its key, PEM" },
      { name: "tls", setting: "TLS", negatable: true, help: "refuse who connects by TCP without TLS" },
      { name: "tls-ca", argument: "FILE", setting: "TLS_CA", help: "authorities of peers, beside the system's, PEM" },
      {
        name: "tls-client-ca",
        argument: "FILE",
        setting: "TLS_CLIENT_CA",
        help: "clients need a certificate of these authorities, PEM",
      },
      {
        name: "acme",
        argument: "HOST",
        setting: "ACME_HOST",
        help: "have Let's Encrypt issue a certificate for this name",
      },
      { name: "acme-email", argument: "ADDRESS", setting: "ACME_EMAIL", help: "where the authority may write to" },
      { name: "acme-directory", argument: "URL", setting: "ACME_DIRECTORY", help: "another authority's directory" },
      {
        name: "acme-folder",
        argument: "FOLDER",
        setting: "ACME_FOLDER",
        help: "keeps account and certificates (acme)",
      },
      {
        name: "acme-listen",
        argument: "WHERE",
        setting: "ACME_LISTEN_ON",
        help: "port or host:port to which port 80 of HOST leads (80)",
      },
      { name: "log-format", argument: "FORMAT", setting: "LOG_FORMAT", help: "text or json (text)" },
      { name: "log-level", argument: "LEVEL", setting: "LOG_LEVEL", help: "info, warn or error, at least (info)" },
      ...ENV_FILE,
    ],
  },
  {
    name: "store",
    also: "set",
    operands: ["KEY", "VALUE"],
    summary: 'store a text; VALUE "-" is standard input',
    flags: [
      { name: "json", help: "VALUE is JSON" },
      { name: "ttl", argument: "SECONDS", help: "until the entry expires; 0 is never (the server decides)" },
      ...CLIENT_FLAGS,
    ],
  },
  { name: "retrieve", also: "get", operands: ["KEY"], summary: "print a value", flags: [JSON_FLAG, ...CLIENT_FLAGS] },
  { name: "remove", also: "delete", operands: ["KEY"], summary: "remove an entry", flags: CLIENT_FLAGS },
  {
    name: "touch",
    operands: ["KEY"],
    summary: "restart an entry's time to live",
    flags: [
      { name: "ttl", argument: "SECONDS", help: "until the entry expires, from now on; 0 is never (its own)" },
      ...CLIENT_FLAGS,
    ],
  },
  {
    name: "increment",
    operands: ["KEY", "[BY]"],
    summary: "add BY (1) to a number, and print it; -- KEY -1 subtracts",
    flags: [
      { name: "initial", argument: "N", help: "with which an entry is made where there is none (none is made)" },
      {
        name: "ttl",
        argument: "SECONDS",
        help: "until an entry that is made expires; 0 is never (the server decides)",
      },
      ...CLIENT_FLAGS,
    ],
  },
  {
    name: "keys",
    operands: [],
    summary: "print the keys of all entries, one a line",
    flags: [
      { name: "prefix", argument: "TEXT", help: "only keys that begin with it" },
      { name: "json", help: "print each as JSON" },
      ...CLIENT_FLAGS,
    ],
  },
  {
    name: "clear",
    operands: [],
    summary: "remove every entry of the server and its peers",
    flags: [
      { name: "prefix", argument: "TEXT", help: "only entries whose keys begin with it" },
      YES_FLAG,
      ...CLIENT_FLAGS,
    ],
  },
  { name: "stats", operands: [], summary: "print a server's statistics", flags: [JSON_FLAG, ...CLIENT_FLAGS] },
  {
    name: "top",
    operands: [],
    summary: "show what each of --server does now, until q is pressed",
    flags: [
      { name: "interval", argument: "SECONDS", help: "between two looks (1)" },
      { name: "count", argument: "N", help: "looks, and then stop (no end)" },
      JSON_FLAG,
      ...CLIENT_FLAGS,
    ],
  },
  {
    name: "explain",
    operands: ["KEY"],
    summary: "say why a server, and its peers, have an entry or have none",
    flags: [JSON_FLAG, ...CLIENT_FLAGS],
  },
  {
    name: "hot",
    operands: [],
    summary: "print which keys are read most, and what more memory would give",
    flags: [
      {
        name: "for",
        argument: "SECONDS",
        help: "wait until the server has counted this long, which it begins when asked (5)",
      },
      JSON_FLAG,
      ...CLIENT_FLAGS,
    ],
  },
  {
    name: "peers",
    operands: [],
    summary: "print a server's peers, and whether it is ready",
    flags: [
      {
        name: "wait",
        argument: "SECONDS",
        help: "wait until the server is ready, at most this long; status 1 if it is not",
      },
      { name: "forget", argument: "HOST", help: "have the server forget a peer that has left for good" },
      JSON_FLAG,
      ...CLIENT_FLAGS,
    ],
  },
  {
    name: "bench",
    operands: [],
    summary: "put load on a server: its keys are named bench:… and expire after a minute",
    flags: [
      { name: "connections", argument: "N", help: "clients (1)" },
      { name: "pipeline", argument: "N", help: "calls in flight on each connection (64)" },
      { name: "keys", argument: "N", help: "different keys (100)" },
      { name: "value-size", argument: "BYTES", help: "of each value (100)" },
      { name: "ratio", argument: "PART", help: "of calls that retrieve; the others store (0.9)" },
      { name: "duration", argument: "SECONDS", help: "of the measurement (5)" },
      { ...YES_FLAG, help: "though the server holds entries, and do not ask" },
      JSON_FLAG,
      ...CLIENT_FLAGS,
    ],
  },
  {
    name: "token",
    operands: [],
    summary: "make a token, and the line by which a server knows it",
    flags: [
      { name: "name", argument: "NAME", help: "of whose it is; without it, the token is an AUTH_TOKEN for all" },
      { name: "role", argument: "ROLE", help: "reader, client, peer or admin; commas: several (client)" },
      { name: "verifier", help: "the line does not hold the secret: it can be checked with it, and not used" },
      JSON_FLAG,
    ],
  },
];

/** The command of a name. */
export function commandOf(name: string): Command | undefined {
  return COMMANDS.find((command) => command.name === name || command.also === name);
}
