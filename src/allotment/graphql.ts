import { builder } from '../graphql/builder.ts';
import { costs } from '../graphql/cost.ts';
import { text } from '../graphql/input.ts';
import { byOrganisation, createLoader } from '../graphql/loader.ts';
import { mutation } from '../graphql/mutation.ts';
import { readId, readOrganisationId, registerNode } from '../graphql/node.ts';
import { encodeOwnedId, type DepartmentId, type OrganisationId, type UserId } from '../kernel/ids.ts';
import { isRefusal, notFound } from '../kernel/refusal.ts';
import {
  createDepartment,
  removeDepartment,
  renameDepartment,
  setAllotment,
  setDepartment,
} from './commands.ts';
import { type Allotment, availableTo, type Department } from './domain.ts';
import { listDepartments, listDepartmentsOf, listMemberships } from './store.ts';

/** A department, and whose. */
interface DepartmentRow extends Department {
  readonly organisationId: OrganisationId;
}

/** An allotment, whose it is, and how many more seats its department can take. */
interface AllotmentRow extends Allotment {
  readonly department: DepartmentRow;
  readonly available: number;
}

declare module '../graphql/builder.ts' {
  interface Objects {
    Department: DepartmentRow;
    Allotment: AllotmentRow;
  }
}

interface DepartmentKey {
  readonly organisationId: OrganisationId;
  readonly id: DepartmentId;
}

const findDepartment = createLoader<DepartmentKey, DepartmentRow>(
  ({ organisationId, id }) => `${organisationId}/${id}`,
  ({ services }, keys) =>
    byOrganisation(keys, (organisationId, ids) => listDepartments(services.db, organisationId, ids)),
);

const findDepartments = createLoader<OrganisationId, readonly DepartmentRow[]>(
  (id) => id,
  async ({ services }, ids) => {
    const rows = Map.groupBy(
      await listDepartmentsOf(services.db, ids),
      ({ organisationId }) => organisationId,
    );
    return ids.map((id) => rows.get(id) ?? []);
  },
);

const findMembership = createLoader<
  { readonly organisationId: OrganisationId; readonly id: UserId },
  { readonly id: UserId; readonly departmentId: DepartmentId }
>(
  ({ organisationId, id }) => `${organisationId}/${id}`,
  ({ services }, keys) =>
    byOrganisation(keys, (organisationId, ids) => listMemberships(services.db, organisationId, ids)),
);

registerNode('Department', (context, { organisationId, id }) =>
  findDepartment(context, { organisationId, id: id as DepartmentId }),
);

builder.objectType('Department', {
  interfaces: ['Node'],
  description: 'Some of an organisation’s users, who can have a part of its shared seats.',
  fields: (t) => ({
    id: t.id({
      description: 'Opaque and globally unique.',
      resolve: ({ organisationId, id }) => encodeOwnedId('Department', organisationId, id),
    }),
    organisation: t.field({
      type: 'Organisation',
      description: 'Whose department it is.',
      resolve: ({ organisationId }, _args, context) => context.getOrganisation(context, organisationId),
    }),
    name: t.exposeString('name', { description: 'Unique in the organisation.' }),
  }),
});

builder.objectType('Allotment', {
  description:
    'A department’s part of the shared seats of one licence, concurrent and contingency alike. It only refuses: which seats are used, and billed, is counted over the whole organisation as ever.',
  fields: (t) => ({
    department: t.expose('department', { type: 'Department', description: 'Whose part it is.' }),
    reserved: t.exposeInt('reserved', { description: 'So many seats nobody else takes the last of.' }),
    maximum: t.exposeInt('maximum', {
      nullable: true,
      description: 'So many seats at most; null: as many as there are.',
    }),
    inUse: t.exposeInt('inUse', { description: 'Of its members, holding a seat now.' }),
    available: t.exposeInt('available', { description: 'How many more of its members can take one now.' }),
  }),
});

