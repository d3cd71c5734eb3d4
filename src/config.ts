import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { isSafeUrl, keyRoles } from './access/domain.ts';
import type { OpenId } from './access/tokens.ts';
import { defaultDocumentLimits, type DocumentLimits } from './graphql/limits.ts';
import { type BodyLimits, defaultBodyLimits } from './graphql/transports/bodies.ts';
import { defaultLimits, type LiveLimits } from './graphql/transports/limits.ts';
import { defaultRateLimits, type RateLimits } from './graphql/transports/rates.ts';
import { createTrustedDocuments, type Trust, type TrustedDocuments } from './graphql/transports/trusted.ts';
import { ManifestError, readManifest } from './kernel/manifest.ts';
import { finishPath, type OpenIdClient } from './site/openid.ts';
import { defaultMaxAgeSeconds, localTerms, type SecondFactorTerms } from './security-key/domain.ts';

export interface Config {
  /** 0: any free port. */
  readonly port: number;
  readonly host: string;
  /** null: the embedded PostgreSQL. */
  readonly databaseUrl: string | null;
  /** As whom to migrate the database that `databaseUrl` names; null: as it says. */
  readonly databaseOwnerUrl: string | null;
  /** null: what servers announce to one another goes through PostgreSQL. */
  readonly redisUrl: string | null;
  /** Absolute. */
  readonly dataFolder: string;
  /** null: the one kept in the data folder. */
  readonly operatorKey: string | null;
  readonly logLevel: LogLevel;
  /** On stop, how long it says that it is not ready before it refuses connections. */
  readonly stopPauseSeconds: number;
  /** null: for ever. */
  readonly historyMonths: number | null;
  readonly limits: LiveLimits;
  readonly documentLimits: DocumentLimits;
  readonly rateLimits: RateLimits;
  readonly bodyLimits: BodyLimits;
  /** As browsers write them, like `https://wall.example`. */
  readonly allowedOrigins: readonly string[];
  /** How many stand before the server, whose `x-forwarded-for` is believed. */
  readonly proxies: number;
  readonly graphiql: boolean;
  readonly trust: Trust;
  /** Of the manifest; absolute. null: there is none. */
  readonly trustedDocumentsFile: string | null;
  /** null: no access tokens are taken. */
  readonly openId: OpenId | null;
  /** By which people sign in to the pages; null: by keys and tokens alone. */
  readonly openIdClient: OpenIdClient | null;
  /** Pages, and how fresh a sign-in must be. */
  readonly secondFactor: SecondFactorTerms;
}

export type LogLevel = (typeof logLevels)[number];

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** Every mistake in the configuration, one a line. */
export class ConfigError extends Error {}

