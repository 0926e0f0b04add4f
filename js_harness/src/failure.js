// The error of a command, with a code by which Python chooses its advice.

/** @typedef {import('./protocol.d.ts').FailureCode} FailureCode */

/** @type {Record<import('./protocol.d.ts').Command['type'], FailureCode>} */
const CODES = {
  start: 'backend', load: 'load', predict: 'predict', run: 'predict', take: 'predict', compile: 'train', train: 'train',
  prepare: 'app',
};

export class Failure extends Error {
  /** @param {FailureCode} code @param {string} message */
  constructor(code, message) {
    super(message);
    this.name = 'Failure';
    this.code = code;
  }

  /**
   * Converts any thrown value to a Failure of the running command.
   * @param {unknown} error
   * @param {import('./protocol.d.ts').Command['type']} command
   * @returns {Failure}
   */
  static from(error, command) {
    if (error instanceof Failure) return error;
    const message = error instanceof Error ? error.message : String(error);
    const failure = new Failure(CODES[command], message || 'an error without a message');
    if (error instanceof Error && error.stack) failure.stack = error.stack;
    return failure;
  }
}