builder.objectField('LicenceMapping', 'allotments', (t) =>
  t.field({
    type: ['Allotment'],
    description: 'The departments that have a part of the seats of their own; the others share what is left.',
    extensions: costs({ assumedSize: 10 }),
    resolve: async ({ organisationId, pool }, _args, context) => {
      if (pool.allotments.length === 0) return [];
      const departments = new Map(
        ((await findDepartments(context, organisationId)) ?? []).map((each) => [each.id, each]),
      );
      return pool.allotments.flatMap((allotment) => {
        // Removed since the pool was read: its allotment is no more than it is.
        const department = departments.get(allotment.departmentId);
        if (department === undefined) return [];
        return [{ ...allotment, department, available: availableTo(pool, department.id) }];
      });
    },
  }),
);

builder.objectField('Organisation', 'departments', (t) =>
  t.field({
    type: ['Department'],
    nullable: true,
    description: 'Its departments, by name: at most 100.',
    extensions: costs({ weight: 10, assumedSize: 20 }),
    resolve: async ({ id }, _args, context) => [...((await findDepartments(context, id)) ?? [])],
  }),
);

builder.objectField('User', 'department', (t) =>
  t.field({
    type: 'Department',
    nullable: true,
    description: 'The department that the user is in; null: in none.',
    resolve: async ({ organisationId, id }, _args, context) => {
      const membership = await findMembership(context, { organisationId, id });
      if (membership === null) return null;
      return findDepartment(context, { organisationId, id: membership.departmentId });
    },
  }),
);

function payload(name: string, description: string) {
  return builder.objectRef<{ readonly department: DepartmentRow }>(name).implement({
    description,
    fields: (t) => ({
      department: t.expose('department', { type: 'Department', description: 'As it is now.' }),
    }),
  });
}

const CreateDepartmentInput = builder.inputType('CreateDepartmentInput', {
  description: 'A new department.',
  fields: (t) => ({
    organisationId: t.id({ required: true, description: 'Whose.' }),
    name: t.string({ required: true, validate: text, description: 'Unique in the organisation.' }),
  }),
});

mutation({
  name: 'createDepartment',
  description: 'Creates a department, without members. An organisation has at most 100.',
  input: CreateDepartmentInput,
  payload: payload('CreateDepartmentPayload', 'The department that was created.'),
  errors: [],
  resolve: async ({ organisationId: id, name }, context) => {
    const reference = await readOrganisationId(context, id);
    if (isRefusal(reference)) return reference;
    const { organisationId } = reference;
    const department = await createDepartment(context.services, { organisationId, name });
    return isRefusal(department) ? department : { department: { ...department, organisationId } };
  },
});

const RenameDepartmentInput = builder.inputType('RenameDepartmentInput', {
  description: 'A new name.',
  fields: (t) => ({
    departmentId: t.id({ required: true, description: 'The department.' }),
    name: t.string({ required: true, validate: text, description: 'Unique in the organisation.' }),
  }),
});

mutation({
  name: 'renameDepartment',
  description: 'Gives a department another name.',
  input: RenameDepartmentInput,
  payload: payload('RenameDepartmentPayload', 'The department, by its new name.'),
  errors: [],
  resolve: async ({ departmentId, name }, context) => {
    const reference = await readId(context, 'Department', departmentId, 'department');
    if (isRefusal(reference)) return reference;
    const { organisationId, id } = reference;
    const department = await renameDepartment(context.services, { organisationId, departmentId: id, name });
    return isRefusal(department) ? department : { department: { ...department, organisationId } };
  },
});

const RemoveDepartmentInput = builder.inputType('RemoveDepartmentInput', {
  description: 'A department that is no longer.',
  fields: (t) => ({ departmentId: t.id({ required: true, description: 'The department.' }) }),
});

