import type pg from 'pg';
import { openAdmission } from './admission.ts';
import { closedLoop, type Loop, parentOf, postgresMicroseconds, rounded } from './measure.ts';
import { section } from './report.ts';
import { resetSessions } from './seed.ts';

/**
 * What the history costs a logon: none of it written, one table with one index as it once was, and by month with the
 * index of time. By what Node and PostgreSQL use of the processor for a logon, which others on the machine change less than
 * its rate; in turns, each time in another order; the least of each counts.
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
  const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid');
  const postmaster = parentOf(rows[0]?.pid ?? 0);
  const loads = {
    'one organisation, 100 callers': { callers: 100, limit: hotUsers, request: hotLogon },
    '1,000 organisations, 500 callers': { callers: 500, limit: otherUsers, request: otherLogon },
  };
  try {
    for (const [load, loop] of Object.entries(loads)) {
      const measured = new Map<string, Cost[]>();
      for (let round = 0; round < rounds; round += 1) {
        const names = Object.keys(shapes);
        for (const shape of [...names.slice(round), ...names.slice(0, round)]) {
          const statements = shapes[shape] ?? [];
          for (const statement of statements) await pool.query(statement);
          await resetSessions(pool, 0);
          const { requests } = await closedLoop({ ...loop, seconds: warmUpSeconds });
          measured.set(shape, [
            ...(measured.get(shape) ?? []),
            await measure(postmaster, { ...loop, seconds, from: requests }),
          ]);
          if (statements.length > 0) await putBack(pool);
        }
      }
      const least = Object.keys(shapes).map((shape) => {
        const costs = measured.get(shape) ?? [];
        return { shape, ...costs.reduce((one, other) => (sumOf(other) < sumOf(one) ? other : one)) };
      });
      for (const { shape, ...cost } of least) {
        const [base = cost] = least;
        report({
          case: `${load}: ${shape}`,
          ...cost,
          addsPercent: rounded((sumOf(cost) / sumOf(base) - 1) * 100, 1),
        });
      }
    }
  } finally {
    await admission.stop();
  }
}

/** Of a logon. */
interface Cost {
  readonly perSecond: number;
  readonly nodeMicroseconds: number;
  readonly databaseMicroseconds: number;
}

const sumOf = ({ nodeMicroseconds, databaseMicroseconds }: Cost) => nodeMicroseconds + databaseMicroseconds;

async function measure(postmaster: number, loop: Loop): Promise<Cost> {
  const [node, database] = [process.cpuUsage(), postgresMicroseconds(postmaster)];
  const { requests, perSecond } = await closedLoop(loop);
  const { user, system } = process.cpuUsage(node);
  return {
    perSecond,
    nodeMicroseconds: rounded((user + system) / requests, 1),
    databaseMicroseconds: rounded((postgresMicroseconds(postmaster) - database) / requests, 1),
  };
}

async function putBack(pool: pg.Pool): Promise<void> {
  await pool.query('drop table history');
  await pool.query('alter table history_by_month rename to history');
}
