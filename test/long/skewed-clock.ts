import { readFileSync } from 'node:fs';

/** Loaded before the server (`--import`): the wall clock is off by the milliseconds in the file that CLOCK_SKEW names. */
const file = process.env['CLOCK_SKEW'] ?? '';
const now = Date.now.bind(Date);
const skew = (): number => Number(readFileSync(file, 'utf8'));

class SkewedDate extends Date {
  constructor(...parts: []) {
    if (parts.length === 0) super(now() + skew());
    else super(...parts);
  }

  static override now(): number {
    return now() + skew();
  }
}
globalThis.Date = SkewedDate as DateConstructor;