const whole = (from: number, to: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .refine((value) => value >= from && value <= to);

const wholeNumber = (from: number, to: number, otherwise: number) => whole(from, to).default(otherwise);

/** As a browser writes an origin: no path, no slash at its end, no port that goes without saying. */
const isOrigin = (text: string) => URL.canParse(text) && new URL(text).origin === text && !text.includes('*');
/** Each is one pinned family: a token never chooses between kinds of keys. */
const algorithmFamilies: readonly (readonly string[])[] = [
  ['RS256', 'RS384', 'RS512'],
  ['PS256', 'PS384', 'PS512'],
  ['ES256', 'ES384', 'ES512'],
  ['EdDSA', 'Ed25519'],
];

const list = z
  .string()
  .transform((text) => text.split(',').map((part) => part.trim()))
  .refine((parts) => parts.every((part) => part !== ''));
const claim = z.string().regex(/^[\x21-\x7e]{1,200}$/);
/** A domain that browsers take for keys: an address is none, whatever its spelling. */
const isDomain = (text: string) =>
  /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(text) &&
  URL.canParse(`https://${text}`) &&
  isIP(new URL(`https://${text}`).hostname) === 0;

const origins = (text: string) => text.split(',').map((origin) => origin.trim());

/** One on which browsers let pages use security keys. */
function isKeyOrigin(text: string): boolean {
  if (!isOrigin(text)) return false;
  const { protocol, hostname } = new URL(text);
  const isLocal = hostname === 'localhost' || hostname.endsWith('.localhost');
  return isDomain(hostname) && (protocol === 'https:' || (protocol === 'http:' && isLocal));
}

const variables = z.object({
  PORT: z
    .string()
    .regex(/^\d{1,5}$/)
    .transform(Number)
    .refine((port) => port <= 65_535)
    .default(4000),
  HOST: z
    .string()
    .regex(/^[^\s/]+$/)
    .default('127.0.0.1'),
  DATABASE_URL: z
    .string()
    .refine((text) => /^postgres(ql)?:\/\//.test(text) && URL.canParse(text))
    .optional(),
  DATABASE_OWNER_URL: z
    .string()
    .refine((text) => /^postgres(ql)?:\/\//.test(text) && URL.canParse(text))
    .optional(),
  REDIS_URL: z
    .string()
    .refine((text) => /^rediss?:\/\/[^/]/.test(text) && URL.canParse(text))
    .optional(),
  SEATKEEPER_DATA: z
    .string()
    .refine((text) => !text.includes('\0'))
    .default('.seatkeeper'),
  SEATKEEPER_OPERATOR_KEY: z
    .string()
    .regex(/^[\x21-\x7e]{16,200}$/)
    .optional(),
  LOG_LEVEL: z.enum(logLevels).default('info'),
  STOP_PAUSE_SECONDS: wholeNumber(0, 4, 0),
  HISTORY_MONTHS: whole(2, 1200).optional(),
  LIVE_MAX_EVENTS_PER_SECOND: wholeNumber(1, 1000, defaultLimits.maxEventsPerSecond),
  LIVE_STALLED_SECONDS: wholeNumber(1, 3600, defaultLimits.stalledMilliseconds / 1000),
  LIVE_MAX_SUBSCRIPTIONS: wholeNumber(1, 1_000_000, defaultLimits.maxSubscriptions),
  LIVE_MAX_CONNECTIONS: wholeNumber(1, 1_000_000, defaultLimits.maxConnections),
  LIVE_MAX_CONNECTIONS_PER_KEY: wholeNumber(1, 1_000_000, defaultLimits.maxConnectionsPerKey),
  LIVE_MAX_CONNECTIONS_PER_ORGANISATION: wholeNumber(
    1,
    1_000_000,
    defaultLimits.maxConnectionsPerOrganisation,
  ),
  LIVE_MAX_MESSAGE_BYTES: wholeNumber(1024, 100_000_000, defaultLimits.maxMessageBytes),
  LIVE_INIT_SECONDS: wholeNumber(1, 3600, defaultLimits.initMilliseconds / 1000),
  LIVE_STREAM_SECONDS: wholeNumber(10, 86_400, defaultLimits.streamMilliseconds / 1000),
  LIMIT_TOKENS: wholeNumber(1, 1_000_000, defaultDocumentLimits.tokens),
  LIMIT_DEPTH: wholeNumber(1, 1000, defaultDocumentLimits.depth),
  LIMIT_FIELDS: wholeNumber(1, 1_000_000, defaultDocumentLimits.fields),
  LIMIT_ALIASES: wholeNumber(0, 1_000_000, defaultDocumentLimits.aliases),
  LIMIT_DIRECTIVES: wholeNumber(0, 1_000_000, defaultDocumentLimits.directives),
  LIMIT_DIRECTIVES_IN_ONE_PLACE: wholeNumber(0, 1000, defaultDocumentLimits.directivesInOnePlace),
  LIMIT_COST: wholeNumber(1, 999_999_999, defaultDocumentLimits.cost),
  LIMIT_BODY_BYTES: wholeNumber(1024, 100_000_000, defaultBodyLimits.maxBytes),
  LIMIT_BODIES_PER_KEY: wholeNumber(1, 1_000_000, defaultBodyLimits.maxPerKey),
  LIMIT_BODIES_PER_ORGANISATION: wholeNumber(1, 1_000_000, defaultBodyLimits.maxPerOrganisation),
  LIMIT_REQUEST_SECONDS: wholeNumber(1, 3600, defaultBodyLimits.milliseconds / 1000),
  RATE_LIMIT_PER_KEY: wholeNumber(0, 1_000_000, defaultRateLimits.perKey),
  RATE_LIMIT_PER_ORGANISATION: wholeNumber(0, 1_000_000, defaultRateLimits.perOrganisation),
  RATE_LIMIT_PER_OPERATOR_KEY: wholeNumber(0, 1_000_000, defaultRateLimits.perOperatorKey),
  RATE_LIMIT_WRONG_KEYS: wholeNumber(0, 1_000_000, defaultRateLimits.failuresPerMinute),
  ALLOWED_ORIGINS: z
    .string()
    .transform((text) => text.split(',').map((origin) => origin.trim()))
    .refine((origins) => origins.every(isOrigin))
    .default([]),
  TRUSTED_PROXIES: wholeNumber(0, 10, 0),
  SEATKEEPER_GRAPHIQL: z.enum(['on', 'off']).default('on'),
  SEATKEEPER_TRUSTED_DOCUMENTS: z.enum(['off', 'allow', 'only']).default('off'),
  SEATKEEPER_TRUSTED_DOCUMENTS_FILE: z
    .string()
    .refine((text) => !text.includes('\0'))
    .optional(),
  OIDC_ISSUER: z.string().refine(isSafeUrl).optional(),
  OIDC_AUDIENCE: z.string().optional(),
  OIDC_JWKS_URL: z.string().refine(isSafeUrl).optional(),
  OIDC_ALGORITHMS: list
    .refine((given) => algorithmFamilies.some((family) => given.every((one) => family.includes(one))))
    .default(['RS256']),
  OIDC_CLOCK_TOLERANCE_SECONDS: wholeNumber(0, 300, 5),
  OIDC_ROLE_CLAIM: claim.default('role'),
  OIDC_ORGANISATION_CLAIM: claim.default('organisation'),
  OIDC_USER_CLAIM: claim.default('sub'),
  OIDC_SCOPES_CLAIM: claim.optional(),
  OIDC_OPERATOR_ROLE: z
    .string()
    .refine((value) => !keyRoles.some((role) => role === value))
    .optional(),
  OIDC_MULTI_FACTOR_VALUES: list.default(['mfa', 'hwk']),
  OIDC_CLIENT_ID: z
    .string()
    .regex(/^[\x20-\x7e]{1,200}$/)
    .optional(),
  OIDC_CLIENT_SECRET: z.string().optional(),
  OIDC_SCOPE: z
    .string()
    .refine((text) => text.split(' ').includes('openid'))
    .default('openid'),
  OIDC_REDIRECT_URL: z
    .string()
    .refine((text) => isSafeUrl(text) && text === `${new URL(text).origin}${finishPath}`)
    .optional(),
  OIDC_AUDIENCE_PARAMETER: z.enum(['resource', 'audience', 'none']).default('resource'),
  WEBAUTHN_RP_ID: z.string().refine(isDomain).default('localhost'),
  WEBAUTHN_ORIGINS: z
    .string()
    .refine((text) => origins(text).every(isKeyOrigin))
    .optional(),
  SECOND_FACTOR_MAX_AGE_SECONDS: wholeNumber(1, 86_400, defaultMaxAgeSeconds),
});

const wanted: Record<keyof z.infer<typeof variables>, string> = {
  PORT: 'a port number from 0 (any free port) to 65535',
  HOST: 'the name or address to listen on, like 127.0.0.1 or 0.0.0.0',
  DATABASE_URL: 'a URL like postgres://user:password@host:5432/database',
  DATABASE_OWNER_URL: 'a URL like postgres://owner:password@host:5432/database',
  REDIS_URL: 'a URL like redis://user:password@host:6379, or rediss://… for TLS',
  SEATKEEPER_DATA: 'the path of a folder',
  SEATKEEPER_OPERATOR_KEY: 'a key of 16 to 200 printable ASCII characters without spaces',
  LOG_LEVEL: `one of ${logLevels.join(', ')}`,
  STOP_PAUSE_SECONDS: 'a whole number of seconds from 0 to 4',
  HISTORY_MONTHS: 'a whole number of months from 2 to 1200',
  LIVE_MAX_EVENTS_PER_SECOND: 'a whole number from 1 to 1000',
  LIVE_STALLED_SECONDS: 'a whole number of seconds from 1 to 3600',
  LIVE_MAX_SUBSCRIPTIONS: 'a whole number from 1 to 1000000',
  LIVE_MAX_CONNECTIONS: 'a whole number from 1 to 1000000',
  LIVE_MAX_CONNECTIONS_PER_KEY: 'a whole number from 1 to 1000000',
  LIVE_MAX_CONNECTIONS_PER_ORGANISATION: 'a whole number from 1 to 1000000',
  LIVE_MAX_MESSAGE_BYTES: 'a whole number of bytes from 1024 to 100000000',
  LIVE_INIT_SECONDS: 'a whole number of seconds from 1 to 3600',
  LIVE_STREAM_SECONDS: 'a whole number of seconds from 10 to 86400',
  LIMIT_TOKENS: 'a whole number from 1 to 1000000',
  LIMIT_DEPTH: 'a whole number from 1 to 1000',
  LIMIT_FIELDS: 'a whole number from 1 to 1000000',
  LIMIT_ALIASES: 'a whole number from 0 to 1000000',
  LIMIT_DIRECTIVES: 'a whole number from 0 to 1000000',
  LIMIT_DIRECTIVES_IN_ONE_PLACE: 'a whole number from 0 to 1000',
  LIMIT_COST: 'a whole number from 1 to 999999999',
  LIMIT_BODY_BYTES: 'a whole number of bytes from 1024 to 100000000',
  LIMIT_BODIES_PER_KEY: 'a whole number from 1 to 1000000',
  LIMIT_BODIES_PER_ORGANISATION: 'a whole number from 1 to 1000000',
  LIMIT_REQUEST_SECONDS: 'a whole number of seconds from 1 to 3600',
  RATE_LIMIT_PER_KEY: 'a whole number from 0 (no limit) to 1000000',
  RATE_LIMIT_PER_ORGANISATION: 'a whole number from 0 (no limit) to 1000000',
  RATE_LIMIT_PER_OPERATOR_KEY: 'a whole number from 0 (no limit) to 1000000',
  RATE_LIMIT_WRONG_KEYS: 'a whole number from 0 (no limit) to 1000000',
  ALLOWED_ORIGINS: 'origins like https://wall.example, with commas between them',
  TRUSTED_PROXIES: 'a whole number from 0 to 10',
  SEATKEEPER_GRAPHIQL: 'on or off',
  SEATKEEPER_TRUSTED_DOCUMENTS: 'off, allow or only',
  SEATKEEPER_TRUSTED_DOCUMENTS_FILE: 'the path of a manifest',
  OIDC_ISSUER: 'the URL of an OpenID provider, https:// unless it is on this machine',
  OIDC_AUDIENCE: 'set beside OIDC_ISSUER: the audience that access tokens for this service have',
  OIDC_JWKS_URL: 'the URL of the provider’s keys, https:// unless it is on this machine',
  OIDC_ALGORITHMS: `of one family, with commas between: ${algorithmFamilies.map((family) => family.join(',')).join('; ')}`,
  OIDC_CLOCK_TOLERANCE_SECONDS: 'a whole number of seconds from 0 to 300',
  OIDC_ROLE_CLAIM: 'the name of a claim',
  OIDC_ORGANISATION_CLAIM: 'the name of a claim',
  OIDC_USER_CLAIM: 'the name of a claim',
  OIDC_SCOPES_CLAIM: 'the name of a claim',
  OIDC_OPERATOR_ROLE: 'a value of the role’s claim that is none of the other roles',
  OIDC_MULTI_FACTOR_VALUES: 'values of amr and acr, with commas between',
  OIDC_CLIENT_ID: 'a client of the OpenID provider, set beside OIDC_ISSUER',
  OIDC_CLIENT_SECRET: 'the secret of OIDC_CLIENT_ID',
  OIDC_SCOPE: 'scopes with spaces between, openid among them',
  OIDC_REDIRECT_URL: `set beside OIDC_CLIENT_ID: the pages’ origin, https:// unless it is on this machine, and ${finishPath}`,
  OIDC_AUDIENCE_PARAMETER: 'resource, audience or none',
  WEBAUTHN_RP_ID:
    'a domain name like licences.example.com, or localhost, and no IP address (browsers use keys on none)',
  WEBAUTHN_ORIGINS:
    'origins like https://licences.example.com, with commas between them: https only, but for localhost, and no IP address',
  SECOND_FACTOR_MAX_AGE_SECONDS: 'a whole number of seconds from 1 to 86400',
};

/** Their values are never repeated: they would end in a log. */
const secrets: readonly string[] = [
  'DATABASE_URL',
  'DATABASE_OWNER_URL',
  'REDIS_URL',
  'SEATKEEPER_OPERATOR_KEY',
  'OIDC_CLIENT_SECRET',
];

/**
 * Reads the configuration; a variable that is empty counts as not set.
 *
 * @throws ConfigError with one line a mistake.
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const given = Object.fromEntries(
    Object.keys(wanted).flatMap((name) => (env[name] ? [[name, env[name]]] : [])),
  );
  const parsed = variables.safeParse(given);
  // Tokens for whatever service would be taken; nobody would come back.
  const halves = (
    [
      ['OIDC_ISSUER', 'OIDC_AUDIENCE'],
      ['OIDC_CLIENT_ID', 'OIDC_ISSUER'],
      ['OIDC_CLIENT_ID', 'OIDC_REDIRECT_URL'],
    ] as const
  ).filter(([name, beside]) => given[name] !== undefined && given[beside] === undefined);
  if (!parsed.success || halves.length > 0) {
    const mistaken = new Set((parsed.error?.issues ?? []).map(({ path }) => path[0] as keyof typeof wanted));
    for (const [, beside] of halves) mistaken.add(beside);
    const lines = [...mistaken].map((name) => {
      const is =
        secrets.includes(name) || given[name] === undefined ? '' : `, not ${JSON.stringify(given[name])}`;
      return `${name} must be ${wanted[name]}${is}.`;
    });
    throw new ConfigError(lines.join('\n'));
  }
  const values = parsed.data;
  const secondFactor = readSecondFactor(values);
  return {
    port: values.PORT,
    host: values.HOST,
    databaseUrl: values.DATABASE_URL ?? null,
    databaseOwnerUrl: values.DATABASE_OWNER_URL ?? null,
    redisUrl: values.REDIS_URL ?? null,
    dataFolder: resolve(values.SEATKEEPER_DATA),
    operatorKey: values.SEATKEEPER_OPERATOR_KEY ?? null,
    logLevel: values.LOG_LEVEL,
    stopPauseSeconds: values.STOP_PAUSE_SECONDS,
    historyMonths: values.HISTORY_MONTHS ?? null,
    limits: {
      maxEventsPerSecond: values.LIVE_MAX_EVENTS_PER_SECOND,
      stalledMilliseconds: values.LIVE_STALLED_SECONDS * 1000,
      maxSubscriptions: values.LIVE_MAX_SUBSCRIPTIONS,
      maxConnections: values.LIVE_MAX_CONNECTIONS,
      maxConnectionsPerKey: values.LIVE_MAX_CONNECTIONS_PER_KEY,
      maxConnectionsPerOrganisation: values.LIVE_MAX_CONNECTIONS_PER_ORGANISATION,
      maxMessageBytes: values.LIVE_MAX_MESSAGE_BYTES,
      initMilliseconds: values.LIVE_INIT_SECONDS * 1000,
      streamMilliseconds: values.LIVE_STREAM_SECONDS * 1000,
    },
    documentLimits: {
      tokens: values.LIMIT_TOKENS,
      depth: values.LIMIT_DEPTH,
      fields: values.LIMIT_FIELDS,
      aliases: values.LIMIT_ALIASES,
      directives: values.LIMIT_DIRECTIVES,
      directivesInOnePlace: values.LIMIT_DIRECTIVES_IN_ONE_PLACE,
      cost: values.LIMIT_COST,
    },
    rateLimits: {
      perKey: values.RATE_LIMIT_PER_KEY,
      perOrganisation: values.RATE_LIMIT_PER_ORGANISATION,
      perOperatorKey: values.RATE_LIMIT_PER_OPERATOR_KEY,
      failuresPerMinute: values.RATE_LIMIT_WRONG_KEYS,
    },
    bodyLimits: {
      maxBytes: values.LIMIT_BODY_BYTES,
      maxPerKey: values.LIMIT_BODIES_PER_KEY,
      maxPerOrganisation: values.LIMIT_BODIES_PER_ORGANISATION,
      milliseconds: values.LIMIT_REQUEST_SECONDS * 1000,
    },
    allowedOrigins: values.ALLOWED_ORIGINS,
    proxies: values.TRUSTED_PROXIES,
    graphiql: values.SEATKEEPER_GRAPHIQL === 'on',
    trust: values.SEATKEEPER_TRUSTED_DOCUMENTS,
    trustedDocumentsFile:
      values.SEATKEEPER_TRUSTED_DOCUMENTS_FILE === undefined
        ? null
        : resolve(values.SEATKEEPER_TRUSTED_DOCUMENTS_FILE),
    openId: openIdOf(values),
    openIdClient: openIdClientOf(values),
    secondFactor,
  };
}

function openIdOf(values: z.infer<typeof variables>): OpenId | null {
  const { OIDC_ISSUER: issuer, OIDC_AUDIENCE: audience } = values;
  if (issuer === undefined || audience === undefined) return null;
  return {
    issuer,
    audience,
    jwksUrl: values.OIDC_JWKS_URL ?? null,
    algorithms: values.OIDC_ALGORITHMS,
    clockToleranceSeconds: values.OIDC_CLOCK_TOLERANCE_SECONDS,
    roleClaim: values.OIDC_ROLE_CLAIM,
    organisationClaim: values.OIDC_ORGANISATION_CLAIM,
    userClaim: values.OIDC_USER_CLAIM,
    scopesClaim: values.OIDC_SCOPES_CLAIM ?? null,
    operatorRole: values.OIDC_OPERATOR_ROLE ?? null,
    multiFactorValues: values.OIDC_MULTI_FACTOR_VALUES,
  };
}

function openIdClientOf(values: z.infer<typeof variables>): OpenIdClient | null {
  const {
    OIDC_ISSUER: issuer,
    OIDC_AUDIENCE: audience,
    OIDC_CLIENT_ID: clientId,
    OIDC_REDIRECT_URL: redirectUrl,
    OIDC_AUDIENCE_PARAMETER: parameter,
  } = values;
  if (issuer === undefined || audience === undefined) return null;
  if (clientId === undefined || redirectUrl === undefined) return null;
  return {
    issuer,
    clientId,
    clientSecret: values.OIDC_CLIENT_SECRET ?? null,
    scope: values.OIDC_SCOPE,
    redirectUrl,
    audience,
    audienceParameter: parameter === 'none' ? null : parameter,
  };
}

/** A key signs only on pages of the domain that it was enrolled for, or of one below it. */
function readSecondFactor(values: z.infer<typeof variables>): SecondFactorTerms {
  const {
    WEBAUTHN_RP_ID: rpId,
    WEBAUTHN_ORIGINS: given,
    SECOND_FACTOR_MAX_AGE_SECONDS: maxAgeSeconds,
  } = values;
  const local = localTerms(values.PORT);
  const otherwise = rpId === local.rpId ? local.origins : [`https://${rpId}`];
  const pages = given === undefined ? otherwise : origins(given);
  const foreign = pages.find((page) => !`.${new URL(page).hostname}`.endsWith(`.${rpId}`));
  if (foreign === undefined) return { rpId, origins: pages, maxAgeSeconds };
  throw new ConfigError(
    `WEBAUTHN_ORIGINS must be of WEBAUTHN_RP_ID, which is ${JSON.stringify(rpId)}, or below it, not ${JSON.stringify(foreign)}.`,
  );
}

/** The operator's key: the configured one, else the one in the data folder, which is made the first time. */
export function operatorKey(config: Config): string {
  if (config.operatorKey !== null) return config.operatorKey;
  const file = join(config.dataFolder, 'operator-key');
  try {
    mkdirSync(config.dataFolder, { recursive: true, mode: 0o700 });
    writeFileSync(file, `sk_${randomBytes(24).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EROFS') {
      const to = 'set SEATKEEPER_DATA to a folder that this user may write to';
      throw new ConfigError(`The data cannot be kept in ${config.dataFolder}: ${to} (${message}).`);
    }
    if (code !== 'EEXIST') throw error;
  }
  chmodSync(file, 0o600);
  const key = readFileSync(file, 'utf8').trim();
  if (key === '') throw new ConfigError(`${file} is empty: delete it, and a new key is made.`);
  return key;
}

/**
 * The documents that the configuration trusts.
 *
 * @throws ConfigError where the manifest is missing, or is none.
 */
export function trustedDocuments({ trust, trustedDocumentsFile: file }: Config): TrustedDocuments {
  if (trust === 'off') return createTrustedDocuments('off', new Map());
  if (file === null) {
    const message = `SEATKEEPER_TRUSTED_DOCUMENTS=${trust} needs SEATKEEPER_TRUSTED_DOCUMENTS_FILE; npm run documents writes one.`;
    throw new ConfigError(message);
  }
  try {
    return createTrustedDocuments(trust, readManifest(readFileSync(file, 'utf8')));
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code !== undefined;
    if (!isMissing && !(error instanceof ManifestError)) throw error;
    throw new ConfigError(`${file} is no manifest of trusted documents: ${(error as Error).message}.`);
  }
}
