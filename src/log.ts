import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';
import type { LogLevel } from './config.ts';

/** What a driver's error says of the rows and statements that it is about: personal data, and what was sent. */
const kept = [
  'code',
  'severity',
  'schema',
  'table',
  'column',
  'constraint',
  'routine',
  'transaction',
] as const;

/**
 * An error as it is logged: what it is, where it comes from, and what caused it; none of its other properties. pg's own
 * have a row's values in `detail` and `where`, and other drivers' the connection with its password.
 */
export function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === 'object' ? { type: 'object' } : error;
  const properties = error as unknown as Readonly<Record<string, unknown>>;
  const facts = kept.flatMap((name) => {
    const value = properties[name];
    return typeof value === 'string' ? [[name, value] as const] : [];
  });
  return {
    type: error.name,
    message: error.message,
    stack: error.stack,
    ...Object.fromEntries(facts),
    ...(error instanceof AggregateError ? { errors: error.errors.map(describeError) } : {}),
    ...(error.cause === undefined ? {} : { cause: describeError(error.cause) }),
  };
}

/** Structured logs on standard error, one JSON object a line; told in words where a person reads along. */
export function createLog(level: LogLevel): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: describeError },
  };
  const standardError = 2;
  return process.stderr.isTTY
    ? pino(options, pretty({ destination: standardError, sync: true, translateTime: 'HH:MM:ss.l' }))
    : pino(options, pino.destination({ dest: standardError, sync: true }));
}
