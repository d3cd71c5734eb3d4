import { useMemo } from 'react';
import { useQuery, useSubscription } from 'urql';
import { useChoices } from '../shell/address.ts';
import { ForOrganisation } from '../shell/chosen.tsx';
import { problemOf } from '../shell/client.ts';
import { useMay } from '../shell/context.ts';
import { useEvery } from '../shell/every.ts';
import { Frame } from '../shell/frame.tsx';
import { useLater } from '../shell/later.ts';
import { Picker } from '../shell/picker.tsx';
import { useTitle } from '../shell/title.ts';
import { type Zone, zoneOf } from '../shell/zone.ts';
import { words } from '../words.ts';
import { LicencesDocument, SeatsChangedDocument, UsageDocument } from './documents.ts';
import { type Scope, useReading } from './reading.ts';
import { Seats } from './seats.tsx';
import { type Organisation, pieceOf, pieces, type Span, useSpan } from './span.ts';
import './usage.css';

const loadSections = async () => (await import('./sections.tsx')).Sections;

/** However often seats change, what is running is read again no more often than this. */
const againMilliseconds = 3000;

/** Usage: how many seats of a licence were in use over time, who was refused, what that costs and what would. */
export function Page() {
  const may = useMay('Organisation.usageHistory');
  return (
    <Frame>
      {may ? (
        <ForOrganisation>
          {(organisationId) => <OfOrganisation organisationId={organisationId} />}
        </ForOrganisation>
      ) : (
        <p className="notice">{words.usage.mayNot}</p>
      )}
    </Frame>
  );
}

function OfOrganisation({ organisationId }: { readonly organisationId: string }) {
  const [choices, choose] = useChoices();
  const [{ data, error }, read] = useQuery({ query: LicencesDocument, variables: { organisationId } });
  const organisation = data?.organisation;
  const licences = organisation?.licenceMapping.filter(({ concurrent }) => concurrent !== null) ?? [];
  const asked = choices.get('licence');
  const chosen = licences.find(({ licence }) => licence.code === asked) ?? licences[0];
  const problem = problemOf(error);
  useTitle(words.pages.usage, organisation?.name);
  return (
    <div className="usage">
      <div className="head">
        <h1>{words.pages.usage}</h1>
        <Picker
          key={organisation?.id ?? ''}
          name={organisation?.name ?? ''}
          onPick={(picked) => choose({ organisation: picked, licence: null, try: null }, 'push')}
        />
        {chosen !== undefined && (
          <label>
            <span className="unseen">{words.usage.licence}</span>
            <select
              value={chosen.licence.code}
              onChange={({ target }) => choose({ licence: target.value, try: null }, 'push')}
            >
              {licences.map(({ licence }) => (
                <option key={licence.id} value={licence.code}>
                  {licence.name}
                </option>
              ))}
            </select>
          </label>
        )}
      </div>
      {problem !== null && (
        <p role="alert" className="problem">
          {words.usage.failed(problem)}
        </p>
      )}
      {organisation === undefined && problem === null && (
        <p className="quiet notice">{words.shell.loading}</p>
      )}
      {organisation === null && <p className="notice">{words.organisation.missing}</p>}
      {asked !== null && chosen !== undefined && chosen.licence.code !== asked && (
        <p role="status">{words.usage.noLicence(asked, chosen.licence.name)}</p>
      )}
      {organisation != null &&
        (chosen === undefined ? (
          <p className="notice">{words.usage.noLicences}</p>
        ) : (
          <OfLicence
            organisation={organisation}
            row={chosen}
            onRefresh={() => read({ requestPolicy: 'network-only' })}
          />
        ))}
    </div>
  );
}

