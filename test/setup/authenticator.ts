import { createHash, createSign, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';

/** What a key's answer says wrongly, for those that must be refused. */
export interface Lies {
  readonly origin?: string;
  /** The domain whose hash the key signs. */
  readonly rpId?: string;
  readonly type?: string;
  readonly challenge?: string;
  readonly credentialId?: string;
  readonly counter?: number;
  /** 1: somebody touched it; 4: it knows who. */
  readonly flags?: number;
  readonly signature?: (signature: Buffer) => Buffer;
  readonly format?: string;
  readonly statement?: readonly (readonly [string, unknown])[];
}

/** A security key in software: what a browser and a key make together of the API's options, as JSON text. */
export interface Authenticator {
  readonly credentialId: string;
  readonly create: (options: string, lies?: Lies) => string;
  readonly get: (options: string, lies?: Lies) => string;
}

type CborKey = number | string;

/** As much of CBOR as attestations need. */
function cbor(value: unknown): Buffer {
  const head = (major: number, count: number) => {
    if (count < 24) return Buffer.from([(major << 5) | count]);
    if (count < 256) return Buffer.from([(major << 5) | 24, count]);
    return Buffer.from([(major << 5) | 25, count >> 8, count & 255]);
  };
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === 'string')
    return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value]);
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(cbor)]);
  if (value instanceof Map) {
    const entries = [...(value as Map<CborKey, unknown>)];
    return Buffer.concat([head(5, entries.length), ...entries.flat().map(cbor)]);
  }
  throw new Error(`No CBOR for ${typeof value}`);
}

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest();

function coseKey(publicKey: KeyObject, algorithm: number): Map<number, unknown> {
  const { kty, x = '', y = '', n = '', e = '' } = publicKey.export({ format: 'jwk' });
  const bytes = (text: string) => Buffer.from(text, 'base64url');
  return kty === 'EC'
    ? new Map<number, unknown>([
        [1, 2],
        [3, algorithm],
        [-1, 1],
        [-2, bytes(x)],
        [-3, bytes(y)],
      ])
    : new Map<number, unknown>([
        [1, 3],
        [3, algorithm],
        [-1, bytes(n)],
        [-2, bytes(e)],
      ]);
}

/** COSE's numbers; ES384 is one that the API takes from nobody. */
const numbers = { ES256: -7, RS256: -257, ES384: -35 } as const;

export function createAuthenticator(algorithm: keyof typeof numbers = 'ES256'): Authenticator {
  const { publicKey, privateKey } =
    algorithm === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const id = randomBytes(32);
  const credentialId = id.toString('base64url');
  let signatures = 0;

  const clientData = (type: string, challenge: string, lies: Lies) =>
    Buffer.from(
      JSON.stringify({
        type: lies.type ?? type,
        challenge: lies.challenge ?? challenge,
        origin: lies.origin ?? 'http://localhost:4000',
        crossOrigin: false,
      }),
    );
  const authenticatorData = (rpId: string, flags: number, lies: Lies) => {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(lies.counter ?? (signatures += 1));
    return Buffer.concat([sha256(lies.rpId ?? rpId), Buffer.from([lies.flags ?? flags]), counter]);
  };
  const answer = (response: Readonly<Record<string, unknown>>, lies: Lies) => {
    const given = lies.credentialId ?? credentialId;
    return JSON.stringify({
      ...{ id: given, rawId: given, type: 'public-key', authenticatorAttachment: 'cross-platform' },
      clientExtensionResults: {},
      response,
    });
  };

  return {
    credentialId,
    create: (options, lies = {}) => {
      const { challenge, rp } = JSON.parse(options) as { challenge: string; rp: { id: string } };
      const authData = Buffer.concat([
        authenticatorData(rp.id, 0x41, lies),
        ...[Buffer.alloc(16), Buffer.from([0, id.length]), id, cbor(coseKey(publicKey, numbers[algorithm]))],
      ]);
      const attestationObject = cbor(
        new Map<string, unknown>([
          ['fmt', lies.format ?? 'none'],
          ['attStmt', new Map(lies.statement ?? [])],
          ['authData', authData],
        ]),
      ).toString('base64url');
      const clientDataJSON = clientData('webauthn.create', challenge, lies).toString('base64url');
      return answer({ clientDataJSON, attestationObject, transports: ['usb'] }, lies);
    },
    get: (options, lies = {}) => {
      const { challenge, rpId } = JSON.parse(options) as { challenge: string; rpId: string };
      const clientDataJSON = clientData('webauthn.get', challenge, lies);
      const authData = authenticatorData(rpId, 0x01, lies);
      const signature = createSign('sha256')
        .update(Buffer.concat([authData, sha256(clientDataJSON)]))
        .sign(privateKey);
      return answer(
        {
          clientDataJSON: clientDataJSON.toString('base64url'),
          authenticatorData: authData.toString('base64url'),
          signature: (lies.signature?.(signature) ?? signature).toString('base64url'),
        },
        lies,
      );
    },
  };
}
