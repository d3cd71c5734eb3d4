import { type ReactNode, useEffect, useState } from 'react';
import type { Answer } from '../shell/answer.ts';
import { Failure } from '../shell/failure.tsx';
import { count } from '../shell/zone.ts';
import { words } from '../words.ts';

/** What a page of a list has. */
export interface Connection<Node> {
  readonly totalCount: number | null;
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
  readonly edges: readonly { readonly node: Node }[];
}

/** How a list is read and shown, page by page. */
interface Paging<Node> {
  readonly organisationId: string;
  /** A hook that reads the page after a cursor. */
  readonly usePage: (
    organisationId: string,
    after: string,
  ) => { readonly answer: Answer<unknown>; readonly page: Connection<Node> | null | undefined };
  /** Shows one, as an element that has its id and can be given the focus. */
  readonly show: (node: Node) => ReactNode;
  /** Puts a line below those that are shown. */
  readonly below: (line: ReactNode) => ReactNode;
  /** Told, in words, how many are shown once there are more. */
  readonly onShown: (said: string) => void;
}

/** The things of a page; below them how many there are, and those after them once they are wanted. */
export function Paged<Node extends { readonly id: string }>({
  page: { edges, pageInfo, totalCount },
  before = 0,
  ...paging
}: Paging<Node> & {
  readonly page: Connection<Node>;
  /** How many are shown above. */
  readonly before?: number;
}) {
  const { hasNextPage, endCursor } = pageInfo;
  const [isWanted, setIsWanted] = useState(false);
  const shown = before + edges.length;
  return (
    <>
      {edges.map(({ node }) => paging.show(node))}
      {hasNextPage &&
        endCursor !== null &&
        (isWanted ? (
          <Following after={endCursor} before={shown} {...paging} />
        ) : (
          paging.below(
            <p className="more">
              <span className="quiet">{words.lines.shown(count(shown), count(totalCount ?? shown))}</span>{' '}
              <button type="button" onClick={() => setIsWanted(true)}>
                {words.lines.more}
              </button>
            </p>,
          )
        ))}
    </>
  );
}

function Following<Node extends { readonly id: string }>({
  after,
  before,
  ...paging
}: Paging<Node> & { readonly after: string; readonly before: number }) {
  const { usePage, organisationId, below, onShown } = paging;
  const { answer, page } = usePage(organisationId, after);
  const first = page?.edges[0]?.node.id;
  const shown = before + (page?.edges.length ?? 0);
  const said = page == null ? null : words.lines.shown(count(shown), count(page.totalCount ?? shown));
  useEffect(() => {
    if (first === undefined || said === null) return;
    onShown(said);
    // The button that was pressed is gone: who pressed it goes on with the first that it brought.
    if (document.activeElement === document.body) document.getElementById(first)?.focus();
    // Once, when they come.
  }, [first === undefined]);
  if (page != null) return <Paged page={page} before={before} {...paging} />;
  return below(
    answer.problem === null ? (
      <p className="quiet">{words.shell.loading}</p>
    ) : (
      <Failure of={answer} say={words.failure.part} />
    ),
  );
}
