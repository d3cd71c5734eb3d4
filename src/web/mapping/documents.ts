// Written by `npm run generate` from documents.graphql.

/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> =
  T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { TypedDocumentNode as DocumentNode } from '@graphql-typed-document-node/core';
/** What kind of thing a licence is. */
export type LicenceCategory =
  /** A feature or channel, used within a session. */
  | 'FEATURE'
  /** A licence type of another product. */
  | 'PRODUCT'
  /** A licence type of people or devices that log on. */
  | 'USER';

/** Who may sit on a seat. */
export type SeatModel =
  /** Seats are shared by all holders: as many at a time as there are seats. */
  | 'CONCURRENT'
  /** One seat belongs to one named user. */
  | 'FIXED';

export type MappingQueryVariables = Exact<{
  organisationId: string;
  categories?: ReadonlyArray<LicenceCategory> | LicenceCategory | null | undefined;
}>;

export type MappingQuery = {
  readonly organisation: {
    readonly id: string;
    readonly name: string;
    readonly now: string;
    readonly timeZone: string;
    readonly billingPeriod: { readonly from: string; readonly until: string };
    readonly licenceMapping: ReadonlyArray<{
      readonly id: string;
      readonly activeUsers: number;
      readonly activeInBillingPeriod: number;
      readonly licence: {
        readonly id: string;
        readonly code: string;
        readonly name: string;
        readonly category: LicenceCategory;
        readonly seatModel: SeatModel;
      };
      readonly base: {
        readonly total: number;
        readonly used: number;
        readonly reusable: number;
        readonly available: number;
        readonly locked: number;
        readonly overAllocated: number;
      } | null;
      readonly concurrent: {
        readonly total: number;
        readonly used: number;
        readonly available: number;
        readonly overAllocated: number;
      } | null;
      readonly contingency: {
        readonly total: number;
        readonly used: number;
        readonly maxUsed: number;
        readonly available: number;
        readonly paidHeadroom: number;
      } | null;
    }>;
  } | null;
};

export type UsageChangedSubscriptionVariables = Exact<{
  organisationId: string;
  categories?: ReadonlyArray<LicenceCategory> | LicenceCategory | null | undefined;
}>;

export type UsageChangedSubscription = {
  readonly usageChanged: {
    readonly at: string;
    readonly snapshot: boolean;
    readonly rows: ReadonlyArray<{
      readonly id: string;
      readonly activeUsers: number;
      readonly activeInBillingPeriod: number;
      readonly licence: {
        readonly id: string;
        readonly code: string;
        readonly name: string;
        readonly category: LicenceCategory;
        readonly seatModel: SeatModel;
      };
      readonly base: {
        readonly total: number;
        readonly used: number;
        readonly reusable: number;
        readonly available: number;
        readonly locked: number;
        readonly overAllocated: number;
      } | null;
      readonly concurrent: {
        readonly total: number;
        readonly used: number;
        readonly available: number;
        readonly overAllocated: number;
      } | null;
      readonly contingency: {
        readonly total: number;
        readonly used: number;
        readonly maxUsed: number;
        readonly available: number;
        readonly paidHeadroom: number;
      } | null;
    }>;
  };
};

export type RowFragment = {
  readonly id: string;
  readonly activeUsers: number;
  readonly activeInBillingPeriod: number;
  readonly licence: {
    readonly id: string;
    readonly code: string;
    readonly name: string;
    readonly category: LicenceCategory;
    readonly seatModel: SeatModel;
  };
  readonly base: {
    readonly total: number;
    readonly used: number;
    readonly reusable: number;
    readonly available: number;
    readonly locked: number;
    readonly overAllocated: number;
  } | null;
  readonly concurrent: {
    readonly total: number;
    readonly used: number;
    readonly available: number;
    readonly overAllocated: number;
  } | null;
  readonly contingency: {
    readonly total: number;
    readonly used: number;
    readonly maxUsed: number;
    readonly available: number;
    readonly paidHeadroom: number;
  } | null;
};

