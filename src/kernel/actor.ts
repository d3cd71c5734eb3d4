/** Who asks. For now the operator alone, who may see and do everything. */
export type Actor = { readonly kind: 'OPERATOR' };

/**
 * What an actor may see, as text: two actors with the same text are answered the same, to the last byte, so what was
 * read or executed for one may be given to the other. A kind of actor that is missing here does not compile.
 */
export function visibilityOf(actor: Actor): string {
  switch (actor.kind) {
    case 'OPERATOR':
      return 'everything';
  }
}

/** Whose connections are counted together. A kind of actor that is missing here does not compile. */
export function callerOf(actor: Actor): string {
  switch (actor.kind) {
    case 'OPERATOR':
      return 'operator';
  }
}
