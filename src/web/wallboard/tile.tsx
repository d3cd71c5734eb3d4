import { memo } from 'react';
import { count, type Zone } from '../shell/zone.ts';
import { words } from '../words.ts';
import { type Row, statesOf } from './board.ts';
import { Curve } from './curve.tsx';
import type { Buckets } from './past.ts';

const { wallboard, mapping } = words;

/** One licence, as it is read across a room; drawn anew only where something of it changed. */
export const Tile = memo(function Tile({
  row,
  denials,
  buckets,
  from,
  until,
  zone,
}: {
  readonly row: Row;
  /** null: not known now. */
  readonly denials: number | null;
  readonly buckets: Buckets | undefined;
  readonly from: string;
  readonly until: string;
  readonly zone: Zone;
}) {
  const { licence, base, concurrent, contingency } = row;
  const seats = concurrent ?? base;
  if (seats === null) return null;
  const states = statesOf(row);
  const [gravest] = states;
  const reserve = concurrent === null || contingency === null || contingency.total === 0 ? null : contingency;
  return (
    <li className={`tile ${gravest?.kind ?? 'within'}`} data-licence={licence.code}>
      <div className="inner">
        <h2>{licence.name}</h2>
        <p className={`seats ${sizeOf(count(seats.used) + count(seats.total))}`}>
          <strong>{count(seats.used)}</strong> <span className="of">{wallboard.of(count(seats.total))}</span>
        </p>
        {concurrent !== null && <Curve buckets={buckets} from={from} until={until} zone={zone} />}
        <Bar used={seats.used} total={seats.total} reserve={reserve} />
        <p className="reserve-line">
          {reserve === null ? (
            <span className="quiet">{concurrent === null ? wallboard.fixed : wallboard.noContingency}</span>
          ) : (
            <>
              <span>
                {wallboard.contingency}{' '}
                <strong>{wallboard.contingencyOf(count(reserve.used), count(reserve.total))}</strong>
              </span>
              <span>{wallboard.most(count(reserve.maxUsed))}</span>
            </>
          )}
        </p>
        <p className="states">
          {states.map(({ kind, name, by }) => (
            <span key={name} className={`state ${kind}`}>
              {name === 'full' ? mapping.states.full : mapping.states[name](count(by))}
            </span>
          ))}
          {states.length === 0 && (reserve?.paidHeadroom ?? 0) === 0 && (
            <span className="quiet">{wallboard.within}</span>
          )}
          {reserve !== null && reserve.paidHeadroom > 0 && (
            <span className="paid">{wallboard.paid(count(reserve.paidHeadroom))}</span>
          )}
        </p>
        <p className={denials !== null && denials > 0 ? 'denials some' : 'denials'}>
          {denials === null ? wallboard.denialsUnknown : wallboard.denials(denials)}
        </p>
      </div>
    </li>
  );
});

/** By how many characters have to stand beside the curve. */
function sizeOf(text: string): string {
  return text.length <= 4 ? 'short' : text.length <= 6 ? 'middle' : 'long';
}

/** Concurrent seats, and contingency on the right of them, to one scale. The figures beside it say the same. */
function Bar({
  used,
  total,
  reserve,
}: {
  readonly used: number;
  readonly total: number;
  readonly reserve: Row['contingency'];
}) {
  const all = Math.max(1, total + (reserve?.total ?? 0));
  const share = (seats: number) => `${(100 * Math.min(seats, all)) / all}%`;
  return (
    <div className="scale" aria-hidden="true">
      <span className="bought" style={{ width: share(total) }}>
        <span style={{ width: total === 0 ? '0' : `${Math.min(100, (100 * used) / total)}%` }} />
      </span>
      {reserve !== null && (
        <span className="reserve" style={{ width: share(reserve.total) }}>
          <span style={{ width: `${(100 * reserve.used) / reserve.total}%` }} />
          {reserve.maxUsed > 0 && (
            <i style={{ insetInlineStart: `${Math.min(100, (100 * reserve.maxUsed) / reserve.total)}%` }} />
          )}
        </span>
      )}
    </div>
  );
}
