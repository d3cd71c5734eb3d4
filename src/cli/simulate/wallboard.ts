import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'graphql-ws';
import { type RowAnswer, stateRows, usageChangedSubscription } from './api.ts';
import { differences, type Row } from './figures.ts';

type UsageChanged = NonNullable<(typeof usageChangedSubscription)['data']>['usageChanged'];

/** How long a change may take to reach the wallboard before the wallboard counts as wrong. */
const patienceMilliseconds = 5_000;

/** One organisation's figures as a wallboard shows them: nothing but what `usageChanged` sent. */
export class Wallboard {
  readonly #rows = new Map<string, RowAnswer>();
  readonly #unsubscribe: () => void;
  #changed = Promise.withResolvers<void>();
  #revision = 0;
  #events = 0;
  #faults: string[] = [];

  constructor(client: Client, organisationId: string) {
    this.#unsubscribe = client.subscribe<{ readonly usageChanged: UsageChanged }>(
      { query: usageChangedSubscription.document, variables: { organisationId } },
      {
        next: ({ data, errors }) => {
          if (data?.usageChanged !== undefined) this.#show(data.usageChanged);
          else
            this.#faults.push(`the subscription failed: ${errors?.[0]?.message ?? 'an event without data'}`);
        },
        error: (error) => this.#faults.push(`the subscription broke: ${JSON.stringify(error)}`),
        complete: () => undefined,
      },
    );
  }

  get events(): number {
    return this.#events;
  }

  /**
   * Waits for the wallboard to show the expected rows.
   * @returns what it still does not show when patience runs out, and what was wrong with the events until now
   */
  async check(expected: readonly Row[]): Promise<string[]> {
    const patience = sleep(patienceMilliseconds, 'out of patience', { ref: false });
    let wrong = this.#differences(expected);
    while (wrong.length > 0) {
      if ((await Promise.race([patience, this.#changed.promise])) !== undefined) break;
      wrong = this.#differences(expected);
    }
    const faults = this.#faults;
    this.#faults = [];
    return [...faults, ...wrong].map((fault) => `wallboard: ${fault}`);
  }

  close(): void {
    this.#unsubscribe();
  }

  #differences(expected: readonly Row[]): string[] {
    return differences(expected, stateRows([...this.#rows.values()]).rows);
  }

  #show({ snapshot, revision, rows }: UsageChanged): void {
    this.#events += 1;
    if (revision < this.#revision) {
      this.#faults.push(`revision ${revision} came after revision ${this.#revision}`);
    }
    this.#revision = revision;
    if (snapshot) this.#rows.clear();
    for (const row of rows) this.#rows.set(row.licence.code, row);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
