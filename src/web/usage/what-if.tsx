import { useEffect, useId, useRef, useState } from 'react';
import { useChoices } from '../shell/address.ts';
import { Failure } from '../shell/failure.tsx';
import { Lines } from '../shell/lines.tsx';
import { count, duration, moneyOfMinor, type Zone } from '../shell/zone.ts';
import { words } from '../words.ts';
import { Card } from './card.tsx';
import { type CostingFragment, WhatIfDocument, type WhatIfQuery } from './documents.ts';
import { type Scope, useReading } from './reading.ts';

type Sizing = NonNullable<NonNullable<WhatIfQuery['organisation']>['rightSizing']>[number];

interface Quantities {
  readonly concurrent: number;
  readonly contingency: number;
}

const monthChoices = [1, 3, 6, 12] as const;
const maxSeats = 1_000_000;
/** While somebody types, what is half a number is not asked for. */
const typingMilliseconds = 400;

/** What other quantities would have cost and refused. */
export function WhatIf({ scope, zone }: { readonly scope: Scope; readonly zone: Zone }) {
  const { title, noMonths, months: monthsLabel, wanted, noPrices } = words.usage.whatIf;
  const [choices, choose] = useChoices();
  const { organisation, row } = scope;
  const bought = {
    concurrent: row.concurrent?.total ?? 0,
    contingency: row.contingency?.total ?? 0,
  };
  const months = monthChoices.find((each) => String(each) === choices.get('months')) ?? 3;
  const tried = readTry(choices.get('try')) ?? bought;
  const answer = useReading(scope, WhatIfDocument, {
    ...{ organisationId: organisation.id, licence: row.licence.code, months },
    proposal: [{ licence: row.licence.code, ...tried, ...(row.contingency === null && { contingency: 0 }) }],
  });
  const latest = answer.data?.organisation?.rightSizing;
  const known = useRef<readonly Sizing[]>(undefined);
  if (latest != null) known.current = latest;
  // While others are reckoned, and where they cannot be, those of before stay.
  const sizings = latest ?? known.current;
  const hasBegun = useRef(false);
  if (sizings !== undefined || answer.problem !== null) hasBegun.current = true;
  if (!hasBegun.current) return null;
  const [sizing] = sizings ?? [];
  // Where nothing could be reckoned yet, another try may be.
  const canTry = sizings === undefined || (sizing !== undefined && sizing.months.length > 0);
  const take = ({ concurrent, contingency }: Quantities) => choose({ try: `${concurrent}.${contingency}` });
  return (
    <Card title={title}>
      {sizing?.dropped != null && <p className="dropped">{sizing.dropped.message}</p>}
      {sizings !== undefined && sizing === undefined && <p className="quiet">{noMonths}</p>}
      {sizing !== undefined && canTry && (
        <p className="quiet">
          {periodsOf(sizing, zone)}{' '}
          {wanted(count(Math.max(...sizing.months.map(({ maxWanted }) => maxWanted))))}{' '}
          {sizing.fees.missing.length > 0 && noPrices}
        </p>
      )}
      {canTry && (
        <div className="try">
          <Numbers value={tried} hasContingency={row.contingency !== null} onChange={take} />
          <label>
            {monthsLabel}
            <select value={months} onChange={({ target }) => choose({ months: target.value })}>
              {monthChoices.map((each) => (
                <option key={each}>{each}</option>
              ))}
            </select>
          </label>
        </div>
      )}
      <Failure of={{ ...answer, data: sizing }} say={words.failure.part} />
      {sizing !== undefined && canTry && <Costings sizing={sizing} onTry={take} />}
    </Card>
  );
}

function periodsOf({ months }: Sizing, zone: Zone): string {
  const [first, last] = [months[0], months.at(-1)];
  if (first === undefined || last === undefined) return '';
  return words.usage.whatIf.about(zone.day(first.from), zone.lastDay(last.until));
}

/** `8.3`: so many concurrent seats, and so many contingency seats. */
function readTry(text: string | null): Quantities | null {
  const [, concurrent, contingency] = /^(\d{1,7})\.(\d{1,7})$/.exec(text ?? '') ?? [];
  if (concurrent === undefined || contingency === undefined) return null;
  return {
    concurrent: Math.min(Number(concurrent), maxSeats),
    contingency: Math.min(Number(contingency), maxSeats),
  };
}

function Numbers({
  value,
  hasContingency,
  onChange,
}: {
  readonly value: Quantities;
  readonly hasContingency: boolean;
  readonly onChange: (quantities: Quantities) => void;
}) {
  const { concurrent, contingency } = words.usage.whatIf;
  return (
    <>
      <NumberField
        label={concurrent}
        value={value.concurrent}
        onChange={(seats) => onChange({ ...value, concurrent: seats })}
      />
      {hasContingency && (
        <NumberField
          label={contingency}
          value={value.contingency}
          onChange={(seats) => onChange({ ...value, contingency: seats })}
        />
      )}
    </>
  );
}