export const RowFragmentDoc = {
  kind: 'Document',
  definitions: [
    {
      kind: 'FragmentDefinition',
      name: { kind: 'Name', value: 'Row' },
      typeCondition: { kind: 'NamedType', name: { kind: 'Name', value: 'LicenceMapping' } },
      selectionSet: {
        kind: 'SelectionSet',
        selections: [
          { kind: 'Field', name: { kind: 'Name', value: 'id' } },
          { kind: 'Field', name: { kind: 'Name', value: 'activeUsers' } },
          { kind: 'Field', name: { kind: 'Name', value: 'activeInBillingPeriod' } },
          {
            kind: 'Field',
            name: { kind: 'Name', value: 'licence' },
            selectionSet: {
              kind: 'SelectionSet',
              selections: [
                { kind: 'Field', name: { kind: 'Name', value: 'id' } },
                { kind: 'Field', name: { kind: 'Name', value: 'code' } },
                { kind: 'Field', name: { kind: 'Name', value: 'name' } },
                { kind: 'Field', name: { kind: 'Name', value: 'category' } },
                { kind: 'Field', name: { kind: 'Name', value: 'seatModel' } },
              ],
            },
          },
          {
            kind: 'Field',
            name: { kind: 'Name', value: 'base' },
            selectionSet: {
              kind: 'SelectionSet',
              selections: [
                { kind: 'Field', name: { kind: 'Name', value: 'total' } },
                { kind: 'Field', name: { kind: 'Name', value: 'used' } },
                { kind: 'Field', name: { kind: 'Name', value: 'reusable' } },
                { kind: 'Field', name: { kind: 'Name', value: 'available' } },
                { kind: 'Field', name: { kind: 'Name', value: 'locked' } },
                { kind: 'Field', name: { kind: 'Name', value: 'overAllocated' } },
              ],
            },
          },
          {
            kind: 'Field',
            name: { kind: 'Name', value: 'concurrent' },
            selectionSet: {
              kind: 'SelectionSet',
              selections: [
                { kind: 'Field', name: { kind: 'Name', value: 'total' } },
                { kind: 'Field', name: { kind: 'Name', value: 'used' } },
                { kind: 'Field', name: { kind: 'Name', value: 'available' } },
                { kind: 'Field', name: { kind: 'Name', value: 'overAllocated' } },
              ],
            },
          },
          {
            kind: 'Field',
            name: { kind: 'Name', value: 'contingency' },
            selectionSet: {
              kind: 'SelectionSet',
              selections: [
                { kind: 'Field', name: { kind: 'Name', value: 'total' } },
                { kind: 'Field', name: { kind: 'Name', value: 'used' } },
                { kind: 'Field', name: { kind: 'Name', value: 'maxUsed' } },
                { kind: 'Field', name: { kind: 'Name', value: 'available' } },
                { kind: 'Field', name: { kind: 'Name', value: 'paidHeadroom' } },
              ],
            },
          },
        ],
      },
    },
  ],
} as unknown as DocumentNode<RowFragment, unknown>;
export const MappingDocument = {
  kind: 'Document',
  definitions: [
    {
      kind: 'OperationDefinition',
      operation: 'query',
      name: { kind: 'Name', value: 'Mapping' },
      variableDefinitions: [
        {
          kind: 'VariableDefinition',
          variable: { kind: 'Variable', name: { kind: 'Name', value: 'organisationId' } },
          type: { kind: 'NonNullType', type: { kind: 'NamedType', name: { kind: 'Name', value: 'ID' } } },
        },
        {
          kind: 'VariableDefinition',
          variable: { kind: 'Variable', name: { kind: 'Name', value: 'categories' } },
          type: {
            kind: 'ListType',
            type: {
              kind: 'NonNullType',
              type: { kind: 'NamedType', name: { kind: 'Name', value: 'LicenceCategory' } },
            },
          },
        },
      ],
      selectionSet: {
        kind: 'SelectionSet',
        selections: [
          {
            kind: 'Field',
            name: { kind: 'Name', value: 'organisation' },
            arguments: [
              {
                kind: 'Argument',
                name: { kind: 'Name', value: 'id' },
                value: { kind: 'Variable', name: { kind: 'Name', value: 'organisationId' } },
              },
            ],
            selectionSet: {
              kind: 'SelectionSet',
              selections: [
                { kind: 'Field', name: { kind: 'Name', value: 'id' } },
                { kind: 'Field', name: { kind: 'Name', value: 'name' } },
                { kind: 'Field', name: { kind: 'Name', value: 'now' } },
                { kind: 'Field', name: { kind: 'Name', value: 'timeZone' } },
                {
                  kind: 'Field',
                  name: { kind: 'Name', value: 'billingPeriod' },
                  selectionSet: {
                    kind: 'SelectionSet',
                    selections: [
                      { kind: 'Field', name: { kind: 'Name', value: 'from' } },
                      { kind: 'Field', name: { kind: 'Name', value: 'until' } },
                    ],
                  },
                },
                {
                  kind: 'Field',
                  name: { kind: 'Name', value: 'licenceMapping' },
                  arguments: [
                    {
                      kind: 'Argument',
                      name: { kind: 'Name', value: 'categories' },
                      value: { kind: 'Variable', name: { kind: 'Name', value: 'categories' } },
                    },
                  ],
                  selectionSet: {
                    kind: 'SelectionSet',
                    selections: [{ kind: 'FragmentSpread', name: { kind: 'Name', value: 'Row' } }],
                  },
                },
              ],
            },
          },
        ],
      },
    },
    {
      kind: 'FragmentDefinition',
      name: { kind: 'Name', value: 'Row' },
      typeCondition: { kind: 'NamedType', name: { kind: 'Name', value: 'LicenceMapping' } },
      selectionSet: {
        kind: 'SelectionSet',
        selections: [
          { kind: 'Field', name: { kind: 'Name', value: 'id' } },
          { kind: 'Field', name: { kind: 'Name', value: 'activeUsers' } },
          { kind: 'Field', name: { kind: 'Name', value: 'activeInBillingPeriod' } },
          {
            kind: 'Field',
            name: { kind: 'Name', value: 'licence' },
            selectionSet: {
              kind: 'SelectionSet',
              selections: [
                { kind: 'Field', name: { kind: 'Name', value: 'id' } },
                { kind: 'Field', name: { kind: 'Name', value: 'code' } },
                { kind: 'Field', name: { kind: 'Name', value: 'name' } },
                { kind: 'Field', name: { kind: 'Name', value: 'category' } },
                { kind: 'Field', name: { kind: 'Name', value: 'seatModel' } },
              ],
            },
          },
          {
            kind: 'Field',
            name: { kind: 'Name', value: 'base' },
            selectionSet: {
              kind: 'SelectionSet',
              selections: [
                { kind: 'Field', name: { kind: 'Name', value: 'total' } },
                { kind: 'Field', name: { kind: 'Name', value: 'used' } },
                { kind: 'Field', name: { kind: 'Name', value: 'reusable' } },
                { kind: 'Field', name: { kind: 'Name', value: 'available' } },
                { kind: 'Field', name: { kind: 'Name', value: 'locked' } },
                { kind: 'Field', name: { kind: 'Name', value: 'overAllocated' } },
              ],
            },
          },
          {
            kind: 'Field',
            name: { kind: 'Name', value: 'concurrent' },
            selectionSet: {
              kind: 'SelectionSet',
              selections: [
                { kind: 'Field', name: { kind: 'Name', value: 'total' } },
                { kind: 'Field', name: { kind: 'Name', value: 'used' } },
                { kind: 'Field', name: { kind: 'Name', value: 'available' } },
                { kind: 'Field', name: { kind: 'Name', value: 'overAllocated' } },
              ],
            },
          },
          {
            kind: 'Field',
            name: { kind: 'Name', value: 'contingency' },
            selectionSet: {
              kind: 'SelectionSet',
              selections: [
                { kind: 'Field', name: { kind: 'Name', value: 'total' } },
                { kind: 'Field', name: { kind: 'Name', value: 'used' } },
                { kind: 'Field', name: { kind: 'Name', value: 'maxUsed' } },
                { kind: 'Field', name: { kind: 'Name', value: 'available' } },
                { kind: 'Field', name: { kind: 'Name', value: 'paidHeadroom' } },
              ],
            },
          },
        ],
      },
    },
  ],
} as unknown as DocumentNode<MappingQuery, MappingQueryVariables>;
export const UsageChangedDocument = {
  kind: 'Document',
  definitions: [
    {
      kind: 'OperationDefinition',
      operation: 'subscription',
      name: { kind: 'Name', value: 'UsageChanged' },
      variableDefinitions: [
        {
          kind: 'VariableDefinition',
          variable: { kind: 'Variable', name: { kind: 'Name', value: 'organisationId' } },
          type: { kind: 'NonNullType', type: { kind: 'NamedType', name: { kind: 'Name', value: 'ID' } } },
        },
        {
          kind: 'VariableDefinition',
          variable: { kind: 'Variable', name: { kind: 'Name', value: 'categories' } },
          type: {
            kind: 'ListType',
            type: {
              kind: 'NonNullType',
              type: { kind: 'NamedType', name: { kind: 'Name', value: 'LicenceCategory' } },
            },
          },
        },
      ],
      selectionSet: {
        kind: 'SelectionSet',
        selections: [
          {
            kind: 'Field',
            name: { kind: 'Name', value: 'usageChanged' },
            arguments: [
              {
                kind: 'Argument',
                name: { kind: 'Name', value: 'organisationId' },
                value: { kind: 'Variable', name: { kind: 'Name', value: 'organisationId' } },
              },
              {
                kind: 'Argument',
                name: { kind: 'Name', value: 'categories' },
                value: { kind: 'Variable', name: { kind: 'Name', value: 'categories' } },
              },
            ],
            selectionSet: {
              kind: 'SelectionSet',
              selections: [
                { kind: 'Field', name: { kind: 'Name', value: 'at' } },
                { kind: 'Field', name: { kind: 'Name', value: 'snapshot' } },
                {
                  kind: 'Field',
                  name: { kind: 'Name', value: 'rows' },
                  selectionSet: {
                    kind: 'SelectionSet',
                    selections: [{ kind: 'FragmentSpread', name: { kind: 'Name', value: 'Row' } }],
                  },
                },
              ],
            },
          },
        ],
      },
    },
    {
      kind: 'FragmentDefinition',
      name: { kind: 'Name', value: 'Row' },
      typeCondition: { kind: 'NamedType', name: { kind: 'Name', value: 'LicenceMapping' } },
      selectionSet: {
        kind: 'SelectionSet',
        selections: [
          { kind: 'Field', name: { kind: 'Name', value: 'id' } },
          { kind: 'Field', name: { kind: 'Name', value: 'activeUsers' } },
          { kind: 'Field', name: { kind: 'Name', value: 'activeInBillingPeriod' } },
          {
            kind: 'Field',
            name: { kind: 'Name', value: 'licence' },
            selectionSet: {
              kind: 'SelectionSet',
              selections: [
                { kind: 'Field', name: { kind: 'Name', value: 'id' } },
                { kind: 'Field', name: { kind: 'Name', value: 'code' } },
                { kind: 'Field', name: { kind: 'Name', value: 'name' } },
                { kind: 'Field', name: { kind: 'Name', value: 'category' } },
                { kind: 'Field', name: { kind: 'Name', value: 'seatModel' } },
              ],
            },
          },
          {
            kind: 'Field',
            name: { kind: 'Name', value: 'base' },
            selectionSet: {
              kind: 'SelectionSet',
              selections: [
                { kind: 'Field', name: { kind: 'Name', value: 'total' } },
                { kind: 'Field', name: { kind: 'Name', value: 'used' } },
                { kind: 'Field', name: { kind: 'Name', value: 'reusable' } },
                { kind: 'Field', name: { kind: 'Name', value: 'available' } },
                { kind: 'Field', name: { kind: 'Name', value: 'locked' } },
                { kind: 'Field', name: { kind: 'Name', value: 'overAllocated' } },
              ],
            },
          },
          {
            kind: 'Field',
            name: { kind: 'Name', value: 'concurrent' },
            selectionSet: {
              kind: 'SelectionSet',
              selections: [
                { kind: 'Field', name: { kind: 'Name', value: 'total' } },
                { kind: 'Field', name: { kind: 'Name', value: 'used' } },
                { kind: 'Field', name: { kind: 'Name', value: 'available' } },
                { kind: 'Field', name: { kind: 'Name', value: 'overAllocated' } },
              ],
            },
          },
          {
            kind: 'Field',
            name: { kind: 'Name', value: 'contingency' },
            selectionSet: {
              kind: 'SelectionSet',
              selections: [
                { kind: 'Field', name: { kind: 'Name', value: 'total' } },
                { kind: 'Field', name: { kind: 'Name', value: 'used' } },
                { kind: 'Field', name: { kind: 'Name', value: 'maxUsed' } },
                { kind: 'Field', name: { kind: 'Name', value: 'available' } },
                { kind: 'Field', name: { kind: 'Name', value: 'paidHeadroom' } },
              ],
            },
          },
        ],
      },
    },
  ],
} as unknown as DocumentNode<UsageChangedSubscription, UsageChangedSubscriptionVariables>;