const RemoveDepartmentPayload = builder
  .objectRef<{ readonly organisationId: OrganisationId }>('RemoveDepartmentPayload')
  .implement({
    description: 'The organisation, without the department.',
    fields: (t) => ({
      organisation: t.field({
        type: 'Organisation',
        description: 'Whose it was.',
        resolve: ({ organisationId }, _args, context) => context.getOrganisation(context, organisationId),
      }),
    }),
  });

mutation({
  name: 'removeDepartment',
  description:
    'Removes a department with its allotments. Its members are in none then, and keep the seats that they hold.',
  input: RemoveDepartmentInput,
  payload: RemoveDepartmentPayload,
  errors: [],
  resolve: async ({ departmentId }, context) => {
    const reference = await readId(context, 'Department', departmentId, 'department');
    if (isRefusal(reference)) return reference;
    const { organisationId, id } = reference;
    return removeDepartment(context.services, { organisationId, departmentId: id });
  },
});

const SetDepartmentInput = builder.inputType('SetDepartmentInput', {
  description: 'Where a user belongs.',
  fields: (t) => ({
    userId: t.id({ required: true, description: 'The user.' }),
    departmentId: t.id({ description: 'The department, of the same organisation; none if nothing is said.' }),
  }),
});

const SetDepartmentPayload = builder
  .objectRef<{ readonly organisationId: OrganisationId; readonly id: UserId }>('SetDepartmentPayload')
  .implement({
    description: 'The user, in its department.',
    fields: (t) => ({
      user: t.field({
        type: 'User',
        description: 'As it is now.',
        resolve: (key, _args, context) => context.getUser(context, key),
      }),
    }),
  });

mutation({
  name: 'setDepartment',
  description:
    'Moves a user to a department, or out of one. The seats that the user holds count there from then on, also above a maximum: nobody is logged off.',
  input: SetDepartmentInput,
  payload: SetDepartmentPayload,
  errors: ['UserDeleted'],
  resolve: async (input, context) => {
    const reference = await readId(context, 'User', input.userId, 'user');
    if (isRefusal(reference)) return reference;
    const { organisationId, id: userId } = reference;
    let departmentId: DepartmentId | null = null;
    if (input.departmentId !== null && input.departmentId !== undefined) {
      const department = await readId(context, 'Department', input.departmentId, 'department');
      if (isRefusal(department)) return department;
      if (department.organisationId !== organisationId) return notFound('department');
      departmentId = department.id;
    }
    const moved = await setDepartment(context.services, { organisationId, userId, departmentId });
    return isRefusal(moved) ? moved : { ...moved, organisationId };
  },
});

const SetAllotmentInput = builder.inputType('SetAllotmentInput', {
  description: 'A department’s part of the shared seats of one licence.',
  fields: (t) => ({
    departmentId: t.id({ required: true, description: 'The department.' }),
    licence: t.string({ required: true, validate: text, description: 'The licence’s code.' }),
    reserved: t.int({
      required: true,
      defaultValue: 0,
      description:
        'So many seats nobody else takes the last of; 0 or more, and with the other departments’ no more than there are now.',
    }),
    maximum: t.int({
      description:
        'So many seats at most, no fewer than are reserved; as many as there are if nothing is said.',
    }),
  }),
});

mutation({
  name: 'setAllotment',
  description:
    'Gives a department a part of the seats of a licence. With nothing reserved and no maximum it shares them like everybody else. Nobody is logged off.',
  input: SetAllotmentInput,
  payload: payload('SetAllotmentPayload', 'Whose allotment it is.'),
  errors: [],
  resolve: async ({ departmentId, licence, reserved, maximum }, context) => {
    const reference = await readId(context, 'Department', departmentId, 'department');
    if (isRefusal(reference)) return reference;
    const { organisationId, id } = reference;
    const department = await setAllotment(context.services, {
      ...{ organisationId, departmentId: id, licence, reserved },
      maximum: maximum ?? null,
    });
    return isRefusal(department) ? department : { department: { ...department, organisationId } };
  },
});
