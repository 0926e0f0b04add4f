// The error of one file, which does not end the others, and the words for a value that it is about.

/** @typedef {NonNullable<import('./protocol.d.ts').FileResult['failure']>} Code */

export class FileError extends Error {
  /** @param {Code} code @param {string} message */
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** @param {unknown} value */
export function kindOf(value) {
  if (value === undefined || value === null) return String(value);
  const [, kind] = /** @type {RegExpMatchArray} */ (Object.prototype.toString.call(value).match(/ (.*)\]/));
  return typeof value === 'object' ? `${/^[AEIOU]/.test(kind) ? 'an' : 'a'} ${kind}` : `a ${typeof value}`;
}
