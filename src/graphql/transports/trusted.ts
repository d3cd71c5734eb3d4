import { GraphQLError } from 'graphql';

/** `only`: nothing but the manifest’s documents runs. `allow`: they may be asked for by their id. */
export type Trust = 'off' | 'allow' | 'only';

/** What a request says of its document. */
export interface Named {
  readonly query?: unknown;
  readonly documentId?: unknown;
}

export interface TrustedDocuments {
  /**
   * Puts the text in the place of a `documentId`, before anything is parsed.
   *
   * @returns the same payload where it names no document; why it may not run otherwise
   */
  expand<Payload extends Named>(payload: Payload): Payload | GraphQLError;
  /** The same, where there are documents that may run at all, with more of them. */
  and(more: ReadonlyMap<string, string>): TrustedDocuments;
}

/** @param manifest the documents that are trusted, by their ids */
export function createTrustedDocuments(
  trust: Trust,
  manifest: ReadonlyMap<string, string>,
): TrustedDocuments {
  const trusted = new Set(manifest.values());
  return {
    and: (more) => createTrustedDocuments(trust, new Map([...manifest, ...more])),
    expand: (payload) => {
      const { query, documentId } = payload;
      if (documentId === undefined || documentId === null) {
        return trust === 'only' && !(typeof query === 'string' && trusted.has(query))
          ? refuse('TRUSTED_DOCUMENTS_ONLY', 'Only documents of this server’s manifest run here.')
          : payload;
      }
      if (trust === 'off')
        return refuse('BAD_REQUEST', 'This server has no documents to name: send the document as `query`.');
      // A WebSocket’s message must have a `query`, which is empty then.
      if (typeof documentId !== 'string' || (query !== undefined && query !== null && query !== ''))
        return refuse('BAD_REQUEST', 'Send the document as `query`, or its id as `documentId`.');
      const text = manifest.get(documentId);
      if (text !== undefined) return { ...payload, query: text, documentId: undefined };
      return trust === 'only'
        ? refuse('TRUSTED_DOCUMENTS_ONLY', 'Only documents of this server’s manifest run here.')
        : refuse('DOCUMENT_NOT_FOUND', 'No document has this id here: send it as `query`.');
    },
  };
}

function refuse(
  code: 'TRUSTED_DOCUMENTS_ONLY' | 'DOCUMENT_NOT_FOUND' | 'BAD_REQUEST',
  message: string,
): GraphQLError {
  return new GraphQLError(message, { extensions: { code } });
}
