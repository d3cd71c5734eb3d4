import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';
import type { LogLevel } from './config.ts';

/** Structured logs on standard error, one JSON object a line; told in words where a person reads along. */
export function createLog(level: LogLevel): Logger {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  const standardError = 2;
  return process.stderr.isTTY
    ? pino(options, pretty({ destination: standardError, sync: true, translateTime: 'HH:MM:ss.l' }))
    : pino(options, pino.destination({ dest: standardError, sync: true }));
}
