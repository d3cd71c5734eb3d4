/** A request as its client saw it: sent at one tick of the test's own counter, answered at a later one. */
export interface Event<Operation, Answer> {
  readonly client: number;
  readonly operation: Operation;
  readonly answer: Answer;
  readonly sentAt: number;
  readonly answeredAt: number;
}

export interface Model<State, Operation, Answer> {
  readonly start: State;
  /** What the operation makes of the state, or null where it would have been answered otherwise. */
  readonly apply: (state: State, operation: Operation, answer: Answer) => State | null;
  /** Equal states have equal keys. */
  readonly keyOf: (state: State) => string;
}

/**
 * Seeks an order in which the requests, one after the other, get the answers that they got: one that was answered before
 * another was sent comes first (linearisability; the search of Wing and Gong with Lowe's memory of dead ends).
 * @returns the states in that order, or how far the longest attempt came
 */
export function linearise<State, Operation, Answer>(
  events: readonly Event<Operation, Answer>[],
  model: Model<State, Operation, Answer>,
): { readonly states: readonly State[] } | { readonly explained: readonly Event<Operation, Answer>[] } {
  const dead = new Set<string>();
  const order: Event<Operation, Answer>[] = [];
  const states: State[] = [];
  let longest: readonly Event<Operation, Answer>[] = [];

  function search(left: readonly Event<Operation, Answer>[], state: State): boolean {
    if (left.length === 0) return true;
    const key = `${left.map(({ sentAt }) => sentAt).join()}|${model.keyOf(state)}`;
    if (dead.has(key)) return false;
    const firstAnswer = Math.min(...left.map(({ answeredAt }) => answeredAt));
    for (const event of left) {
      // Whatever was sent after another was answered comes after it.
      if (event.sentAt > firstAnswer) continue;
      const next = model.apply(state, event.operation, event.answer);
      if (next === null) continue;
      order.push(event);
      states.push(next);
      if (order.length > longest.length) longest = [...order];
      if (
        search(
          left.filter((other) => other !== event),
          next,
        )
      )
        return true;
      order.pop();
      states.pop();
    }
    dead.add(key);
    return false;
  }

  return search(events, model.start) ? { states } : { explained: longest };
}
