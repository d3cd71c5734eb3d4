import { encodeOwnedId, newId, type OrganisationId, type UserId } from '../kernel/ids.ts';
import { isRefusal, type NotFound, notFound } from '../kernel/refusal.ts';
import { inLedger } from '../ledger/commands.ts';
import {
  countHolders,
  endLoadedSessions,
  releaseLostFeature,
  takeBackBaseLicence,
  takeBaseLicences,
} from '../ledger/desk.ts';
import { findLicence, isFeature } from '../licence/domain.ts';
import type { Services } from '../live/services.ts';
import { consumes } from '../user/domain.ts';
import {
  type AlreadyAssigned,
  type Assignment,
  alreadyAssigned,
  type NoBaseLicenceAvailable,
  type NotAssigned,
  notAssigned,
  type UserDeleted,
  userDeleted,
} from './domain.ts';
import { insertAssignments, listAssignments, removeAssignments, saveBaseLicences } from './store.ts';

export interface AssignLicence {
  readonly organisationId: OrganisationId;
  readonly userId: UserId;
  readonly licence: string;
}

/** B1, B3, B4, B6 and B7. */
export async function assignLicence(
  services: Services,
  { organisationId, userId, licence: code }: AssignLicence,
): Promise<Assignment | NoBaseLicenceAvailable | AlreadyAssigned | UserDeleted | NotFound> {
  return inLedger(services, 'assignLicence', organisationId, async (desk) => {
    const { trx, ledger } = desk;
    const licence = findLicence(ledger.catalogue, code);
    if (isRefusal(licence)) return licence;
    await desk.loadHolders([userId]);
    const user = ledger.holders.get(userId);
    if (user === undefined) return notFound('user');
    if (user.status === 'DELETED') return userDeleted();
    if (user.assigned.has(licence.code)) return alreadyAssigned(licence);

    const bases = consumes(user.status) ? await takeBaseLicences(desk, userId, [licence]) : [];
    if (isRefusal(bases)) return bases;
    await saveBaseLicences(trx, organisationId, bases);
    const assignment: Assignment = {
      id: newId(),
      userId,
      licence: licence.code,
      assignedAt: ledger.now,
      consumedAt: bases.length > 0 ? ledger.now : null,
    };
    await insertAssignments(trx, organisationId, [assignment]);
    countHolders(ledger, [licence.code], 1);
    const consumed = assignment.consumedAt !== null;
    desk.note({
      subject: encodeOwnedId('User', organisationId, userId),
      before: null,
      after: { licence: licence.code, consumed },
    });
    return assignment;
  });
}

/** B2, B7 and U5. @returns the user's id */
export async function unassignLicence(
  services: Services,
  { organisationId, userId, licence: code }: AssignLicence,
): Promise<{ readonly userId: UserId } | NotAssigned | NotFound> {
  return inLedger(services, 'unassignLicence', organisationId, async (desk) => {
    const { trx, ledger } = desk;
    const licence = findLicence(ledger.catalogue, code);
    if (isRefusal(licence)) return licence;
    await desk.loadHolders([userId]);
    if (!ledger.holders.has(userId)) return notFound('user');
    const assignments = await listAssignments(trx, organisationId, [userId]);
    const assignment = assignments.find((other) => other.licence === licence.code);
    if (assignment === undefined) return notAssigned(licence);

    if (isFeature(licence)) releaseLostFeature(ledger, userId, licence.code);
    else {
      endLoadedSessions(
        ledger,
        (session) => session.userId === userId && session.licence === licence.code,
        'LICENCE_UNASSIGNED',
      );
    }
    await removeAssignments(trx, organisationId, [assignment.id], ledger.now);
    countHolders(ledger, [licence.code], -1);
    if (assignment.consumedAt !== null) await takeBackBaseLicence(desk, userId, licence.code);
    desk.note({
      subject: encodeOwnedId('User', organisationId, userId),
      before: { licence: licence.code, consumed: assignment.consumedAt !== null },
      after: null,
    });
    return { userId };
  });
}
