import type pg from 'pg';
import { openAdmission } from './admission.ts';
import { closedLoop, rounded } from './measure.ts';
import { section } from './report.ts';
import { resetSessions } from './seed.ts';

/**
 * What the history costs a logon: none of it written, one table with one index as it once was, and by month with the
 * index of time. In turns, because a machine is not as fast at one time as at another; the best of each counts.
 */
const rounds = 3;
const warmUpSeconds = 1;
const seconds = 3;

const columns = `organisation_id uuid not null, id bigint not null generated always as identity, at timestamptz(3) not null,
  kind history_kind not null, licence text collate "C" not null, user_id uuid, session_id uuid, admitted_as admitted_as,
  seat_changed boolean not null, in_use integer not null, concurrent_total integer not null,
  contingency_total integer not null, max_used integer not null, due boolean not null default false,
  primary key (organisation_id, id)`;

const shapes: Readonly<Record<string, readonly string[]>> = {
  'no history': [
    'alter table history rename to history_by_month',
    `create table history (${columns})`,
    'create rule nothing as on insert to history do instead nothing',
    'grant select, insert on history to seatkeeper_runtime',
  ],
  'one table, one index': [
    'alter table history rename to history_by_month',
    `create table history (${columns})`,
    'grant select, insert on history to seatkeeper_runtime',
  ],
  'by month, with history_time': [],
};

export async function run(): Promise<void> {
  const report = section('history-writes');
  const admission = await openAdmission();
  const { pool, hotLogon, otherLogon, hotUsers, otherUsers } = admission;
  const loads = {
    'one organisation, 100 callers': { callers: 100, limit: hotUsers, request: hotLogon },
    '1,000 organisations, 500 callers': { callers: 500, limit: otherUsers, request: otherLogon },
  };
  try {
    for (const [load, loop] of Object.entries(loads)) {
      const best = new Map<string, number>();
      for (let round = 0; round < rounds; round += 1) {
        for (const [shape, statements] of Object.entries(shapes)) {
          for (const statement of statements) await pool.query(statement);
          await resetSessions(pool, 0);
          const { requests } = await closedLoop({ ...loop, seconds: warmUpSeconds });
          const { perSecond } = await closedLoop({ ...loop, seconds, from: requests });
          best.set(shape, Math.max(best.get(shape) ?? 0, perSecond));
          if (statements.length > 0) await putBack(pool);
        }
      }
      const [base = 0] = best.values();
      for (const [shape, perSecond] of best) {
        report({
          case: `${load}: ${shape}`,
          perSecond,
          addsPercent: rounded((base / perSecond - 1) * 100, 1),
        });
      }
    }
  } finally {
    await admission.stop();
  }
}

async function putBack(pool: pg.Pool): Promise<void> {
  await pool.query('drop table history');
  await pool.query('alter table history_by_month rename to history');
}
