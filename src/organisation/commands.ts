import { type Change, differing, doneBy } from '../audit/domain.ts';
import { note } from '../audit/store.ts';
import { inTransaction, type Transaction } from '../database/transaction.ts';
import type { IdempotencyKeyReused } from '../idempotency/domain.ts';
import { lockKey, once } from '../idempotency/store.ts';
import type { Instant } from '../kernel/clock.ts';
import { encodeOrganisationId, newId, nowhere, type OrganisationId } from '../kernel/ids.ts';
import {
  type InvalidInput,
  invalidInput,
  isRefusal,
  type NotFound,
  notFound,
  type Refusal,
} from '../kernel/refusal.ts';
import { inLedger, inLedgerAt } from '../ledger/commands.ts';
import type { Services } from '../live/services.ts';
import { billingPeriodAt, decideClock, decideLease, type Organisation } from './domain.ts';
import { insertOrganisation, listOrganisations } from './store.ts';

export type ExternalIdTaken = Refusal<'EXTERNAL_ID_TAKEN'>;
export type NotATestClock = Refusal<'NOT_A_TEST_CLOCK'>;

export interface CreateOrganisation {
  readonly name: string;
  readonly externalId: string | null;
  readonly parentId: OrganisationId | null;
  readonly timeZone: string;
  readonly leaseSeconds: number;
  /** Where its test clock begins (T2); null: the organisation lives in real time. */
  readonly testClockAt: Instant | null;
  readonly idempotencyKey: string | null;
}

export async function createOrganisation(
  services: Services,
  input: CreateOrganisation,
): Promise<Organisation | ExternalIdTaken | InvalidInput | NotFound | IdempotencyKeyReused> {
  const { idempotencyKey, testClockAt, ...rest } = input;
  // The keys of one partner are not another's.
  const partner = services.by?.actor.organisationId ?? null;
  const real = services.clock.now();
  const at = testClockAt ?? real;
  const invalid = decideLease(input.leaseSeconds) ?? decideClock('testClockAt', at, input.timeZone);
  if (invalid !== null) return invalid;

  const request = {
    scope: `createOrganisation${partner === null ? '' : `:${partner}`}`,
    key: idempotencyKey,
    arguments: { ...rest, testClockAt },
  };
  return inTransaction(services.db, 'createOrganisation', async (trx) => {
    await lockKey(trx, request);
    return once<Organisation, ExternalIdTaken | NotFound>(
      trx,
      partner ?? nowhere,
      request,
      real,
      async (): Promise<Organisation | ExternalIdTaken | NotFound> => {
        if (input.parentId !== null && (await listOrganisations(trx, [input.parentId])).length === 0) {
          return notFound('parent organisation');
        }
        const period = billingPeriodAt(at, input.timeZone);
        const organisation: Organisation = {
          ...rest,
          id: newId(),
          testClock: testClockAt !== null,
          settledAt: at,
          nextDueAt: period.until,
          period,
          activeUsers: 0,
          activeInBillingPeriod: 0,
          revision: 1,
          rowsRevision: 1,
          createdAt: real,
        };
        if (await insertOrganisation(trx, organisation)) {
          await noteCreation(services, trx, organisation);
          return organisation;
        }
        return {
          code: 'EXTERNAL_ID_TAKEN',
          message: `Another organisation has the external id “${input.externalId}”; choose another.`,
        };
      },
      async (id) => {
        const [organisation] = await listOrganisations(trx, [id]);
        if (organisation === undefined) throw new Error(`Organisation ${id} is remembered and gone`);
        return organisation;
      },
    );
  });
}

/** The first entry of its own chain, in the transaction that makes the organisation: nobody else can see either before. */
async function noteCreation(
  { by, clock }: Services,
  trx: Transaction,
  { id, parentId, name, externalId, timeZone, leaseSeconds, testClock }: Organisation,
): Promise<void> {
  const change: Change = {
    subject: encodeOrganisationId(id),
    before: null,
    after: {
      ...{ name, externalId, timeZone, leaseSeconds, testClock },
      parentId: parentId === null ? null : encodeOrganisationId(parentId),
    },
  };
  await note(trx, { organisationId: id, ...change, ...doneBy(by, clock.now(), 'createOrganisation') });
}

export interface UpdateOrganisation {
  readonly organisationId: OrganisationId;
  /** null: unchanged; so with the others. */
  readonly name: string | null;
  /** The running billing period keeps its end (T1). */
  readonly timeZone: string | null;
  /** Counts from each session's next renewal (L8). */
  readonly leaseSeconds: number | null;
}

export async function updateOrganisation(
  services: Services,
  { organisationId, name, timeZone, leaseSeconds }: UpdateOrganisation,
): Promise<Organisation | InvalidInput | NotFound> {
  const invalid = leaseSeconds === null ? null : decideLease(leaseSeconds);
  if (invalid !== null) return invalid;

  return inLedger(services, 'updateOrganisation', organisationId, async ({ ledger, note }) => {
    const former = ledger.organisation;
    ledger.organisation = {
      ...former,
      name: name ?? former.name,
      timeZone: timeZone ?? former.timeZone,
      leaseSeconds: leaseSeconds ?? former.leaseSeconds,
    };
    note({
      subject: encodeOrganisationId(organisationId),
      ...differing(former, ledger.organisation, ['name', 'timeZone', 'leaseSeconds']),
    });
    return ledger.organisation;
  });
}

/** How far a test clock moves in one transaction: more months are settled in several, and others have their turn between. */
const maxYearsAtOnce = 100;

/**
 * T2: moves a test clock forwards; all that falls due on the way takes effect at its own instant, in order. It passes a
 * century at a time: where the server fails on the way it stands at one, and the same call moves it on.
 */
export async function advanceTestClock(
  services: Services,
  organisationId: OrganisationId,
  to: Instant,
): Promise<Organisation | NotATestClock | InvalidInput | NotFound> {
  for (;;) {
    let former: Instant | null = null;
    const organisation = await inLedgerAt<Organisation, NotATestClock | InvalidInput>(
      services,
      'advanceTestClock',
      organisationId,
      ({ testClock, settledAt, timeZone }): { to: Instant } | NotATestClock | InvalidInput => {
        if (!testClock) {
          return {
            code: 'NOT_A_TEST_CLOCK',
            message:
              'This organisation lives in real time; only one created with `testClockAt` has a clock to move.',
          };
        }
        if (to < settledAt) {
          return invalidInput(
            'to',
            `A test clock moves forwards only, and stands at ${settledAt.toISOString()}.`,
          );
        }
        former = settledAt;
        const farthest = new Date(settledAt);
        farthest.setUTCFullYear(settledAt.getUTCFullYear() + maxYearsAtOnce);
        return decideClock('to', to, timeZone) ?? { to: to < farthest ? to : farthest };
      },
      async ({ ledger, note }) => {
        note({
          subject: encodeOrganisationId(organisationId),
          before: { now: former },
          after: { now: ledger.now },
        });
        return ledger.organisation;
      },
    );
    if (isRefusal(organisation) || organisation.settledAt >= to) return organisation;
  }
}
