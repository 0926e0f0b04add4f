// Observes the code of the user's app: errors that it does not catch, addresses that it requests, the time that it takes.

/** The most milliseconds until the browser reports the place of a syntax error, or a request that the policy refused. */
const PLACE_MS = 2000;
const REFUSAL_MS = 20;
const APP_FRAME = /\/app\/\d+\/([^\s)]+?:\d+:\d+)/;
const APP_URL = /https?:\/\/[^\s'"]*?\/app\/\d+\//g;

export class AppWatch {
  /** @type {((error: unknown) => void) | null} */
  #reject = null;
  /** @type {Set<string>} */
  #requested = new Set();
  /** @type {Set<string>} */
  #requestedNow = new Set();

  /** Starts to collect the addresses that the page's policy refuses. */
  constructor() {
    if (typeof document === 'undefined') return;
    document.addEventListener('securitypolicyviolation', ({blockedURI}) => {
      if (!blockedURI.includes('://')) return; // 'eval', for example, which throws an error that says so
      this.#requested.add(blockedURI);
      this.#requestedNow.add(blockedURI);
    });
  }

  /** Returns all addresses that were requested since the last call. */
  takeRequested() {
    const requested = [...this.#requested];
    this.#requested.clear();
    return requested;
  }

  /** Returns the addresses that the last code requested; the browser reports them somewhat later. */
  async requestedNow() {
    await new Promise((resolve) => setTimeout(resolve, REFUSAL_MS));
    return [...this.#requestedNow];
  }

  /**
   * Waits for the app's code, which fails at its first uncaught error, or after some seconds.
   * @template T @param {Promise<T>} work @param {number} timeout_s @param {() => Error} late makes the error
   * @returns {Promise<T>}
   */
  async during(work, timeout_s, late) {
    this.#requestedNow.clear();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    /** @type {Promise<never>} */
    const failing = new Promise((_, reject) => {
      this.#reject = reject;
      timer = setTimeout(() => reject(late()), timeout_s * 1000);
    });
    try {
      return await Promise.race([work, failing]);
    } finally {
      clearTimeout(timer);
      this.#reject = null;
    }
  }

  /**
   * Returns the place of a syntax error, which the error of an import does not have: a script element of the same module
   * reports it.
   * @param {string} url @returns {Promise<string>} empty if the browser does not report it
   */
  async place(url) {
    const script = document.createElement('script');
    script.type = 'module';
    try {
      return await new Promise((resolve) => {
        this.#reject = (error) => resolve(error instanceof Place ? error.message : '');
        script.onload = script.onerror = () => setTimeout(() => resolve(''), REFUSAL_MS);
        setTimeout(() => resolve(''), PLACE_MS);
        script.src = url;
        document.head.append(script);
      });
    } finally {
      this.#reject = null;
      script.remove();
    }
  }

  /**
   * Tells whether an uncaught error of the page is the app's, and then handles it: the running code fails.
   * @param {ErrorEvent | PromiseRejectionEvent} event @returns {boolean}
   */
  takes(event) {
    const isError = event instanceof ErrorEvent;
    const cause = isError ? event.error : event.reason;
    const file = isError ? event.filename : '';
    if (!this.#reject && !/\/app\/\d+\//.test(`${file} ${cause?.stack ?? ''}`)) return false;
    event.preventDefault();
    this.#reject?.(isError && cause instanceof SyntaxError ? new Place(placeOf(event)) : cause);
    return true;
  }
}

/** The only one: the page asks it about each error that nothing has caught. */
export const watch = new AppWatch();

/** The place of a syntax error. */
class Place extends Error {}

/** @param {ErrorEvent} event */
function placeOf({filename, lineno, colno}) {
  if (!filename || !lineno) return '';
  return [filename.replace(APP_URL, ''), lineno, ...(colno ? [colno] : [])].join(':');
}

/**
 * Formats an error of the app's code with its place in it.
 * @param {any} error @param {string} [place] if it is known better @returns {string}
 */
export function told(error, place = '') {
  if (typeof error?.message !== 'string') return String(error);
  const where = place || error.stack?.match(APP_FRAME)?.[1];
  const message = error.message.replace(APP_URL, '').replace(/\s+/g, ' ').trim();
  return `${error.name}: ${message}${where ? ` (${where})` : ''}`;
}
