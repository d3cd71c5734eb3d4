import { decimalOf, type Money } from '../kernel/money.ts';
import { builder } from './builder.ts';

declare module './builder.ts' {
  interface Objects {
    Money: Money;
  }
}

builder.objectType('Money', {
  description: 'An amount of money, exact.',
  fields: (t) => ({
    amount: t.expose('amount', {
      type: 'SafeInt',
      description: 'In whole minor units, such as cents; below zero where it is given back.',
    }),
    currency: t.exposeString('currency', { description: 'The ISO 4217 code, such as `EUR`.' }),
    decimal: t.string({
      description: 'The same with the currency’s decimal places, such as `12.50`.',
      resolve: decimalOf,
    }),
  }),
});
