import type { AnyVariables, DocumentInput, UseQueryArgs } from 'urql';
import { type Answer, useAnswer } from '../shell/answer.ts';
import { useEvery } from '../shell/every.ts';
import type { Organisation, Span } from './span.ts';

/** What a part of the page is of. */
export interface Scope {
  readonly organisation: Organisation;
  readonly row: Organisation['licenceMapping'][number];
  readonly span: Span;
  /** Counts how often figures were found to have changed: another one is read anew. */
  readonly edition: number;
}

/** Reads something of a scope, and again with every edition of it; nothing while it is not wanted. */
export function useReading<Data, Variables extends AnyVariables>(
  { edition }: Scope,
  query: DocumentInput<Data, Variables>,
  variables: Variables,
  isWanted = true,
): Answer<Data> {
  const answer = useAnswer<Data, Variables>({
    query,
    variables,
    pause: !isWanted,
  } as UseQueryArgs<Variables, Data>);
  useEvery(0, edition, () => {
    if (isWanted) answer.read();
  });
  return answer;
}
