import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { defaultLimits, type LiveLimits } from './graphql/transports/limits.ts';

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
  readonly limits: LiveLimits;
}

export type LogLevel = (typeof logLevels)[number];

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** Every mistake in the configuration, one a line. */
export class ConfigError extends Error {}

const wholeNumber = (from: number, to: number, otherwise: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .refine((value) => value >= from && value <= to)
    .default(otherwise);

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
  LIVE_MAX_EVENTS_PER_SECOND: wholeNumber(1, 1000, defaultLimits.maxEventsPerSecond),
  LIVE_STALLED_SECONDS: wholeNumber(1, 3600, defaultLimits.stalledMilliseconds / 1000),
  LIVE_MAX_SUBSCRIPTIONS: wholeNumber(1, 1_000_000, defaultLimits.maxSubscriptions),
  LIVE_MAX_CONNECTIONS: wholeNumber(1, 1_000_000, defaultLimits.maxConnections),
  LIVE_MAX_CONNECTIONS_PER_KEY: wholeNumber(1, 1_000_000, defaultLimits.maxConnectionsPerKey),
  LIVE_MAX_MESSAGE_BYTES: wholeNumber(1024, 100_000_000, defaultLimits.maxMessageBytes),
  LIVE_INIT_SECONDS: wholeNumber(1, 3600, defaultLimits.initMilliseconds / 1000),
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
  LIVE_MAX_EVENTS_PER_SECOND: 'a whole number from 1 to 1000',
  LIVE_STALLED_SECONDS: 'a whole number of seconds from 1 to 3600',
  LIVE_MAX_SUBSCRIPTIONS: 'a whole number from 1 to 1000000',
  LIVE_MAX_CONNECTIONS: 'a whole number from 1 to 1000000',
  LIVE_MAX_CONNECTIONS_PER_KEY: 'a whole number from 1 to 1000000',
  LIVE_MAX_MESSAGE_BYTES: 'a whole number of bytes from 1024 to 100000000',
  LIVE_INIT_SECONDS: 'a whole number of seconds from 1 to 3600',
};

/** Their values are never repeated: they would end in a log. */
const secrets: readonly string[] = [
  'DATABASE_URL',
  'DATABASE_OWNER_URL',
  'REDIS_URL',
  'SEATKEEPER_OPERATOR_KEY',
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
  if (!parsed.success) {
    const mistaken = new Set(parsed.error.issues.map((issue) => issue.path[0] as keyof typeof wanted));
    const lines = [...mistaken].map((name) => {
      const is = secrets.includes(name) ? '' : `, not ${JSON.stringify(given[name])}`;
      return `${name} must be ${wanted[name]}${is}.`;
    });
    throw new ConfigError(lines.join('\n'));
  }
  const values = parsed.data;
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
    limits: {
      maxEventsPerSecond: values.LIVE_MAX_EVENTS_PER_SECOND,
      stalledMilliseconds: values.LIVE_STALLED_SECONDS * 1000,
      maxSubscriptions: values.LIVE_MAX_SUBSCRIPTIONS,
      maxConnections: values.LIVE_MAX_CONNECTIONS,
      maxConnectionsPerKey: values.LIVE_MAX_CONNECTIONS_PER_KEY,
      maxMessageBytes: values.LIVE_MAX_MESSAGE_BYTES,
      initMilliseconds: values.LIVE_INIT_SECONDS * 1000,
    },
  };
}

/** The operator's key: the configured one, else the one in the data folder, which is made the first time. */
export function operatorKey(config: Config): string {
  if (config.operatorKey !== null) return config.operatorKey;
  const file = join(config.dataFolder, 'operator-key');
  mkdirSync(config.dataFolder, { recursive: true, mode: 0o700 });
  try {
    writeFileSync(file, `sk_${randomBytes(24).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  chmodSync(file, 0o600);
  const key = readFileSync(file, 'utf8').trim();
  if (key === '') throw new ConfigError(`${file} is empty: delete it, and a new key is made.`);
  return key;
}
