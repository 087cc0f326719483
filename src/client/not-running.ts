/** Why an agent could not be found: a type of its own for whoever catches it, without what Node needs to look. */

/** No agent runs there, or not one that may be trusted with a token. The message is a sentence for a user. */
export class NotRunningError extends Error {
  /** This account may not see whether one runs. */
  readonly hidden: boolean;

  constructor(message: string, hidden = false) {
    super(message);
    this.name = 'NotRunningError';
    this.hidden = hidden;
  }
}