function OfLicence({
  organisation,
  row,
  onRefresh,
}: {
  readonly organisation: Organisation;
  readonly row: Scope['row'];
  readonly onRefresh: () => void;
}) {
  const zone = zoneOf(organisation.timeZone);
  const { code: licence } = row.licence;
  const span = useSpan(organisation, licence, zone);
  const isOld = span !== null && !span.isRunning;
  useSubscription({
    query: SeatsChangedDocument,
    variables: { organisationId: organisation.id, licence },
    pause: span === null || isOld,
  });
  // An event brings the row's revision into the cache, and by it what is read of the present is known to be old.
  useEvery(againMilliseconds, isOld ? null : row.revision, onRefresh);
  return (
    <>
      <Tools span={span} now={organisation.now} zone={zone} onRefresh={onRefresh} />
      {span !== null && (
        <Shown
          key={`${licence} ${span.bucket} ${span.from}`}
          organisation={organisation}
          row={row}
          span={span}
          zone={zone}
        />
      )}
    </>
  );
}

/** Which time is shown, and how to go to another. */
function Tools({
  span,
  now,
  zone,
  onRefresh,
}: {
  readonly span: Span | null;
  readonly now: string;
  readonly zone: Zone;
  readonly onRefresh: () => void;
}) {
  const [choices, choose] = useChoices();
  const { by: groupLabel, pieces: names, before, after, today, date, refresh } = words.usage.tools;
  const chosen = pieceOf(choices.get('by'));
  const go = (at: string | null) => choose({ at }, 'push');
  return (
    <div className="tools">
      <span className="pieces" role="group" aria-label={groupLabel}>
        {pieces.map((piece) => (
          <button
            key={piece}
            type="button"
            aria-pressed={piece === chosen}
            onClick={() => choose({ by: piece === 'day' ? null : piece }, 'push')}
          >
            {names[piece]}
          </button>
        ))}
      </span>
      <span className="steps">
        <button
          type="button"
          aria-label={before[chosen]}
          disabled={span === null}
          onClick={() => go(span?.before ?? null)}
        >
          <span aria-hidden="true">‹</span>
        </button>
        <button
          type="button"
          aria-label={after[chosen]}
          disabled={span === null || span.after === null}
          onClick={() => go(span?.after ?? null)}
        >
          <span aria-hidden="true">›</span>
        </button>
        <button type="button" onClick={() => go(null)} disabled={span?.isRunning === true}>
          {today[chosen]}
        </button>
        <input
          type="date"
          aria-label={date}
          value={
            span === null ? '' : zone.date(choices.get('at') !== null && !span.isRunning ? span.from : now)
          }
          max={zone.date(now)}
          onChange={({ target }) => {
            if (target.value !== '') go(target.value);
          }}
        />
      </span>
      <div role="status">
        <h2>{span === null ? words.shell.loading : titleOf(span, zone)}</h2>
      </div>
      <span className="spread">
        <span className="as-of quiet">{words.link.asOf(zone.second(now))}</span>
        <button type="button" onClick={onRefresh}>
          {refresh}
        </button>
      </span>
    </div>
  );
}

function titleOf({ by, from, until }: Span, zone: Zone): string {
  if (by === 'day') return zone.weekday(from);
  return words.usage.tools.range(zone.day(from), zone.lastDay(until));
}

function Shown({ organisation, row, span, zone }: Scope & { readonly zone: Zone }) {
  const { from, until, bucket, period } = span;
  const mayPeak = useMay('Organisation.peakUsage') && row.contingency !== null;
  const scope: Scope = { organisation, row, span };
  const { data, error } = useReading(scope, UsageDocument, {
    ...{ organisationId: organisation.id, licence: row.licence.code },
    ...{ from, until, bucket, period, peak: mayPeak },
  });
  const shown = data?.organisation;
  const isDrawn = shown?.usageHistory != null;
  const Sections = useLater(loadSections, isDrawn);
  const problem = problemOf(error);
  const buckets = useMemo(() => shown?.usageHistory ?? [], [shown?.usageHistory]);
  return (
    <>
      {problem !== null && (
        <p role="alert" className="problem">
          {words.usage.failed(problem)}
        </p>
      )}
      {isDrawn ? (
        <Seats scope={scope} buckets={buckets} peakUsage={shown.peakUsage ?? null} zone={zone} />
      ) : (
        problem === null && <p className="quiet">{words.shell.loading}</p>
      )}
      {Sections !== null && <Sections scope={scope} zone={zone} />}
    </>
  );
}
