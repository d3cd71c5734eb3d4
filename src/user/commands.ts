import type { Assignment, NoBaseLicenceAvailable } from '../assignment/domain.ts';
import {
  consumeAssignments,
  insertAssignments,
  listAssignments,
  removeAssignments,
  saveBaseLicences,
} from '../assignment/store.ts';
import { nameOf } from '../audit/domain.ts';
import { eraseNames } from '../audit/store.ts';
import type { IdempotencyKeyReused } from '../idempotency/domain.ts';
import { eraseFromKeys, once } from '../idempotency/store.ts';
import { updateKeyNames } from '../access/store.ts';
import { deleteSecurityKeys } from '../security-key/store.ts';
import { encodeOwnedId, newId, type OrganisationId, type UserId } from '../kernel/ids.ts';
import { type InvalidInput, invalidInput, isRefusal, type NotFound, notFound } from '../kernel/refusal.ts';
import { type Desk, inLedger } from '../ledger/commands.ts';
import { countHolders, endLoadedSessions, takeBackBaseLicence, takeBaseLicences } from '../ledger/desk.ts';
import { findLicences, hasBaseLicences, inCatalogueOrder } from '../licence/domain.ts';
import type { Services } from '../live/services.ts';
import {
  countActivation,
  countDeactivation,
  decideTransition,
  type InvalidTransition,
  type User,
  pseudonymsOf,
  type UserNotDeleted,
  type UsernameTaken,
  type UserStatus,
  usernameTaken,
  userNotDeleted,
} from './domain.ts';
import { insertUser, isUsernameTaken, listUsers, updateNames, updateStatus } from './store.ts';

export interface CreateUser {
  readonly organisationId: OrganisationId;
  readonly username: string;
  /** null: the username. */
  readonly displayName: string | null;
  readonly email: string | null;
  readonly externalId: string | null;
  /** PRE_ACTIVE or ACTIVE (U1). */
  readonly status: UserStatus;
  /** Codes of the licences to assign at once. */
  readonly licences: readonly string[];
  readonly idempotencyKey: string | null;
}

/** U1, U4 and B6: an ACTIVE user gets a base licence of each licence that needs one, or nobody is created. */
export async function createUser(
  services: Services,
  { organisationId, idempotencyKey, ...input }: CreateUser,
): Promise<User | UsernameTaken | NoBaseLicenceAvailable | InvalidInput | NotFound | IdempotencyKeyReused> {
  if (input.status !== 'PRE_ACTIVE' && input.status !== 'ACTIVE') {
    return invalidInput('status', `A user is created PRE_ACTIVE or ACTIVE, not ${input.status}.`);
  }
  return inLedger(services, 'createUser', organisationId, (desk) =>
    once<User, UsernameTaken | NoBaseLicenceAvailable | NotFound>(
      desk.trx,
      organisationId,
      { scope: 'createUser', key: idempotencyKey, arguments: input },
      services.clock.now(),
      () => create(desk, input),
      (id) => getUser(desk, id),
    ),
  );
}

async function create(
  desk: Desk,
  input: Omit<CreateUser, 'organisationId' | 'idempotencyKey'>,
): Promise<User | UsernameTaken | NoBaseLicenceAvailable | NotFound> {
  const { trx, organisationId, ledger } = desk;
  const licences = findLicences(ledger.catalogue, input.licences);
  if (isRefusal(licences)) return licences;
  if (await isUsernameTaken(trx, organisationId, input.username)) return usernameTaken(input.username);

  const user: User = {
    id: newId(),
    username: input.username,
    displayName: input.displayName ?? input.username,
    email: input.email,
    externalId: input.externalId,
    status: input.status,
    activeMonth: null,
  };
  const isActive = user.status === 'ACTIVE';
  const bases = isActive ? await takeBaseLicences(desk, user.id, licences) : [];
  if (isRefusal(bases)) return bases;

  await insertUser(trx, organisationId, user, ledger.now);
  await saveBaseLicences(trx, organisationId, bases);
  await insertAssignments(
    trx,
    organisationId,
    licences.map((licence): Assignment => ({
      id: newId(),
      userId: user.id,
      licence: licence.code,
      assignedAt: ledger.now,
      consumedAt: isActive && hasBaseLicences(licence) ? ledger.now : null,
    })),
  );
  countHolders(
    ledger,
    licences.map(({ code }) => code),
    1,
  );
  if (isActive) {
    const { organisation } = ledger;
    ledger.organisation = {
      ...organisation,
      ...countActivation(organisation, null, organisation.period.month),
    };
  }
  desk.note({
    subject: encodeOwnedId('User', organisationId, user.id),
    before: null,
    after: {
      username: nameOf(user.id, user.username),
      displayName: nameOf(user.id, user.displayName),
      email: nameOf(user.id, user.email),
      externalId: nameOf(user.id, user.externalId),
      status: user.status,
      licences: licences.map(({ code }) => code),
    },
  });
  return user;
}

