import {describe, expect, it} from 'vitest';

import {AppWatch, told} from '../src/app_watch.js';

const APP = 'http://127.0.0.1:4000/token/app/0/';

/** @param {string} stack */
function thrownAt(stack) {
  return Object.assign(new TypeError('no config'), {stack});
}

class FakeErrorEvent {
  /** @param {unknown} error @param {string} filename */
  constructor(error, filename) {
    Object.assign(this, {error, filename, lineno: 3, colno: 9});
    this.defaultPrevented = false;
  }

  preventDefault() {
    this.defaultPrevented = true;
  }
}
globalThis.ErrorEvent = /** @type {any} */ (FakeErrorEvent);

describe('an error of an app', () => {
  it('is told with its place in the app, and without the address of the page', () => {
    const error = thrownAt(`TypeError: no config\n    at run (${APP}lib/a.js:12:5)\n    at ${APP}prep.js:1:1`);
    expect(told(error)).toBe('TypeError: no config (lib/a.js:12:5)');
    expect(told(new Error(`cannot import '${APP}lib/b.js'`))).toMatch(/^Error: cannot import 'lib\/b.js'/);
  });

  it('may be any value', () => {
    expect(told('a text')).toBe('a text');
    expect(told(undefined)).toBe('undefined');
    expect(told({name: 'NS_ERROR', message: ' of\n its own '})).toBe('NS_ERROR: of its own');
  });
});

describe('the watch', () => {
  const late = () => new Error('late');
  const event = (/** @type {unknown} */ error, /** @type {string} */ file) =>
    /** @type {any} */ (new FakeErrorEvent(error, file));

  it('returns the result of work, or its error', async () => {
    const watch = new AppWatch();
    expect(await watch.during(Promise.resolve(7), 1, late)).toBe(7);
    await expect(watch.during(Promise.reject(new Error('own')), 1, late)).rejects.toThrow('own');
  });

  it('ends work that takes too long', async () => {
    await expect(new AppWatch().during(new Promise(() => {}), 0.01, late)).rejects.toThrow('late');
  });

  it('ends work at an error that nothing catches, which then is no error of the page', async () => {
    const watch = new AppWatch();
    const working = watch.during(new Promise(() => {}), 1, late);
    const uncaught = event(new Error('in a callback'), `${APP}prep.js`);
    expect(watch.takes(uncaught)).toBe(true);
    expect(uncaught.defaultPrevented).toBe(true);
    await expect(working).rejects.toThrow('in a callback');
  });

  it('takes later errors of the app, and leaves others to the page', () => {
    const watch = new AppWatch();
    expect(watch.takes(event(new Error('after its file'), `${APP}prep.js`))).toBe(true);
    const rejected = {reason: thrownAt(`at ${APP}prep.js:1:1`), preventDefault: () => {}};
    expect(watch.takes(/** @type {any} */ (rejected))).toBe(true);
    const own = event(thrownAt('at http://127.0.0.1:4000/token/harness/main.js:1:1'), 'http://127.0.0.1:4000/token/harness/main.js');
    expect(watch.takes(own)).toBe(false);
    expect(own.defaultPrevented).toBe(false);
  });
});
