import { useEffect, useMemo, useRef, useState } from 'react';
import { useChoices } from '../shell/address.ts';
import { useAnswer, useLive } from '../shell/answer.ts';
import { ForOrganisation } from '../shell/chosen.tsx';
import { useMay } from '../shell/context.ts';
import { useEvery } from '../shell/every.ts';
import { Failure } from '../shell/failure.tsx';
import { Frame } from '../shell/frame.tsx';
import { useLater } from '../shell/later.tsx';
import { MayNot } from '../shell/may-not.tsx';
import { Picker } from '../shell/picker.tsx';
import { useTitle } from '../shell/title.ts';
import { latest, type Zone, zoneOf } from '../shell/zone.ts';
import { words } from '../words.ts';
import {
  LicencesDocument,
  SeatsChangedDocument,
  type SeatsChangedSubscription,
  UsageDocument,
} from './documents.ts';
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
        <MayNot why={words.usage.mayNot} />
      )}
    </Frame>
  );
}

function OfOrganisation({ organisationId }: { readonly organisationId: string }) {
  const [choices, choose] = useChoices();
  const answer = useAnswer({ query: LicencesDocument, variables: { organisationId } });
  const organisation = answer.data?.organisation;
  const licences = organisation?.licenceMapping.filter(({ concurrent }) => concurrent !== null) ?? [];
  const asked = choices.get('licence');
  const chosen = licences.find(({ licence }) => licence.code === asked) ?? licences[0];
  useTitle(words.pages.usage, organisation?.name);
  return (
    <div className="usage">
      <div className="head">
        <h1>{words.pages.usage}</h1>
        <Picker
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
      <Failure of={answer} say={words.usage.failed} role="alert" />
      {organisation === undefined && answer.problem === null && (
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
            key={organisation.id}
            organisation={organisation}
            row={chosen}
            isOld={answer.problem !== null}
            onRefresh={answer.read}
          />
        ))}
    </div>
  );
}

function OfLicence({
  organisation,
  row,
  isOld,
  onRefresh,
}: {
  readonly organisation: Organisation;
  readonly row: Scope['row'];
  /** Whether it could not be read again. */
  readonly isOld: boolean;
  readonly onRefresh: () => void;
}) {
  const zone = zoneOf(organisation.timeZone);
  const { code: licence } = row.licence;
  const span = useSpan(organisation, licence, zone);
  const isRunning = span?.isRunning === true;
  const [edition, setEdition] = useState(0);
  const refresh = () => {
    onRefresh();
    setEdition((before) => before + 1);
  };
  const { data: event } = useLive(
    {
      query: SeatsChangedDocument,
      variables: { organisationId: organisation.id, licence },
      pause: !isRunning,
    },
    (_: SeatsChangedSubscription | undefined, changed: SeatsChangedSubscription) => changed,
  );
  // An event brings the row’s revision into the cache: where it is another, figures have changed.
  useEvery(againMilliseconds, row.revision, () => {
    if (isRunning) refresh();
  });
  const now = latest(organisation.now, event?.usageChanged.at);
  useReached(isRunning ? span.until : null, now, refresh);
  return (
    <>
      <Tools span={span} now={organisation.now} zone={zone} isOld={isOld} onRefresh={refresh} />
      {span !== null && (
        <Shown
          key={`${licence} ${span.bucket} ${span.from}`}
          scope={{ organisation, row, span, edition }}
          zone={zone}
          isOld={isOld}
        />
      )}
    </>
  );
}

/** Browsers fire at once what is to wait for longer than 24 days. */
const longestMilliseconds = 86_400_000;

/** Does something once an instant has come, by the clock of which `now` was told just now; null: never. */
function useReached(instant: string | null, now: string, act: () => void): void {
  const latest = useRef(act);
  latest.current = act;
  useEffect(() => {
    if (instant === null) return;
    let timer: ReturnType<typeof setTimeout>;
    const wait = (milliseconds: number) => {
      const part = Math.min(milliseconds, longestMilliseconds);
      timer = setTimeout(
        () => (part < milliseconds ? wait(milliseconds - part) : latest.current()),
        Math.max(0, part),
      );
    };
    wait(Date.parse(instant) - Date.parse(now));
    return () => clearTimeout(timer);
  }, [instant, now]);
}

/** Which time is shown, and how to go to another. */
function Tools({
  span,
  now,
  zone,
  isOld,
  onRefresh,
}: {
  readonly span: Span | null;
  readonly now: string;
  readonly zone: Zone;
  readonly isOld: boolean;
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
        <span className={isOld ? 'as-of warn' : 'as-of quiet'}>
          {(isOld ? words.link.old : words.link.asOf)(zone.second(now))}
        </span>
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

function Shown({
  scope,
  zone,
  isOld,
}: {
  readonly scope: Scope;
  readonly zone: Zone;
  /** Whether the page says already that figures are as they were. */
  readonly isOld: boolean;
}) {
  const { organisation, row } = scope;
  const { from, until, bucket, period } = scope.span;
  const mayPeak = useMay('Organisation.peakUsage') && row.contingency !== null;
  const answer = useReading(scope, UsageDocument, {
    ...{ organisationId: organisation.id, licence: row.licence.code },
    ...{ from, until, bucket, period, peak: mayPeak },
  });
  const shown = answer.data?.organisation;
  const isDrawn = shown?.usageHistory != null;
  const Sections = useLater(loadSections, isDrawn);
  const buckets = useMemo(() => shown?.usageHistory ?? [], [shown?.usageHistory]);
  return (
    <>
      {!(isOld && isDrawn) && <Failure of={answer} say={words.usage.failed} role="alert" />}
      {isDrawn ? (
        <Seats scope={scope} buckets={buckets} peakUsage={shown.peakUsage ?? null} zone={zone} />
      ) : (
        answer.problem === null && <p className="quiet">{words.shell.loading}</p>
      )}
      {Sections !== null && <Sections scope={scope} zone={zone} />}
    </>
  );
}
