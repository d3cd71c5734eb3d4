import './access/graphql.ts';
import './advice/graphql.ts';
import './alert/graphql.ts';
import './allotment/graphql.ts';
import './assignment/graphql.ts';
import './audit/graphql.ts';
import './contingency-cap/graphql.ts';
import './demand/graphql.ts';
import './graphql/money.ts';
import './graphql/node.ts';
import './licence/graphql.ts';
import './organisation/graphql.ts';
import './peak/graphql.ts';
import './price/graphql.ts';
import './purchase/graphql.ts';
import './security-key/graphql.ts';
import './session/graphql.ts';
import './tree/graphql.ts';
import './statement/graphql.ts';
import './usage/graphql.ts';
import './usage-history/graphql.ts';
import './user/graphql.ts';
import { guard } from './graphql/access.ts';
import { builder } from './graphql/builder.ts';

/** The whole schema: every noun above has declared its part. */
export const schema = guard(builder.toSchema());