export interface SetUserStatus {
  readonly organisationId: OrganisationId;
  readonly userId: UserId;
  readonly status: UserStatus;
}

/** U1 to U4 and B6: a change of status, with all that goes with it, or none of it. */
export async function setUserStatus(
  services: Services,
  { organisationId, userId, status }: SetUserStatus,
): Promise<User | InvalidTransition | NoBaseLicenceAvailable | NotFound> {
  return inLedger(services, 'setUserStatus', organisationId, async (desk) => {
    const { trx, ledger } = desk;
    const [user] = await listUsers(trx, organisationId, [userId]);
    if (user === undefined) return notFound('user');
    const invalid = decideTransition(user.status, status);
    if (invalid !== null) return invalid;
    if (user.status === status) return user;

    if (user.status === 'PRE_ACTIVE' && status === 'ACTIVE') {
      const missing = await consumePlanned(desk, userId);
      if (missing !== null) return missing;
    }
    if (status === 'SUSPENDED' || status === 'DELETED') {
      await desk.loadHolders([userId]);
      const reason = status === 'DELETED' ? 'USER_DELETED' : 'USER_SUSPENDED';
      endLoadedSessions(ledger, (session) => session.userId === userId, reason);
    }
    if (status === 'DELETED') await removeEveryAssignment(desk, userId);

    const { organisation } = ledger;
    const { month } = organisation.period;
    const counts =
      status === 'ACTIVE'
        ? countActivation(organisation, user.activeMonth, month)
        : user.status === 'ACTIVE'
          ? countDeactivation(organisation)
          : {};
    ledger.organisation = { ...organisation, ...counts };
    const activeMonth = user.status === 'ACTIVE' ? month : user.activeMonth;
    await updateStatus(trx, organisationId, userId, { status, activeMonth }, ledger.now);
    desk.note({
      subject: encodeOwnedId('User', organisationId, userId),
      before: { status: user.status },
      after: { status },
    });
    return { ...user, status, activeMonth };
  });
}

/**
 * For a data-protection request: whatever a deleted user was known by becomes a pseudonym, in the audit log and in remembered
 * requests too. What was counted stays. Erasing a user again changes nothing.
 */
export async function eraseUser(
  services: Services,
  { organisationId, userId }: { readonly organisationId: OrganisationId; readonly userId: UserId },
): Promise<User | UserNotDeleted | NotFound> {
  return inLedger(services, 'eraseUser', organisationId, async ({ trx, note }) => {
    const [user] = await listUsers(trx, organisationId, [userId]);
    if (user === undefined) return notFound('user');
    if (user.status !== 'DELETED') return userNotDeleted(user.status);
    const erased = { ...user, ...pseudonymsOf(user) };
    if (erased.username === user.username) return user;

    await eraseFromKeys(trx, organisationId, user);
    await deleteSecurityKeys(trx, organisationId, userId);
    await updateKeyNames(trx, organisationId, userId, erased.username);
    await updateNames(trx, organisationId, erased, services.clock.now());
    await eraseNames(trx, organisationId, userId, erased.username);
    note({
      subject: encodeOwnedId('User', organisationId, userId),
      before: null,
      after: { username: erased.username },
    });
    return erased;
  });
}

/** B6: what was planned takes its base licences, all or none. */
async function consumePlanned(desk: Desk, userId: UserId): Promise<NoBaseLicenceAvailable | null> {
  const { trx, organisationId, ledger } = desk;
  const planned = await listAssignments(trx, organisationId, [userId]);
  const licences = inCatalogueOrder(
    ledger.catalogue,
    planned.map(({ licence }) => licence),
  ).filter(hasBaseLicences);
  const bases = await takeBaseLicences(desk, userId, licences);
  if (isRefusal(bases)) return bases;

  await saveBaseLicences(trx, organisationId, bases);
  const consumed = planned.filter((assignment) => licences.some(({ code }) => code === assignment.licence));
  await consumeAssignments(
    trx,
    organisationId,
    consumed.map(({ id }) => id),
    ledger.now,
  );
  return null;
}

/** U3: a deleted user gives everything back. */
async function removeEveryAssignment(desk: Desk, userId: UserId): Promise<void> {
  const { trx, organisationId, ledger } = desk;
  const assignments = await listAssignments(trx, organisationId, [userId]);
  await removeAssignments(
    trx,
    organisationId,
    assignments.map(({ id }) => id),
    ledger.now,
  );
  countHolders(
    ledger,
    assignments.map(({ licence }) => licence),
    -1,
  );
  for (const { licence, consumedAt } of assignments) {
    if (consumedAt !== null) await takeBackBaseLicence(desk, userId, licence);
  }
}

async function getUser({ trx, organisationId }: Desk, id: UserId): Promise<User> {
  const [user] = await listUsers(trx, organisationId, [id]);
  if (user === undefined) throw new Error(`User ${id} is remembered and gone`);
  return user;
}
