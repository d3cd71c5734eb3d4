import { type CSSProperties, useEffect, useState } from 'react';
import { useChoices } from '../shell/address.ts';
import { ForOrganisation } from '../shell/chosen.tsx';
import { useMay, useShell } from '../shell/context.ts';
import { count } from '../shell/zone.ts';
import { words } from '../words.ts';
import { type Board, useBoard } from './board.ts';
import { gridOf, pagesOf, readChoices } from './choices.ts';
import { useAwakening, useFullScreen, useMovement, useOwnVersion, useTurns, useWakeLock } from './screen.ts';
import { Tile } from './tile.tsx';
import './wallboard.css';

/** The wallboard: one screen, read across a room, for weeks, by nobody in particular. */
export function Page() {
  const [search] = useChoices();
  const { signedIn } = useShell();
  const may = useMay('Subscription.usageChanged');
  const { organisations } = readChoices(search);
  if (!may) return <p className="notice">{words.wallboard.mayNot}</p>;
  if (organisations.length > 0) return <Screen organisations={organisations} />;
  if (signedIn.organisationId !== null) return <Screen organisations={[signedIn.organisationId]} />;
  return <ForOrganisation>{(found) => <Screen organisations={[found]} />}</ForOrganisation>;
}

/** Every organisation is kept up to date all the time, so that none has to be waited for when its turn comes. */
function Screen({ organisations }: { readonly organisations: readonly string[] }) {
  const [search] = useChoices();
  const { licences, rotateSeconds } = readChoices(search);
  const [pages, setPages] = useState<Readonly<Record<string, number>>>({});
  const [isPaused, setIsPaused] = useState(false);
  const isMoving = useMovement();
  useAwakening();
  useOwnVersion();
  useWakeLock();
  const turns = organisations.flatMap((organisation) =>
    Array.from({ length: pages[organisation] ?? 1 }, (_, page) => ({ organisation, page })),
  );
  const isRotating = turns.length > 1;
  const [turn, next] = useTurns(rotateSeconds, isRotating && !isPaused);
  const shown = turns[turn % turns.length];
  return (
    <main className={isMoving ? 'wallboard' : 'wallboard still'}>
      {organisations.map((organisation) => (
        <OfOrganisation
          key={`${organisation} ${licences?.join() ?? ''}`}
          organisationId={organisation}
          licences={licences}
          shownPage={shown?.organisation === organisation ? shown.page : null}
          onPages={(found) =>
            setPages((before) =>
              (before[organisation] ?? 1) === found ? before : { ...before, [organisation]: found },
            )
          }
        />
      ))}
      <Controls
        rotation={isRotating ? { isPaused, onPause: () => setIsPaused(!isPaused), onNext: next } : null}
      />
    </main>
  );
}

function Controls({
  rotation,
}: {
  readonly rotation: {
    readonly isPaused: boolean;
    readonly onPause: () => void;
    readonly onNext: () => void;
  } | null;
}) {
  const [isFull, toggle] = useFullScreen();
  return (
    <div className="controls" role="toolbar" aria-label={words.wallboard.controls}>
      {rotation !== null && (
        <>
          <button type="button" onClick={rotation.onPause}>
            {rotation.isPaused ? words.wallboard.resume : words.wallboard.pause}
          </button>
          <button type="button" onClick={rotation.onNext}>
            {words.wallboard.next}
          </button>
        </>
      )}
      <button type="button" onClick={toggle}>
        {isFull ? words.wallboard.endFullScreen : words.wallboard.fullScreen}
      </button>
      {!('wakeLock' in navigator) && <p className="quiet">{words.wallboard.mayGoDark}</p>}
    </div>
  );
}

function OfOrganisation({
  organisationId,
  licences,
  shownPage,
  onPages,
}: {
  readonly organisationId: string;
  readonly licences: readonly string[] | null;
  /** null: another organisation has its turn. */
  readonly shownPage: number | null;
  readonly onPages: (pages: number) => void;
}) {
  const board = useBoard(organisationId, licences);
  const pages = pagesOf(board.rows);
  useEffect(() => onPages(pages.length), [onPages, pages.length]);
  const isShown = shownPage !== null;
  const name = board.organisation?.name;
  useEffect(() => {
    if (isShown) document.title = words.wallboard.title(name ?? words.product);
  }, [isShown, name]);
  if (shownPage === null) return null;
  const page = Math.min(shownPage, pages.length - 1);
  const tiles = pages[page] ?? [];
  const [columns, rows] = gridOf(tiles.length);
  return (
    <section
      // Each turn is drawn in anew.
      key={page}
      className={board.live === 'LIVE' ? 'board' : 'board stale'}
      aria-label={name}
    >
      <header>
        <h1 dir="auto">
          {name ?? (board.isMissing ? words.wallboard.missing(organisationId) : words.product)}
        </h1>
        {pages.length > 1 && (
          <p className="quiet">{words.wallboard.page(count(page + 1), count(pages.length))}</p>
        )}
        <AsOf board={board} />
      </header>
      {board.problem !== null && (
        <p role="alert" className="problem">
          {board.isMissing ? words.wallboard.missingHint : words.wallboard.failed(board.problem)}
        </p>
      )}
      {board.organisation !== null && board.rows.length === 0 && (
        <p className="notice">{words.wallboard.empty}</p>
      )}
      <ul className="tiles" style={{ '--columns': columns, '--rows': rows } as CSSProperties}>
        {tiles.map((row) => (
          <Tile
            key={row.id}
            row={row}
            denials={board.denials === null ? null : (board.denials.get(row.licence.id) ?? 0)}
            buckets={board.today.buckets.get(row.id)}
            from={board.today.from}
            until={board.today.until}
            zone={board.zone}
          />
        ))}
      </ul>
      {board.organisation !== null && (
        <footer>
          {words.mapping.period(
            board.zone.day(board.organisation.billingPeriod.from),
            board.zone.lastDay(board.organisation.billingPeriod.until),
            board.zone.name,
          )}
        </footer>
      )}
    </section>
  );
}

/** A figure that is not live never looks live. */
function AsOf({ board: { asOf, live, zone } }: { readonly board: Board }) {
  const at = asOf === null ? null : zone.second(asOf);
  const [tone, text] =
    live === 'LIVE'
      ? ['good', words.link.live]
      : at === null
        ? ['warn', words.wallboard.connecting]
        : ['warn', live === 'LOST' ? words.link.reconnecting(at) : words.link.asOf(at)];
  return (
    <p role="status" className={`as-of ${tone}`}>
      {text}
    </p>
  );
}
