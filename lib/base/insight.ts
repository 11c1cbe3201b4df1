/** What a server tells of the reads that it has seen, as types. */

/** A key that is read much, or of which many bytes are read. Shares are from 0 to 1, old reads counting less. */
export interface HotKey {
  /**
   * The key, of one longer than 1,000 bytes what fits into them; `base64:` and its bytes in Base64 if it is no text in UTF-8.
   */
  key: string;
  /** Its part of all reads or of all bytes read, at least. */
  share: number;
  /** Its part at most. */
  shareAtMost: number;
}

/** What part of recent reads would be hits, from 0 to 1. */
export interface HitEstimates {
  /** With half the memory, or half the entries where these are limited. */
  half: number;
  /** As it is: near to the part of recent reads that really were hits. */
  same: number;
  /** With twice as much. */
  double: number;
  /** With four times as much. */
  fourfold: number;
  /** As much as now, if SIEVE chose which entries leave, in place of LRU. */
  sieve: number;
}

/** What a server has learned from the reads that it has seen, as a client's `insight` returns it. */
export interface ServerInsight {
  /** Milliseconds for which it has counted; 0 if it begins now, since nobody has asked for ten minutes. */
  countedMs: number;
  /** Keys that are watched for the estimates. */
  sampledKeys: number;
  /** Estimates from their reads; missing while fewer than 1,000 of these have been seen. */
  hitRatio?: HitEstimates;
  /**
   * Whether it has counted for long enough to know what a larger cache would hold; until then `half` may be too high, and `double` and
   * `fourfold` too low.
   */
  isSettled: boolean;
  /** Mean bytes of memory that a watched entry takes; 0 if there is none. */
  meanBytes: number;
  /** The keys that are read most, 20 at most, the first of them most. */
  hottestByReads: HotKey[];
  /** The keys of which most bytes are read. */
  hottestByBytes: HotKey[];
}
