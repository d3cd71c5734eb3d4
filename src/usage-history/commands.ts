import { type Of, byOrganisation } from '../database/bulk.ts';
import { inTransaction } from '../database/transaction.ts';
import { earliest, type Instant } from '../kernel/clock.ts';
import type { OrganisationId } from '../kernel/ids.ts';
import type { Services } from '../live/services.ts';
import { type Denials, rollUp, widths } from './domain.ts';
import {
  dropHistoryMonths,
  type Happened,
  type KeptSpan,
  listBehind,
  listBehindIn,
  listDenied,
  listHappened,
  listLastSpans,
  lockProgress,
  makeHistoryMonths,
  saveSpans,
  updateProgress,
} from './store.ts';

/** One transaction sums up at most so many organisations, and so many rows of them together. */
const maxOrganisations = 100;
const maxRows = 20_000;

/**
 * Sums up what happened since it was last done, organisation by organisation; what was done is not done again. Several
 * servers may do it at once: each takes what the others have not.
 * @param signal stops it after the transaction under way
 */
export async function rollUpHistory(services: Pick<Services, 'db'>, signal?: AbortSignal): Promise<void> {
  await rollUpAll(services, () => listBehind(services.db, maxOrganisations), signal);
}

/**
 * Makes months of the history ahead, and drops old ones that are summed up (HISTORY_MONTHS).
 * @param months how many whole ones are kept; null: all
 */
export async function keepHistoryMonths(
  services: Pick<Services, 'db' | 'clock' | 'log'>,
  months: number | null,
  signal?: AbortSignal,
): Promise<void> {
  const { db, clock, log } = services;
  await makeHistoryMonths(db);
  if (months === null) return;
  const before = startOfMonthBefore(clock.now(), months);
  // Whose clock stands still is summed up no further by itself.
  await rollUpAll(services, () => listBehindIn(db, before, maxOrganisations), signal);
  const dropped = await dropHistoryMonths(db, months);
  if (dropped > 0) log.info({ dropped }, 'dropped old months of the history');
}

function startOfMonthBefore(now: Instant, months: number): Instant {
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - months, 1));
}

async function rollUpAll(
  services: Pick<Services, 'db'>,
  list: () => Promise<OrganisationId[]>,
  signal: AbortSignal | undefined,
): Promise<void> {
  // Where somebody logs on all the time something happened always: once through is enough.
  const done = new Set<OrganisationId>();
  while (signal?.aborted !== true) {
    const ids = (await list()).filter((id) => !done.has(id));
    if (ids.length === 0) return;
    const unfinished = await rollUpOrganisations(services, ids);
    for (const id of ids) if (!unfinished.has(id)) done.add(id);
  }
}

/** @returns those of which there is more than one transaction sums up */
async function rollUpOrganisations(
  { db }: Pick<Services, 'db'>,
  organisationIds: readonly OrganisationId[],
): Promise<ReadonlySet<OrganisationId>> {
  return inTransaction(db, 'rollUp', async (trx) => {
    const progress = await lockProgress(trx, organisationIds);
    const most = Math.floor(maxRows / Math.max(1, progress.length));
    // After the locks, and after it was read up to where they are settled: what is not seen yet is not before that.
    const happened = byOrganisation(
      await listHappened(
        trx,
        progress.map((each) => ({ ...each, most })),
      ),
    );
    const advanced = progress.map(({ organisationId, historyId, denialsUntil, settledAt }) => {
      const rows = happened.get(organisationId) ?? [];
      const last = rows.length < most ? undefined : rows.at(-1);
      return {
        organisationId,
        historyId: rows.at(-1)?.id ?? historyId,
        from: denialsUntil,
        denialsUntil: earliest(settledAt, last?.at ?? null),
      };
    });
    const denied = byOrganisation(
      await listDenied(
        trx,
        advanced.map((each) => ({ ...each, until: each.denialsUntil })),
      ),
    );
    const news = organisationIds.flatMap((id) => newsOf(happened.get(id) ?? [], denied.get(id) ?? []));
    const asked = news.flatMap(({ organisationId, licence }) =>
      widths.map((width) => ({ organisationId, licence, width })),
    );
    const lasts = new Map((await listLastSpans(trx, asked)).map((last) => [keyOf(last), last.span]));
    const spans = news.flatMap(({ organisationId, licence, changes, denials }) =>
      widths.flatMap((width): KeptSpan[] => {
        const of = { organisationId, licence, width };
        const rolled = rollUp(width, lasts.get(keyOf(of)) ?? null, changes, denials);
        return rolled.map((span) => ({ ...of, span }));
      }),
    );
    await Promise.all([saveSpans(trx, spans), updateProgress(trx, advanced)]);
    const isFull = ({ organisationId }: (typeof progress)[number]) =>
      happened.get(organisationId)?.length === most;
    return new Set(progress.filter(isFull).map(({ organisationId }) => organisationId));
  });
}

function keyOf({ organisationId, licence, width }: Omit<KeptSpan, 'span'>): string {
  return `${organisationId}/${licence}/${width}`;
}

/** What happened in an organisation, by licence. */
function newsOf(happened: readonly Happened[], denied: readonly (Of<Denials> & Pick<Happened, 'licence'>)[]) {
  const changes = Map.groupBy(happened, ({ licence }) => licence);
  const denials = Map.groupBy(denied, ({ licence }) => licence);
  return [...new Set([...changes.keys(), ...denials.keys()])].flatMap((licence) => {
    const [change, denial] = [changes.get(licence) ?? [], denials.get(licence) ?? []];
    const organisationId = (change[0] ?? denial[0])?.organisationId;
    return organisationId === undefined
      ? []
      : [{ organisationId, licence, changes: change, denials: denial }];
  });
}
