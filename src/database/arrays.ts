/** Values as PostgreSQL takes an array of them: in its binary form where it is known, which it need not parse, else as text. */
export type ArrayParameter = Buffer | string;

/**
 * pg's own way, which asks of every value what it is and writes all as text, costs four times as much here, and
 * PostgreSQL spends a fifth of a batch on reading it.
 *
 * @param type the elements' SQL type
 * @throws RangeError for an instant that is none
 */
export function encodeArray(type: string, values: readonly unknown[]): ArrayParameter {
  const form = forms[type];
  return form === undefined ? toText(values) : toBinary(form, values);
}

/** How PostgreSQL sends and receives a type (its `…_recv` functions). */
interface Form {
  /** Of the type, in every PostgreSQL. */
  readonly oid: number;
  readonly size: (value: unknown) => number;
  readonly write: (buffer: Buffer, value: unknown, offset: number) => void;
}

const fixed = (bytes: number) => () => bytes;

/** What a type is not among, such as an enum, whose number differs from database to database, is sent as text. */
const forms: Readonly<Record<string, Form>> = {
  uuid: { oid: 2950, size: fixed(16), write: (buffer, value, at) => writeUuid(buffer, value as string, at) },
  timestamptz: {
    oid: 1184,
    size: fixed(8),
    write: (buffer, value, at) => buffer.writeBigInt64BE(microsecondsSince2000(value as Date), at),
  },
  integer: {
    oid: 23,
    size: fixed(4),
    write: (buffer, value, at) => buffer.writeInt32BE(value as number, at),
  },
  bigint: {
    oid: 20,
    size: fixed(8),
    write: (buffer, value, at) => buffer.writeBigInt64BE(BigInt(value as number), at),
  },
  boolean: {
    oid: 16,
    size: fixed(1),
    write: (buffer, value, at) => buffer.writeUInt8(value === true ? 1 : 0, at),
  },
  text: {
    oid: 25,
    size: (value) => Buffer.byteLength(value as string),
    write: (buffer, value, at) => buffer.write(value as string, at),
  },
};

const headerBytes = 20;
const lengthBytes = 4;
const isNull = (value: unknown) => value === null || value === undefined;

function toBinary({ oid, size, write }: Form, values: readonly unknown[]): Buffer {
  let bytes = headerBytes;
  let hasNull = 0;
  for (const value of values) {
    bytes += lengthBytes;
    if (isNull(value)) hasNull = 1;
    else bytes += size(value);
  }
  const buffer = Buffer.allocUnsafe(bytes);
  // One dimension, which begins with element 1.
  let at = 0;
  for (const part of [1, hasNull, oid, values.length, 1]) at = buffer.writeInt32BE(part, at);
  for (const value of values) {
    if (isNull(value)) {
      at = buffer.writeInt32BE(-1, at);
      continue;
    }
    const length = size(value);
    at = buffer.writeInt32BE(length, at);
    write(buffer, value, at);
    at += length;
  }
  return buffer;
}

const dash = '-'.charCodeAt(0);
const nibbles = new Uint8Array(128);
for (let nibble = 0; nibble < 16; nibble += 1) {
  nibbles[nibble.toString(16).charCodeAt(0)] = nibble;
  nibbles[nibble.toString(16).toUpperCase().charCodeAt(0)] = nibble;
}

function writeUuid(buffer: Buffer, uuid: string, offset: number): void {
  let at = offset;
  for (let index = 0; index < uuid.length; index += 2) {
    if (uuid.charCodeAt(index) === dash) index += 1;
    const high = nibbles[uuid.charCodeAt(index)] ?? 0;
    buffer[at] = (high << 4) | (nibbles[uuid.charCodeAt(index + 1)] ?? 0);
    at += 1;
  }
}

const epoch = Date.UTC(2000, 0, 1);

let lastInstant = epoch;
let lastMicroseconds = 0n;

/** What was decided together happened at one instant: it is reckoned once. */
function microsecondsSince2000(instant: Date): bigint {
  const milliseconds = instant.getTime();
  if (milliseconds !== lastInstant) {
    // Throws for what is no instant.
    lastMicroseconds = BigInt(milliseconds - epoch) * 1000n;
    lastInstant = milliseconds;
  }
  return lastMicroseconds;
}

/** Names of enums, and JSON. */
function toText(values: readonly unknown[]): string {
  const elements = values.map((value) =>
    isNull(value) ? 'NULL' : `"${(value as string).replaceAll(/["\\]/g, '\\$&')}"`,
  );
  return `{${elements.join(',')}}`;
}
