import { type ReactNode, useEffect, useId, useMemo, useRef, useState } from 'react';
import { useMutation } from 'urql';
import { useLatest } from '../shell/answer.ts';
import type { Picture } from '../shell/chart.tsx';
import { problemOf } from '../shell/client.ts';
import { useMay } from '../shell/context.ts';
import { useEvery } from '../shell/every.ts';
import { Failure } from '../shell/failure.tsx';
import { useLater } from '../shell/later.tsx';
import { type Column, Lines } from '../shell/lines.tsx';
import { count, type Zone } from '../shell/zone.ts';
import { words } from '../words.ts';
import { DetailDocument, type DetailQuery, ForceLogoffDocument } from './documents.ts';
import type { Day, Row } from './figures.ts';
import { inUse } from './spark.tsx';

const loadChart = async () => (await import('../shell/chart.tsx')).Chart;

/** A busy licence changes ten times a second; what stands behind it is read no more often than this. */
const againMilliseconds = 1000;
/** In pixels, without the legend. */
const curveHeight = 190;

type Organisation = NonNullable<DetailQuery['organisation']>;
export type Mapping = Extract<NonNullable<DetailQuery['node']>, { readonly usageHistory: unknown }>;

/** What stands behind a row: who is logged on, who was refused, what comes back, who holds it, what was bought. */
export function Detail({
  row,
  organisationId,
  zone,
  today,
  onClose,
}: {
  readonly row: Row;
  readonly organisationId: string;
  readonly zone: Zone;
  readonly today: Day;
  readonly onClose: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const title = useId();
  useEffect(() => dialog.current?.showModal(), []);
  const answer = useLatest({
    query: DetailDocument,
    variables: {
      organisationId,
      mappingId: row.id,
      licence: row.licence.code,
      ...{ from: today.from, until: today.until },
      sessions: useMay('Organisation.sessions'),
      denials: useMay('Organisation.denials'),
      released: useMay('LicenceMapping.releasedBases') && row.base !== null,
      holders: useMay('Organisation.users'),
      purchases: useMay('Organisation.purchases'),
    },
  });
  const { data, read } = answer;
  useEvery(againMilliseconds, row.revision, read);
  const close = useRef<HTMLButtonElement>(null);
  // Else the sheet itself has the focus, which is read aloud with the names of all its parts.
  useEffect(() => close.current?.focus(), []);

  const organisation = data?.organisation;
  const mapping =
    data?.node !== null && data?.node !== undefined && 'usageHistory' in data.node ? data.node : null;
  return (
    <dialog
      ref={dialog}
      className="detail"
      aria-labelledby={title}
      onClose={onClose}
      onClick={({ target }) => {
        // Beside the sheet, which covers all of the dialog.
        if (target === dialog.current) dialog.current?.close();
      }}
    >
      <div className="sheet" tabIndex={-1}>
        <header>
          <h2 id={title}>{row.licence.name}</h2>
          <button ref={close} type="button" onClick={() => dialog.current?.close()}>
            {words.detail.close}
          </button>
        </header>
        <Failure of={answer} say={words.failure.part} role="alert" />
        {data === undefined && answer.problem === null && <p className="quiet">{words.shell.loading}</p>}
        {mapping !== null && row.concurrent !== null && <Today mapping={mapping} zone={zone} />}
        {organisation?.sessions != null && (
          <Sessions sessions={organisation.sessions} zone={zone} today={today} onChanged={read} />
        )}
        {organisation?.denials != null && <Denials denials={organisation.denials} zone={zone} />}
        {mapping?.releasedBases != null && <Released released={mapping.releasedBases} zone={zone} />}
        {organisation?.users != null && <Holders users={organisation.users} />}
        {organisation?.purchases != null && (
          <Purchases purchases={organisation.purchases} row={row} zone={zone} />
        )}
      </div>
    </dialog>
  );
}

interface List<Node> {
  readonly totalCount: number | null;
  readonly edges: readonly { readonly node: Node }[];
}

/** A part of the sheet: a table, or a sentence where there is nothing to put into it. */
function Part<Node>({
  title,
  about,
  none,
  list,
  columns,
  children,
}: {
  readonly title: string;
  readonly about?: string;
  readonly none: string;
  readonly list: List<Node>;
  readonly columns: readonly Column[];
  readonly children: (node: Node) => ReactNode;
}) {
  const id = useId();
  const { edges, totalCount } = list;
  return (
    <section aria-labelledby={id}>
      <h3>
        <span id={id}>{title}</span> <span className="quiet">{count(totalCount ?? edges.length)}</span>
      </h3>
      {about !== undefined && <p className="quiet">{about}</p>}
      {edges.length === 0 ? (
        <p className="quiet">{none}</p>
      ) : (
        <Lines label={title} columns={columns}>
          {edges.map(({ node }) => children(node))}
        </Lines>
      )}
      {totalCount !== null && totalCount > edges.length && (
        <p className="quiet">{words.lines.shown(count(edges.length), count(totalCount))}</p>
      )}
    </section>
  );
}

function Today({ mapping, zone }: { readonly mapping: Mapping; readonly zone: Zone }) {
  const id = useId();
  const { title, summary, none } = words.detail.today;
  const Chart = useLater(loadChart, true);
  const picture = useMemo(() => pictureOf(mapping.usageHistory), [mapping.usageHistory]);
  const buckets = mapping.usageHistory;
  const most = Math.max(0, ...buckets.map(inUse));
  const peak = buckets.find((bucket) => inUse(bucket) === most);
  return (
    <section aria-labelledby={id}>
      <h3 id={id}>{title}</h3>
      <p className="quiet">
        {most === 0 || peak === undefined ? none : summary(count(most), zone.minute(peak.from))}
      </p>
      {buckets.length > 0 && (
        <div className="curve">
          {Chart !== null && <Chart picture={picture} zone={zone} height={curveHeight} />}
        </div>
      )}
    </section>
  );
}

/** Today's use by five minutes, under the seats that there were. */
function pictureOf(buckets: Mapping['usageHistory']): Picture {
  const { inUse: used, concurrent, all } = words.detail.today;
  const totals = buckets.map((bucket) => [bucket.concurrent.total, bucket.contingency.total] as const);
  return {
    times: [...buckets.map(({ from }) => from), ...buckets.slice(-1).map(({ until }) => until)],
    series: [
      { label: used, values: buckets.map(inUse), colour: 'accent', look: 'filled' },
      { label: concurrent, values: totals.map(([shared]) => shared), colour: 'good', look: 'dashed' },
      {
        label: all,
        values: totals.map(([shared, reserve]) => shared + reserve),
        colour: 'warn',
        look: 'dashed',
      },
    ],
  };
}

type Session = NonNullable<Organisation['sessions']>['edges'][number]['node'];

function Sessions({
  sessions,
  zone,
  today,
  onChanged,
}: {
  readonly sessions: List<Session>;
  readonly zone: Zone;
  readonly today: Day;
  readonly onChanged: () => void;
}) {
  const { title, none, who, device, since, seat, features, action } = words.detail.sessions;
  const mayForce = useMay('Mutation.forceLogoff');
  const [said, setSaid] = useState('');
  const told = useRef<HTMLParagraphElement>(null);
  const say = (what: string) => {
    setSaid(what);
    // The row that had the focus is about to go.
    told.current?.focus();
    // Without live figures nothing else would tell.
    onChanged();
  };
  return (
    <>
      <Part
        title={title}
        none={none}
        list={sessions}
        columns={[who, device, since, seat, features, ...(mayForce ? [action] : [])]}
      >
        {(session) => (
          <tr key={session.id}>
            <th scope="row">{session.user.displayName}</th>
            <td>{session.device}</td>
            <td>{(session.startedAt < today.from ? zone.moment : zone.minute)(session.startedAt)}</td>
            <td className={session.admittedAs === 'CONTINGENCY' ? 'contingency' : ''}>
              {words.detail.sessions.seats[session.admittedAs]}
            </td>
            <td>
              <Features features={session.features} />
            </td>
            {mayForce && (
              <td>
                <LogOff session={session} onSaid={say} />
              </td>
            )}
          </tr>
        )}
      </Part>
      <p ref={told} tabIndex={-1} role="status" className={said === '' ? 'unseen' : 'quiet'}>
        {said}
      </p>
    </>
  );
}

function Features({ features }: { readonly features: Session['features'] }) {
  if (features.length === 0) return '–';
  const { refused, reasons } = words.detail.sessions;
  return (
    <ul className="features">
      {features.map(({ feature, granted, admittedAs, unavailableReason }) => (
        <li
          key={feature.id}
          className={granted ? (admittedAs === 'CONTINGENCY' ? 'contingency' : '') : 'over'}
        >
          {granted || unavailableReason === null
            ? feature.name
            : refused(feature.name, reasons[unavailableReason])}
        </li>
      ))}
    </ul>
  );
}

/** Asks again before it logs somebody off in the middle of their work. */
function LogOff({ session, onSaid }: { readonly session: Session; readonly onSaid: (what: string) => void }) {
  const [stage, setStage] = useState<'IDLE' | 'ASKING' | 'KEPT'>('IDLE');
  const [{ fetching }, force] = useMutation(ForceLogoffDocument);
  const { logOff, logOffWhom, confirm, cancel, done } = words.detail.sessions;
  const { displayName } = session.user;
  if (stage !== 'ASKING') {
    return (
      <button
        type="button"
        aria-label={logOffWhom(displayName, session.device)}
        autoFocus={stage === 'KEPT'}
        onClick={() => setStage('ASKING')}
      >
        {logOff}
      </button>
    );
  }
  const act = async () => {
    const { data, error } = await force({ sessionId: session.id });
    const answer = data?.forceLogoff;
    setStage('IDLE');
    if (answer != null && 'message' in answer) onSaid(answer.message);
    else onSaid(problemOf(error) ?? done(displayName));
  };
  return (
    <span className="asking">
      <button
        type="button"
        className="danger"
        aria-label={`${confirm}: ${logOffWhom(displayName, session.device)}`}
        autoFocus
        disabled={fetching}
        onClick={() => void act()}
      >
        {confirm}
      </button>
      <button type="button" onClick={() => setStage('KEPT')}>
        {cancel}
      </button>
    </span>
  );
}

function Denials({
  denials,
  zone,
}: {
  readonly denials: NonNullable<Organisation['denials']>;
  readonly zone: Zone;
}) {
  const { title, none, when, who, reason, codes } = words.detail.denials;
  return (
    <Part title={title} none={none} list={denials} columns={[when, who, reason]}>
      {({ id, at, user, code }) => (
        <tr key={id}>
          <td>{zone.second(at)}</td>
          <th scope="row">{user.displayName}</th>
          <td>{codes[code] ?? code}</td>
        </tr>
      )}
    </Part>
  );
}

function Released({
  released,
  zone,
}: {
  readonly released: NonNullable<Mapping['releasedBases']>;
  readonly zone: Zone;
}) {
  const { title, about, none, last, reusable, freeOn } = words.detail.released;
  return (
    <Part title={title} about={about} none={none} list={released} columns={[last, reusable, freeOn]}>
      {(base) => (
        <tr key={`${base.lastHolder.id} ${base.freeAt}`}>
          <th scope="row">{base.lastHolder.displayName}</th>
          <td>{base.reusable ? words.detail.yes : words.detail.no}</td>
          <td>{zone.moment(base.freeAt)}</td>
        </tr>
      )}
    </Part>
  );
}

function Holders({ users }: { readonly users: NonNullable<Organisation['users']> }) {
  const { title, none, who, username, status, department, statuses } = words.detail.holders;
  return (
    <Part title={title} none={none} list={users} columns={[who, username, status, department]}>
      {(user) => (
        <tr key={user.id}>
          <th scope="row">{user.displayName}</th>
          <td>{user.username}</td>
          <td>{statuses[user.status]}</td>
          <td>{user.department?.name ?? '–'}</td>
        </tr>
      )}
    </Part>
  );
}

function Purchases({
  purchases,
  row,
  zone,
}: {
  readonly purchases: NonNullable<Organisation['purchases']>;
  readonly row: Row;
  readonly zone: Zone;
}) {
  const { title, none, from, until, open, base, concurrent, contingency, reference } = words.detail.purchases;
  const pools = [
    ...(row.base === null ? [] : [['base', base] as const]),
    ...(row.concurrent === null ? [] : [['concurrent', concurrent] as const]),
    ...(row.contingency === null ? [] : [['contingency', contingency] as const]),
  ];
  return (
    <Part
      title={title}
      none={none}
      list={purchases}
      columns={[from, until, ...pools.map(([, name]) => [name, 'figure'] as const), reference]}
    >
      {(purchase) => (
        <tr key={purchase.id}>
          <th scope="row">{zone.moment(purchase.from)}</th>
          <td>{purchase.until === null ? open : zone.moment(purchase.until)}</td>
          {pools.map(([pool]) => (
            <td key={pool} className="figure">
              {count(purchase[pool])}
            </td>
          ))}
          <td>{purchase.reference ?? '–'}</td>
        </tr>
      )}
    </Part>
  );
}
