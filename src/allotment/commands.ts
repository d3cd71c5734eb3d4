import { type UserDeleted, userDeleted } from '../assignment/domain.ts';
import { differing } from '../audit/domain.ts';
import {
  encodeOwnedId,
  type DepartmentId,
  type LicenceCode,
  newId,
  type OrganisationId,
  type UserId,
} from '../kernel/ids.ts';
import { type InvalidInput, invalidInput, isRefusal, type NotFound, notFound } from '../kernel/refusal.ts';
import { type Desk, inLedger, inStep } from '../ledger/commands.ts';
import { findLicence } from '../licence/domain.ts';
import type { Services } from '../live/services.ts';
import { holdsOf } from '../session/domain.ts';
import { changePool, poolOf } from '../usage/domain.ts';
import { type Allotment, countAllotted, decideAllotment, type Department, maxDepartments } from './domain.ts';
import {
  countHeld,
  deleteAllotments,
  deleteDepartment,
  listDepartments,
  lookForName,
  saveDepartment,
  saveMembership,
} from './store.ts';

export async function createDepartment(
  services: Services,
  { organisationId, name }: { readonly organisationId: OrganisationId; readonly name: string },
): Promise<Department | InvalidInput | NotFound> {
  return inLedger(services, 'createDepartment', organisationId, async ({ trx, note }) => {
    const { count, taken } = await lookForName(trx, organisationId, name);
    if (taken !== null) return nameTaken(name);
    if (count >= maxDepartments) {
      return invalidInput('organisationId', `An organisation has at most ${maxDepartments} departments.`);
    }
    const department: Department = { id: newId(), name };
    await saveDepartment(trx, organisationId, department);
    note({ subject: departmentOf(organisationId, department.id), before: null, after: { name } });
    return department;
  });
}

interface DepartmentName {
  readonly organisationId: OrganisationId;
  readonly departmentId: DepartmentId;
}

export async function renameDepartment(
  services: Services,
  { organisationId, departmentId, name }: DepartmentName & { readonly name: string },
): Promise<Department | InvalidInput | NotFound> {
  return inLedger(services, 'renameDepartment', organisationId, async (desk) => {
    const { trx, note } = desk;
    const former = await findDepartment(desk, departmentId);
    if (isRefusal(former)) return former;
    if (former.name === name) return former;
    const { taken } = await lookForName(trx, organisationId, name);
    if (taken !== null && taken !== departmentId) return nameTaken(name);
    const department = { id: departmentId, name };
    await saveDepartment(trx, organisationId, department);
    note({ subject: departmentOf(organisationId, departmentId), ...differing(former, department, ['name']) });
    return department;
  });
}

/** Its members are in no department then, and keep their seats; what was reserved for it is everybody's. */
export async function removeDepartment(
  services: Services,
  { organisationId, departmentId }: DepartmentName,
): Promise<{ readonly organisationId: OrganisationId } | NotFound> {
  return inLedger(services, 'removeDepartment', organisationId, async (desk) => {
    const { trx, ledger, note } = desk;
    const department = await findDepartment(desk, departmentId);
    if (isRefusal(department)) return department;
    const { members } = await deleteDepartment(trx, organisationId, departmentId);
    const allotted: string[] = [];
    inStep(ledger, (tally) => {
      for (const { licence, allotments } of ledger.pools.values()) {
        const own = allotments.find((allotment) => allotment.departmentId === departmentId);
        if (own === undefined) continue;
        allotted.push(`${licence}: ${own.reserved} reserved, at most ${own.maximum ?? 'all'}`);
        changePool(tally, licence, { allotments: allotments.filter((allotment) => allotment !== own) });
      }
    });
    note({
      subject: departmentOf(organisationId, departmentId),
      before: { name: department.name, members, allotments: allotted },
      after: null,
    });
    return { organisationId };
  });
}

export interface SetDepartment {
  readonly organisationId: OrganisationId;
  readonly userId: UserId;
  /** null: in none. */
  readonly departmentId: DepartmentId | null;
}

