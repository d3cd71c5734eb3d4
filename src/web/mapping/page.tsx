import { type RefObject, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { type SortingState, useTable } from '@tanstack/react-table';
import { useChoices } from '../shell/address.ts';
import { useCalm } from '../shell/calm.ts';
import { ForOrganisation } from '../shell/chosen.tsx';
import { useMay } from '../shell/context.ts';
import { Failure } from '../shell/failure.tsx';
import { Frame } from '../shell/frame.tsx';
import { useLater } from '../shell/later.tsx';
import { MayNot } from '../shell/may-not.tsx';
import { Picker } from '../shell/picker.tsx';
import { useTitle } from '../shell/title.ts';
import { words } from '../words.ts';
import { columns, features, isColumn, type Line, statesOf } from './columns.ts';
import { download, fullTitle, toCsv } from './csv.ts';
import type { LicenceCategory } from './documents.ts';
import { type Figures, type Row, useFigures } from './figures.ts';
import './mapping.css';
import { isInHand, useOrder } from './order.ts';
import { inUse } from './spark.tsx';
import { Table } from './table.tsx';

const loadDetail = async () => (await import('./detail.tsx')).Detail;

/** Licence Mapping: how many seats of each licence an organisation has, and uses. */
export function Page() {
  const may = useMay('Organisation.licenceMapping');
  return (
    <Frame>
      {may ? (
        <ForOrganisation>{(organisationId) => <Mapping organisationId={organisationId} />}</ForOrganisation>
      ) : (
        <MayNot why={words.mapping.mayNot} />
      )}
    </Frame>
  );
}

const kinds = ['feature', 'product'] as const;
type Kind = (typeof kinds)[number];

/** Who listens to the summary is told of it no more often than this, however often seats change. */
const calmMilliseconds = 10_000;

/** What is ticked and not shown yet, and what was shown then. */
interface Wish {
  readonly occasion: string;
  readonly kinds: ReadonlySet<Kind>;
}

function Mapping({ organisationId }: { readonly organisationId: string }) {
  const [choices, choose, undo] = useChoices();
  const isLive = choices.get('live') !== 'off';
  const shown = new Set(kinds.filter((kind) => choices.get(kind) === 'on'));
  // Without live figures a check box is a wish until Refresh is pressed, as on the page that this one follows.
  const occasion = [organisationId, isLive, ...shown].join(' ');
  const [wish, setWish] = useState<Wish | null>(null);
  // One of before the address changed, by going back or otherwise, is over.
  const wishes = wish?.occasion === occasion ? wish.kinds : shown;
  const hasWishes = kinds.some((kind) => wishes.has(kind) !== shown.has(kind));
  const categories = useMemo<LicenceCategory[]>(
    () => [
      'USER',
      ...(choices.get('product') === 'on' ? ['PRODUCT' as const] : []),
      ...(choices.get('feature') === 'on' ? ['FEATURE' as const] : []),
    ],
    [choices.get('product'), choices.get('feature')],
  );
  const figures = useFigures(organisationId, categories, isLive);
  const { organisation, zone, sparks, reading } = figures;

  const apply = (wanted: ReadonlySet<Kind>) =>
    choose(Object.fromEntries(kinds.map((kind) => [kind, wanted.has(kind) ? 'on' : null])));
  const tick = (kind: Kind, isTicked: boolean) => {
    const wanted = new Set(wishes);
    if (isTicked) wanted.add(kind);
    else wanted.delete(kind);
    if (isLive) apply(wanted);
    else setWish({ occasion, kinds: wanted });
  };
  const open = useCallback((licence: string) => choose({ licence }, 'push'), [choose]);

  const rows = organisation?.licenceMapping;
  const lines = useMemo<Line[]>(
    () =>
      (rows ?? []).map((row) => {
        const hours = row.concurrent === null ? [] : (sparks.get(row.id) ?? []);
        const mostToday = hours.length === 0 ? undefined : Math.max(...hours.map(inUse));
        return { row, organisation: organisation?.name ?? '', mostToday };
      }),
    [rows, organisation?.name, sparks],
  );
  const sorting = readSorting(choices.get('sort'));
  const table = useTable({
    features,
    columns,
    data: lines,
    getRowId: ({ row }) => row.id,
    state: { sorting },
    onSortingChange: (change) => {
      const [by] = typeof change === 'function' ? change(sorting) : change;
      choose({ sort: by === undefined ? null : `${by.id}.${by.desc ? 'desc' : 'asc'}` });
    },
  });
  const body = useRef<HTMLTableSectionElement>(null);
  const sortedRows = table.getRowModel().rows;
  const order = useOrder(sortedRows, choices.get('sort') ?? '', () => isInHand(body.current));

  const save = () => {
    const ids = table.getAllLeafColumns().map(({ id }) => id);
    const cells = order.map((row) => ids.map((id) => row.getValue<string | number>(id)));
    const at = (figures.asOf ?? '').replaceAll(':', '-').slice(0, 19);
    download(`licence-mapping ${organisation?.name ?? ''} ${at}.csv`, toCsv(ids, cells));
  };
  const wanted = choices.get('licence');
  const opened = rows?.find(({ licence }) => licence.code === wanted);
  const Detail = useLater(loadDetail, opened !== undefined);
  useReturn(body, opened?.licence.code);
  useTitle(words.pages.mapping, organisation?.name);
  const [by] = sorting;

  return (
    <div className="mapping" aria-busy={reading.isFetching}>
      <div className="head">
        <h1>{words.pages.mapping}</h1>
        <Picker
          name={organisation?.name ?? ''}
          onPick={(picked) => choose({ organisation: picked, licence: null }, 'push')}
        />
        <AsOf figures={figures} />
      </div>
      <div className="tools">
        {kinds.map((kind) => (
          <label key={kind}>
            <input
              type="checkbox"
              checked={wishes.has(kind)}
              onChange={({ target }) => tick(kind, target.checked)}
            />
            {words.mapping[kind]}
          </label>
        ))}
        <button
          type="button"
          className={hasWishes ? 'primary' : ''}
          aria-describedby="refresh-hint"
          onClick={() => {
            if (hasWishes) apply(wishes);
            else reading.read();
          }}
        >
          {words.mapping.refresh}
        </button>
        <label className="switch">
          <input
            type="checkbox"
            role="switch"
            checked={isLive}
            onChange={({ target }) => choose({ live: target.checked ? null : 'off' })}
          />
          {words.mapping.live}
        </label>
        <span id="refresh-hint" className="quiet" role="status">
          {hasWishes && words.mapping.refreshHint}
        </span>
        <span className="spread">
          <button type="button" onClick={save} disabled={rows === undefined}>
            {words.mapping.download}
          </button>
          <button type="button" onClick={() => print()}>
            {words.mapping.print}
          </button>
        </span>
      </div>
      <Failure of={reading} say={words.mapping.failed} role="alert" />
      <Failure of={figures.readingSparks} say={words.mapping.sparksFailed} />
      {organisation === undefined && reading.problem === null && (
        <p className="quiet notice">{words.shell.loading}</p>
      )}
      {organisation === null && <p className="notice">{words.organisation.missing}</p>}
      {rows !== undefined && (
        <>
          {wanted !== null && opened === undefined && !reading.isFetching && (
            <p role="status">{words.mapping.noLicence(wanted)}</p>
          )}
          <Summary rows={rows} />
          {isLive && by !== undefined && isColumn(by.id) && (
            <p className="quiet">{words.mapping.sorted(fullTitle(by.id))}</p>
          )}
          <Table table={table} rows={order} body={body} zone={zone} sparks={sparks} onOpen={open} />
          {rows.length === 0 && <p className="notice">{words.mapping.empty}</p>}
        </>
      )}
      {organisation != null && (
        <p className="quiet">
          {words.mapping.period(
            zone.day(organisation.billingPeriod.from),
            zone.lastDay(organisation.billingPeriod.until),
            zone.name,
          )}
        </p>
      )}
      {opened !== undefined && figures.today !== null && Detail !== null && (
        <Detail
          row={opened}
          organisationId={organisationId}
          zone={zone}
          today={figures.today}
          onClose={() => undo('licence')}
        />
      )}
    </div>
  );
}

/** When the figures were so. A figure that is not live never looks live, and on paper none is. */
function AsOf({ figures: { asOf, live, zone, reading } }: { readonly figures: Figures }) {
  if (asOf === null) return null;
  const at = zone.second(asOf);
  const [tone, text] = {
    LIVE: ['good', words.link.live],
    LOST: ['warn', words.link.reconnecting(at)],
    OFF: reading.problem === null ? ['quiet', words.link.asOf(at)] : ['warn', words.link.old(at)],
  }[live];
  return (
    <>
      <p role="status" className={`as-of ${tone}`}>
        {text}
      </p>
      <p className="printed">{words.link.asOf(zone.moment(asOf))}</p>
    </>
  );
}

/** Has the focus where a sheet was opened from, however it was closed, and also where a link opened it. */
function useReturn(body: RefObject<HTMLTableSectionElement | null>, opened: string | undefined): void {
  const before = useRef(opened);
  useEffect(() => {
    const closed = before.current;
    before.current = opened;
    if (closed === undefined || opened !== undefined || document.activeElement !== document.body) return;
    body.current?.querySelector<HTMLElement>(`[data-licence="${CSS.escape(closed)}"] .open`)?.focus();
  }, [body, opened]);
}

/** In words, what colours show; said again only when how many changes, not with every seat, and not at every turn. */
function Summary({ rows }: { readonly rows: readonly Row[] }) {
  const having = (kind: string) =>
    rows.filter((row) => statesOf(row).some((state) => state.kind === kind)).length;
  const summary = words.mapping.summary(having('over'), having('contingency'), having('full'));
  const said = useCalm(calmMilliseconds, summary);
  return (
    <>
      <p className="quiet" aria-hidden="true">
        {summary}
      </p>
      <p role="status" className="unseen">
        {said}
      </p>
    </>
  );
}

function readSorting(text: string | null): SortingState {
  const [id, direction] = text?.split('.') ?? [];
  return id === undefined || !isColumn(id) ? [] : [{ id, desc: direction === 'desc' }];
}
