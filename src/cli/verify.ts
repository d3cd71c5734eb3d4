import { parseArgs } from 'node:util';
import { verifyChain } from '../audit/commands.ts';
import { describeFlaw } from '../audit/domain.ts';
import { findNextChain } from '../audit/store.ts';
import { ConfigError, readConfig } from '../config.ts';
import { createDatabase, type Database, patient } from '../database/database.ts';
import { EmbeddedPostgresError, findRunning } from '../database/embedded.ts';
import { isMigrated } from '../database/migrate.ts';
import { openServer } from '../database/server.ts';
import { within } from '../database/wall.ts';
import { systemClock } from '../kernel/clock.ts';
import { decodeId, nowhere, type OrganisationId } from '../kernel/ids.ts';
import { createLog } from '../log.ts';
import { findOrganisationIdByExternalId, listOrganisations } from '../organisation/store.ts';
import { repairOrganisation, surveyOrganisation } from '../verification/commands.ts';
import { describe, describeRepair, type Finding, isMendable } from '../verification/domain.ts';
import { countOrganisationsAndHistory, pageOrganisationNames } from '../verification/store.ts';

const usage = `npm run verify -- [--repair | --audit] [--organisation ID] [--json]

Compares every figure that is kept with what the rows behind it say: seats in use with the holds, holds with the live
sessions, totals with the purchases, peaks with the history, the history with its own events and the purchases, base
licences with the assignments, users with their status. Runs beside a live server: nobody waits for it.

  --repair            sets right what can be, organisation by organisation, and records it in the table "repair"
  --audit             walks the audit log's chains instead, and names in each the first entry that was edited, removed,
                      moved or forged, and a tail that was cut off
  --organisation ID   only this one, by its id or its external id
  --json              one line of JSON an organisation with drift; with --audit one a chain, with its last hash, to be
                      kept where nobody who can write to the database can write

Ends with 0 where there is no drift (or all of it was repaired) and every chain is whole, 1 where there is, 2 where it could not look.`;

/** What a person can act on: the message says all. */
class VerifyError extends Error {}

interface Named {
  readonly id: OrganisationId;
  readonly name: string;
}

const pageSize = 500;

/** @returns how many findings remain */
async function verify(): Promise<number> {
  const { values } = parseArgs({
    options: {
      repair: { type: 'boolean', default: false },
      audit: { type: 'boolean', default: false },
      organisation: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  await using open = new AsyncDisposableStack();
  const opened = await openDatabase(open);
  if (!(await isMigrated(opened)))
    throw new VerifyError('The database is not migrated: run `npm run migrate`.');
  const db = within(opened, 'ALL');

  // Awaited here: the database is closed when this function is left.
  if (values.audit) return await verifyAudit(db, values);

  const started = performance.now();
  let checked = 0;
  let remaining = 0;
  let found = 0;
  const { organisations, history } = await countOrganisationsAndHistory(db);
  for await (const organisation of select(db, values.organisation)) {
    const survey = await surveyOrganisation(db, organisation.id);
    const findings =
      values.repair && survey.findings.some(isMendable)
        ? await repairOrganisation(db, systemClock, survey)
        : survey.findings;
    found += findings.length;
    remaining += findings.filter((finding) => !values.repair || !isMendable(finding)).length;
    report(organisation, findings, values);
    checked += 1;
    if (process.stderr.isTTY) process.stderr.write(`\r${checked} of ${organisations} organisations …\r`);
  }
  if (!values.json) {
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const outcome =
      found === 0
        ? 'no drift'
        : values.repair
          ? `${found} figures were wrong, ${found - remaining} are set right`
          : `${found} figures are wrong; set them right with: npm run verify -- --repair`;
    console.log(
      `${checked} organisations checked in ${seconds} s (${history} rows of history in all): ${outcome}.`,
    );
  }
  return remaining;
}

/** @returns how many chains have a flaw */
async function verifyAudit(
  db: Database,
  { organisation, json }: { readonly organisation?: string | undefined; readonly json: boolean },
): Promise<number> {
  const started = performance.now();
  let [chains, entries, flawed] = [0, 0, 0];
  for await (const { id, name } of organisation === undefined ? selectChains(db) : select(db, organisation)) {
    const { head, flaw } = await verifyChain(db, id);
    const [sequence, hash] = [head.sequence, head.hash.toString('hex')];
    if (json) console.log(JSON.stringify({ organisation: id, name, sequence, hash, flaw }));
    else if (flaw !== null) console.log(`${name} (${id}): ${describeFlaw(flaw)}`);
    chains += 1;
    entries += sequence;
    if (flaw !== null) flawed += 1;
  }
  if (!json) {
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const outcome = flawed === 0 ? 'every chain is whole' : `${flawed} chains are not as they were written`;
    console.log(`${chains} chains walked in ${seconds} s (${entries} entries in all): ${outcome}.`);
  }
  return flawed;
}

async function* selectChains(db: Database): AsyncGenerator<Named, void, void> {
  for (let after: OrganisationId | null = null; ;) {
    const chain: Awaited<ReturnType<typeof findNextChain>> = await findNextChain(db, after);
    if (chain === null) return;
    const { organisationId: id, name } = chain;
    yield {
      id,
      name: id === nowhere ? 'Of no organisation' : (name ?? 'Of an organisation that is not there'),
    };
    after = id;
  }
}

/** The configured database; the embedded one also while a server runs on it. */
async function openDatabase(open: AsyncDisposableStack): Promise<Database> {
  const config = readConfig(process.env);
  const log = createLog(config.logLevel);
  const running = config.databaseUrl === null ? findRunning({ ...config, log }) : null;
  const connection = running ?? (await startServer(open));
  const { db, close } = createDatabase({ ...connection, ...patient, max: 2 });
  open.defer(close);
  return db;

  async function startServer(stack: AsyncDisposableStack) {
    const server = await openServer({ ...config, log });
    stack.defer(() => server.stop());
    return server.connection;
  }
}

async function* select(db: Database, wanted: string | undefined): AsyncGenerator<Named, void, void> {
  if (wanted !== undefined) {
    const reference = decodeId(wanted);
    const id =
      reference?.type === 'Organisation'
        ? reference.organisationId
        : await findOrganisationIdByExternalId(db, wanted);
    const [organisation] = id === null ? [] : await listOrganisations(db, [id]);
    if (organisation === undefined)
      throw new VerifyError(`There is no organisation with the id or external id ${wanted}.`);
    yield organisation;
    return;
  }
  for (let after: OrganisationId | null = null; ;) {
    const page: readonly Named[] = await pageOrganisationNames(db, after, pageSize);
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.id;
  }
}

function report(
  { id, name }: Named,
  findings: readonly Finding[],
  { repair, json }: { readonly repair: boolean; readonly json: boolean },
): void {
  if (findings.length === 0) return;
  if (json) {
    console.log(JSON.stringify({ organisation: id, name, findings }));
    return;
  }
  console.log(`${name} (${id}):`);
  for (const finding of findings) {
    const mended = repair ? ` – ${describeRepair(finding)}` : '';
    console.log(`  ${describe(finding)}${mended}`);
  }
}

try {
  process.exitCode = (await verify()) === 0 ? 0 : 1;
} catch (error) {
  const isPlain = [VerifyError, ConfigError, EmbeddedPostgresError].some((known) => error instanceof known);
  console.error(isPlain ? (error as Error).message : error);
  process.exitCode = 2;
}