/** The seats that the user holds are the new department's from then on, also above its maximum: nobody is logged off. */
export async function setDepartment(
  services: Services,
  { organisationId, userId, departmentId }: SetDepartment,
): Promise<{ readonly id: UserId } | NotFound | UserDeleted> {
  return inLedger(services, 'setDepartment', organisationId, async (desk) => {
    const { trx, ledger, note } = desk;
    await desk.loadHolders([userId]);
    const holder = ledger.holders.get(userId);
    if (holder === undefined) return notFound('user');
    if (holder.status === 'DELETED') return userDeleted();
    if (departmentId !== null) {
      const department = await findDepartment(desk, departmentId);
      if (isRefusal(department)) return department;
    }
    if (holder.departmentId === departmentId) return { id: userId };
    await saveMembership(trx, organisationId, userId, departmentId);
    inStep(ledger, (tally) => {
      for (const licence of holdsOf(holder).keys()) {
        for (const [department, change] of [
          [holder.departmentId, -1],
          [departmentId, 1],
        ] as const) {
          const changed = countAllotted(poolOf(tally, licence), department, change);
          if (changed.allotments !== undefined) changePool(tally, licence, changed);
        }
      }
    });
    ledger.holders = new Map([...ledger.holders, [userId, { ...holder, departmentId }]]);
    const named = (id: DepartmentId | null) => (id === null ? null : departmentOf(organisationId, id));
    note({
      subject: encodeOwnedId('User', organisationId, userId),
      before: { department: named(holder.departmentId) },
      after: { department: named(departmentId) },
    });
    return { id: userId };
  });
}

export interface SetAllotment extends DepartmentName {
  readonly licence: string;
  readonly reserved: number;
  /** null: as many as there are. */
  readonly maximum: number | null;
}

/** With nothing reserved and no maximum a department shares the seats like everybody without one. */
export async function setAllotment(
  services: Services,
  { organisationId, departmentId, licence: code, reserved, maximum }: SetAllotment,
): Promise<Department | InvalidInput | NotFound> {
  return inLedger(services, 'setAllotment', organisationId, async (desk) => {
    const { trx, ledger, note } = desk;
    const department = await findDepartment(desk, departmentId);
    if (isRefusal(department)) return department;
    const licence = findLicence(ledger.catalogue, code);
    if (isRefusal(licence)) return licence;
    if (licence.seatModel === 'FIXED') {
      return invalidInput('licence', `${licence.name} has fixed seats: each is its user’s own already.`);
    }
    const pool = ledger.pools.get(licence.code);
    if (pool === undefined) {
      return invalidInput(
        'licence',
        `No seats of ${licence.name} were ever bought; record a purchase first.`,
      );
    }
    const invalid = decideAllotment(pool, { departmentId, reserved, maximum });
    if (invalid !== null) return invalid;

    const former = pool.allotments.find((allotment) => allotment.departmentId === departmentId);
    const others = pool.allotments.filter((allotment) => allotment !== former);
    const isAllotted = reserved > 0 || maximum !== null;
    if ((former?.reserved ?? 0) === reserved && (former?.maximum ?? null) === maximum) return department;
    let allotted: readonly Allotment[] = [];
    if (isAllotted) {
      const inUse = former?.inUse ?? (await countMembers(desk, licence.code, departmentId));
      allotted = [{ departmentId, reserved, maximum, inUse }];
    } else if (former !== undefined) {
      await deleteAllotments(trx, [{ organisationId, licence: licence.code, departmentId }]);
    }
    inStep(ledger, (tally) => changePool(tally, licence.code, { allotments: [...others, ...allotted] }));
    note({
      subject: departmentOf(organisationId, departmentId),
      before: former === undefined ? null : factsOf(licence.code, former),
      after: isAllotted ? factsOf(licence.code, { reserved, maximum }) : null,
    });
    return department;
  });
}

/** How many members hold a seat: what this transaction has done already, such as ending leases, is not written yet. */
async function countMembers(
  { trx, organisationId, ledger }: Desk,
  licence: LicenceCode,
  departmentId: DepartmentId,
): Promise<number> {
  const loaded = [...ledger.holders.values()];
  const here = loaded.filter(
    (holder) => holder.departmentId === departmentId && holdsOf(holder).has(licence),
  );
  const ids = loaded.map(({ userId }) => userId);
  return here.length + (await countHeld(trx, organisationId, licence, departmentId, ids));
}

function factsOf(licence: string, { reserved, maximum }: Pick<Allotment, 'reserved' | 'maximum'>) {
  return { licence, reserved, maximum };
}

async function findDepartment(
  { trx, organisationId }: Desk,
  departmentId: DepartmentId,
): Promise<Department | NotFound> {
  const [department] = await listDepartments(trx, organisationId, [departmentId]);
  return department ?? notFound('department');
}

function departmentOf(organisationId: OrganisationId, id: DepartmentId): string {
  return encodeOwnedId('Department', organisationId, id);
}

function nameTaken(name: string): InvalidInput {
  return invalidInput('name', `There is a department called “${name}” already; choose another name.`);
}
