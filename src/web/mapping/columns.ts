import {
  createColumnHelper,
  createSortedRowModel,
  rowSortingFeature,
  sortFn_basic,
  sortFn_text,
  tableFeatures,
} from '@tanstack/react-table';
import { words } from '../words.ts';
import type { Row } from './figures.ts';

export const features = tableFeatures({
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns: { basic: sortFn_basic, text: sortFn_text },
});

/** A row of the page, with what it is the row of. */
export interface Line {
  readonly row: Row;
  readonly organisation: string;
  /** The most seats in use in an hour of today; undefined: nobody knows yet, or there are none. */
  readonly mostToday: number | undefined;
}

const helper = createColumnHelper<typeof features, Line>();
type Figure = (row: Row) => number | undefined;

const figure = (id: ColumnName, read: Figure) =>
  helper.accessor(({ row }) => read(row), {
    id,
    sortFn: 'basic',
    sortUndefined: 'last',
    sortDescFirst: true,
  });

/** The columns of the source's page, in its order, and the day's use after them. */
export const columns = helper.columns([
  helper.accessor('organisation', { id: 'organisation', sortFn: 'text' }),
  figure('activeUsers', ({ activeUsers }) => activeUsers),
  helper.accessor(({ row }) => row.licence.name, { id: 'licence', sortFn: 'text' }),
  helper.group({
    id: 'base',
    columns: helper.columns([
      figure('baseTotal', ({ base }) => base?.total),
      figure('baseUsed', ({ base }) => base?.used),
      figure('baseReusable', ({ base }) => base?.reusable),
      figure('baseAvailable', ({ base }) => base?.available),
    ]),
  }),
  helper.group({
    id: 'concurrent',
    columns: helper.columns([
      figure('concurrentTotal', ({ concurrent }) => concurrent?.total),
      figure('concurrentUsed', ({ concurrent }) => concurrent?.used),
      figure('concurrentAvailable', ({ concurrent }) => concurrent?.available),
    ]),
  }),
  helper.group({
    id: 'contingency',
    columns: helper.columns([
      figure('contingencyTotal', ({ contingency }) => contingency?.total),
      figure('contingencyUsed', ({ contingency }) => contingency?.used),
      figure('contingencyMaxUsed', ({ contingency }) => contingency?.maxUsed),
      figure('contingencyAvailable', ({ contingency }) => contingency?.available),
    ]),
  }),
  figure('activeInPeriod', ({ activeInBillingPeriod }) => activeInBillingPeriod),
  helper.accessor('mostToday', {
    id: 'today',
    sortFn: 'basic',
    sortUndefined: 'last',
    sortDescFirst: true,
  }),
]);

export type ColumnName = keyof typeof words.mapping.columns;
export type GroupName = keyof typeof words.mapping.groups;

/** The groups that columns are in. */
export const groupOf: Readonly<Partial<Record<ColumnName, GroupName>>> = {
  baseTotal: 'base',
  baseUsed: 'base',
  baseReusable: 'base',
  baseAvailable: 'base',
  concurrentTotal: 'concurrent',
  concurrentUsed: 'concurrent',
  concurrentAvailable: 'concurrent',
  contingencyTotal: 'contingency',
  contingencyUsed: 'contingency',
  contingencyMaxUsed: 'contingency',
  contingencyAvailable: 'contingency',
};

export function isColumn(id: string): id is ColumnName {
  return Object.hasOwn(words.mapping.columns, id);
}

/** What is to be noticed of a licence, the gravest first. */
export interface State {
  readonly kind: 'over' | 'full' | 'contingency';
  /** The column whose figure tells it. */
  readonly column: ColumnName;
  readonly by: number;
  readonly name: 'overBase' | 'overSeats' | 'full' | 'contingency';
}

export function statesOf({ base, concurrent, contingency }: Row): readonly State[] {
  const states: State[] = [];
  if (base !== null && base.overAllocated > 0) {
    states.push({ kind: 'over', column: 'baseAvailable', by: base.overAllocated, name: 'overBase' });
  }
  if (concurrent !== null && concurrent.overAllocated > 0) {
    const by = concurrent.overAllocated;
    states.push({ kind: 'over', column: 'concurrentAvailable', by, name: 'overSeats' });
  } else if (
    concurrent !== null &&
    concurrent.used > 0 &&
    concurrent.available + (contingency?.available ?? 0) === 0
  ) {
    states.push({ kind: 'full', column: 'concurrentAvailable', by: concurrent.used, name: 'full' });
  }
  if (contingency !== null && contingency.used > 0) {
    states.push({
      kind: 'contingency',
      column: 'contingencyUsed',
      by: contingency.used,
      name: 'contingency',
    });
  }
  return states;
}
