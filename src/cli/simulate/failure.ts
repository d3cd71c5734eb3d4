/** Something that the person running the simulation can mend: its message is printed, without a stack. */
export class Failure extends Error {
  override readonly name = 'Failure';
}
