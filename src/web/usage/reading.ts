import { type AnyVariables, type DocumentInput, useQuery, type UseQueryState } from 'urql';
import { useEvery } from '../shell/every.ts';
import type { Organisation, Span } from './span.ts';

/** What a part of the page is of. */
export interface Scope {
  readonly organisation: Organisation;
  readonly row: Organisation['licenceMapping'][number];
  readonly span: Span;
}

/** Reads something of a scope; of one that is running again whenever the organisation's present is. */
export function useReading<Data, Variables extends AnyVariables>(
  { organisation, span }: Scope,
  query: DocumentInput<Data, Variables>,
  variables: Variables,
): UseQueryState<Data, Variables> {
  const [state, read] = useQuery<Data, Variables>({ query, variables } as Parameters<
    typeof useQuery<Data, Variables>
  >[0]);
  useEvery(0, span.isRunning ? organisation.now : null, () => read({ requestPolicy: 'network-only' }));
  return state;
}
