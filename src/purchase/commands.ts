import { differing } from '../audit/domain.ts';
import type { IdempotencyKeyReused } from '../idempotency/domain.ts';
import { once } from '../idempotency/store.ts';
import type { Instant } from '../kernel/clock.ts';
import { encodeOwnedId, newId, type OrganisationId, type PurchaseId } from '../kernel/ids.ts';
import { type InvalidInput, isRefusal, type NotFound, notFound } from '../kernel/refusal.ts';
import { inLedger, inStep } from '../ledger/commands.ts';
import { findLicence } from '../licence/domain.ts';
import type { Services } from '../live/services.ts';
import { changePool, poolOf } from '../usage/domain.ts';
import {
  changeTotals,
  decideEnd,
  decideInterval,
  decideQuantities,
  isInForce,
  type Purchase,
  type Quantities,
} from './domain.ts';
import { insertPurchase, listPurchases, sumOpenPurchases, updatePurchaseEnd } from './store.ts';

export interface RecordPurchase extends Quantities {
  readonly organisationId: OrganisationId;
  readonly licence: string;
  /** null: now. */
  readonly from: Instant | null;
  readonly until: Instant | null;
  /** The buyer's own, such as an order number. */
  readonly reference: string | null;
  readonly idempotencyKey: string | null;
}

/** P3 and P4; a smaller total than is in use is accepted (P2). */
export async function recordPurchase(
  services: Services,
  { organisationId, idempotencyKey, ...input }: RecordPurchase,
): Promise<Purchase | InvalidInput | NotFound | IdempotencyKeyReused> {
  return inLedger(services, 'recordPurchase', organisationId, ({ trx, ledger, note }) =>
    once<Purchase, InvalidInput | NotFound>(
      trx,
      organisationId,
      { scope: 'recordPurchase', key: idempotencyKey, arguments: input },
      services.clock.now(),
      async (): Promise<Purchase | InvalidInput | NotFound> => {
        const licence = findLicence(ledger.catalogue, input.licence);
        if (isRefusal(licence)) return licence;

        const recorded = await sumOpenPurchases(trx, organisationId, licence.code, ledger.now);
        const invalid = decideQuantities(licence, input, recorded);
        if (invalid !== null) return invalid;
        const interval = decideInterval(input.from, input.until, ledger.now);
        if (isRefusal(interval)) return interval;

        const purchase: Purchase = {
          id: newId(),
          licence: licence.code,
          base: input.base,
          concurrent: input.concurrent,
          contingency: input.contingency,
          ...interval,
          reference: input.reference,
          recordedAt: ledger.now,
        };
        await insertPurchase(trx, organisationId, purchase);
        inStep(ledger, (tally) => {
          changePool(tally, licence.code, { purchases: poolOf(tally, licence.code).purchases + 1 });
          if (isInForce(purchase, ledger.now)) changeTotals(tally, licence.code, purchase, 1);
        });
        const { id, recordedAt: _, ...bought } = purchase;
        note({ subject: encodeOwnedId('Purchase', organisationId, id), before: null, after: bought });
        return purchase;
      },
      async (id) => {
        const [purchase] = await listPurchases(trx, organisationId, [id]);
        if (purchase === undefined) throw new Error(`Purchase ${id} is remembered and gone`);
        return purchase;
      },
    ),
  );
}

export interface EndPurchase {
  readonly organisationId: OrganisationId;
  readonly purchaseId: PurchaseId;
  /** null: now (P4). */
  readonly until: Instant | null;
}

export async function endPurchase(
  services: Services,
  { organisationId, purchaseId, until }: EndPurchase,
): Promise<Purchase | InvalidInput | NotFound> {
  return inLedger(services, 'endPurchase', organisationId, async ({ trx, ledger, note }) => {
    const [purchase] = await listPurchases(trx, organisationId, [purchaseId]);
    if (purchase === undefined) return notFound('purchase');
    const end = decideEnd(purchase, until, ledger.now);
    if (isRefusal(end)) return end;

    const ended = { ...purchase, until: end };
    await updatePurchaseEnd(trx, organisationId, purchaseId, end);
    inStep(ledger, (tally) => {
      if (isInForce(purchase, ledger.now) && !isInForce(ended, ledger.now)) {
        changeTotals(tally, purchase.licence, purchase, -1);
      }
    });
    note({
      subject: encodeOwnedId('Purchase', organisationId, purchaseId),
      ...differing(purchase, ended, ['until']),
    });
    return ended;
  });
}
