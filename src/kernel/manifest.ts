import { hash } from 'node:crypto';
import { z } from 'zod';

/** Why a text is no manifest of trusted documents, in words. */
export class ManifestError extends Error {}

/** A document’s id: what its bytes hash to. */
export function documentIdOf(text: string): string {
  return `sha256:${hash('sha256', text, 'hex')}`;
}

/**
 * Reads a manifest, `{ "sha256:…": "query …" }`: documents by their ids.
 *
 * @throws ManifestError where it is not one, or an id is not its document’s.
 */
export function readManifest(json: string): ReadonlyMap<string, string> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new ManifestError('it is not JSON');
  }
  const parsed = z.record(z.string(), z.string()).safeParse(value);
  if (!parsed.success) throw new ManifestError('it is not an object of documents by their ids');
  for (const [id, text] of Object.entries(parsed.data)) {
    if (documentIdOf(text) !== id)
      throw new ManifestError(`its document ${id} hashes to ${documentIdOf(text)}`);
  }
  return new Map(Object.entries(parsed.data));
}
