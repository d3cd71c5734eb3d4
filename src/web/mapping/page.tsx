import { useCallback, useMemo, useState } from 'react';
import { type SortingState, useTable } from '@tanstack/react-table';
import { useChoices } from '../shell/address.ts';
import { ForOrganisation } from '../shell/chosen.tsx';
import { useMay } from '../shell/context.ts';
import { Failure } from '../shell/failure.tsx';
import { Frame } from '../shell/frame.tsx';
import { useLater } from '../shell/later.tsx';
import { MayNot } from '../shell/may-not.tsx';
import { Picker } from '../shell/picker.tsx';
import { words } from '../words.ts';
import { columns, features, type Line, statesOf } from './columns.ts';
import { download, toCsv } from './csv.ts';
import type { LicenceCategory } from './documents.ts';
import { type Figures, type Row, useFigures } from './figures.ts';
import './mapping.css';
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

function Mapping({ organisationId }: { readonly organisationId: string }) {
  const [choices, choose] = useChoices();
  const isLive = choices.get('live') !== 'off';
  const shown = new Set(kinds.filter((kind) => choices.get(kind) === 'on'));
  // Without live figures a check box is a wish until Refresh is pressed, as on the page that this one follows.
  const [wishes, setWishes] = useState<ReadonlySet<Kind>>(shown);
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
    const wanted = new Set(isLive ? shown : wishes);
    if (isTicked) wanted.add(kind);
    else wanted.delete(kind);
    setWishes(wanted);
    if (isLive) apply(wanted);
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

  const save = () => {
    const ids = table.getAllLeafColumns().map(({ id }) => id);
    const cells = table.getRowModel().rows.map((row) => ids.map((id) => row.getValue<string | number>(id)));
    const at = (figures.asOf ?? '').replaceAll(':', '-').slice(0, 19);
    download(`licence-mapping ${organisation?.name ?? ''} ${at}.csv`, toCsv(ids, cells));
  };
  const opened = rows?.find(({ licence }) => licence.code === choices.get('licence'));
  const Detail = useLater(loadDetail, opened !== undefined);

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
              checked={(isLive ? shown : wishes).has(kind)}
              onChange={({ target }) => tick(kind, target.checked)}
            />
            {words.mapping[kind]}
          </label>
        ))}
        <button
          type="button"
          className={hasWishes && !isLive ? 'primary' : ''}
          aria-describedby="refresh-hint"
          onClick={() => {
            if (hasWishes && !isLive) apply(wishes);
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
            onChange={({ target }) => {
              choose({ live: target.checked ? null : 'off' });
              setWishes(shown);
            }}
          />
          {words.mapping.live}
        </label>
        <span id="refresh-hint" className="quiet" role="status">
          {hasWishes && !isLive && words.mapping.refreshHint}
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
          <Summary rows={rows} />
          <Table table={table} zone={zone} sparks={sparks} onOpen={open} />
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
          onClose={() => choose({ licence: null })}
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

/** In words, what colours show; said again only when how many changes, not with every seat. */
function Summary({ rows }: { readonly rows: readonly Row[] }) {
  const having = (kind: string) =>
    rows.filter((row) => statesOf(row).some((state) => state.kind === kind)).length;
  return (
    <p role="status" className="quiet">
      {words.mapping.summary(having('over'), having('contingency'), having('full'))}
    </p>
  );
}

function readSorting(text: string | null): SortingState {
  const [id, direction] = text?.split('.') ?? [];
  return id === undefined || id === '' ? [] : [{ id, desc: direction === 'desc' }];
}
