/** Who asks. For now the operator alone, who may see and do everything. */
export type Actor = { readonly kind: 'OPERATOR' };
