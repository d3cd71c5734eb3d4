import { createLanes, Held, type QueueLimits } from './lanes.ts';

/**
 * A line for every key: its pieces of work are done one after the other, and whoever waits holds nothing meanwhile. A
 * crowd in one key's line, or one that somebody else holds, takes nothing from the others.
 *
 * @param work does it, or rejects with Held where it was not to be patient and somebody else holds the key
 * @returns what the work answers; rejects with Overloaded where too many wait, with Held where its turn does not come
 */
export type Lines<Key extends string> = <Answer>(
  key: Key,
  work: (patient: boolean) => Promise<Answer>,
) => Promise<Answer>;

/** What waits in a line. */
interface Piece<Key> {
  readonly key: Key;
  /** @returns whether it is answered */
  readonly attempt: (patient: boolean) => Promise<boolean>;
  readonly fail: (error: unknown) => void;
}

/** So many keys are worked on at once, beside those that somebody else holds. */
const lanes = 4;

export function createLines<Key extends string>(queue: QueueLimits): Lines<Key> {
  const enqueue = createLanes<Key, Piece<Key>>({
    ...queue,
    ...{ lanes, maxBatch: 1, maxPatient: lanes },
    keyOf: ({ key }) => key,
    work: async (pieces, patient) => {
      const held: Piece<Key>[] = [];
      for (const piece of pieces) if (!(await piece.attempt(patient))) held.push(piece);
      return held;
    },
    giveUp: (pieces) => {
      for (const { fail } of pieces) fail(new Held());
    },
  });

  return <Answer>(key: Key, work: (patient: boolean) => Promise<Answer>) =>
    new Promise<Answer>((answer, fail) => {
      const attempt = async (patient: boolean): Promise<boolean> => {
        try {
          answer(await work(patient));
        } catch (error) {
          if (!patient && error instanceof Held) return false;
          fail(error);
        }
        return true;
      };
      enqueue({ key, attempt, fail });
    });
}