function NumberField({
  label,
  value,
  onChange,
}: {
  readonly label: string;
  readonly value: number;
  readonly onChange: (value: number) => void;
}) {
  const id = useId();
  const [typed, setTyped] = useState<string | null>(null);
  const [isWrong, setIsWrong] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const change = (text: string) => {
    setTyped(text);
    setIsWrong(false);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      if (!/^\d+$/.test(text)) {
        setIsWrong(true);
        return;
      }
      setTyped(null);
      onChange(Math.min(Number(text), maxSeats));
    }, typingMilliseconds);
  };
  const giveUp = () => {
    if (!isWrong) return;
    setTyped(null);
    setIsWrong(false);
  };
  return (
    <>
      <label htmlFor={id}>
        {label}
        <input
          id={id}
          type="number"
          min={0}
          max={maxSeats}
          step={1}
          value={typed ?? value}
          aria-invalid={isWrong}
          aria-describedby={isWrong ? `${id}-wrong` : undefined}
          onChange={({ target }) => change(target.value)}
          onBlur={giveUp}
        />
      </label>
      {isWrong && (
        <span id={`${id}-wrong`} className="problem">
          {words.usage.whatIf.whole(count(maxSeats))}
        </span>
      )}
    </>
  );
}

function Costings({
  sizing,
  onTry,
}: {
  readonly sizing: Sizing;
  readonly onTry: (quantities: Quantities) => void;
}) {
  const { columns, present, cheapest, proposal, other, said } = words.usage.whatIf;
  const [tried] = sizing.proposals ?? [];
  const known = [
    ...(sizing.present === null ? [] : [[present, sizing.present] as const]),
    ...(sizing.cheapest === null ? [] : [[cheapest, sizing.cheapest] as const]),
  ];
  // What has a name is not told once more without.
  const others = (sizing.tradeOff ?? []).filter(
    (each) => !known.some(([, { concurrent, contingency }]) => isSame(each, { concurrent, contingency })),
  );
  const cost = (amount: number) => costOf(amount, sizing.fees.currency);
  return (
    <>
      <p role="status" className="unseen">
        {tried !== undefined && said(cost(tried.cost), count(tried.refusedArrivals))}
      </p>
      <Lines
        label={words.usage.whatIf.title}
        columns={[
          columns.what,
          [columns.concurrent, 'figure'],
          [columns.contingency, 'figure'],
          [columns.cost, 'figure'],
          [columns.saving, 'figure'],
          [columns.refused, 'figure'],
          [columns.short, 'figure'],
        ]}
      >
        {tried !== undefined && (
          <Costing name={proposal} className="tried" costing={tried} cost={cost} onTry={null} />
        )}
        {known.map(([name, costing]) => (
          <Costing
            key={name}
            name={name}
            className={costing === sizing.cheapest ? 'recommended' : ''}
            costing={costing}
            cost={cost}
            onTry={onTry}
          />
        ))}
        {others.map((costing) => (
          <Costing
            key={`${costing.concurrent} ${costing.contingency}`}
            name={other}
            className=""
            costing={costing}
            cost={cost}
            onTry={onTry}
          />
        ))}
      </Lines>
    </>
  );
}

function Costing({
  name,
  className,
  costing,
  cost,
  onTry,
}: {
  readonly name: string;
  readonly className: string;
  readonly costing: CostingFragment;
  readonly cost: (amount: number) => string;
  /** null: it is what is tried. */
  readonly onTry: ((quantities: Quantities) => void) | null;
}) {
  const { concurrent, contingency, refusedArrivals, shortMilliseconds } = costing;
  return (
    <tr className={className}>
      <th scope="row">
        {onTry === null ? (
          name
        ) : (
          <button
            type="button"
            className="open"
            aria-description={words.usage.whatIf.tryWhat(count(concurrent), count(contingency))}
            onClick={() => onTry(costing)}
          >
            {name}
          </button>
        )}
      </th>
      <td className="figure">{count(concurrent)}</td>
      <td className="figure">{count(contingency)}</td>
      <td className="figure">{cost(costing.cost)}</td>
      <td className={costing.saving > 0 ? 'figure good' : 'figure'}>{cost(costing.saving)}</td>
      <td className={refusedArrivals > 0 ? 'figure refused' : 'figure'}>{count(refusedArrivals)}</td>
      <td className="figure">{shortMilliseconds === 0 ? '–' : duration(shortMilliseconds)}</td>
    </tr>
  );
}

function isSame(one: Quantities, other: Quantities): boolean {
  return one.concurrent === other.concurrent && one.contingency === other.contingency;
}

/** Where a price is missing, a cost is no money. */
function costOf(amount: number, currency: string | null): string {
  return currency === null ? words.usage.whatIf.seatMonths(count(amount)) : moneyOfMinor(amount, currency);
}
