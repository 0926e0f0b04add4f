// @ts-check
/**
 * Shows the present report, and the next one at the same place on the page as soon as there is one.
 *
 * @typedef {object} State What pycheck/watching/served.py sends with each event.
 * @property {'running' | 'passed' | 'failed'} state
 * @property {string} label The verdict.
 * @property {string} title Why there is an answer, and when it came.
 * @property {string[]} lines What changed since the last one, or the error.
 * @property {number} report The number of the present report; 0 if there is none.
 */

let shown = 0;
/** @type {HTMLIFrameElement | null} */
let frame = null;

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {State} state */
function show(state) {
  element('bar').dataset.state = state.state;
  element('label').textContent = state.label;
  element('title').textContent = state.title;
  element('lines').replaceChildren(
    ...state.lines.map((line) => {
      const item = document.createElement('li');
      item.textContent = line;
      return item;
    })
  );
  document.title = `${state.label} - pycheck watch`;
  if (state.report !== shown) {
    shown = state.report;
    load(state.report);
  }
}

/**
 * Load a report behind the present one, which it replaces when it is there.
 * @param {number} number
 */
function load(number) {
  const next = document.createElement('iframe');
  next.title = 'Report';
  next.className = 'coming';
  next.setAttribute('sandbox', 'allow-same-origin'); // without scripts
  next.addEventListener('load', () => {
    if (number !== shown) {
      next.remove(); // a later one is on its way
      return;
    }
    if (frame) take(frame, next);
    frame?.remove();
    frame = next;
    next.className = '';
  });
  next.src = `report?${number}`;
  element('reports').append(next);
}

/**
 * Open what is open in the old report, and scroll to the same place.
 * @param {HTMLIFrameElement} before
 * @param {HTMLIFrameElement} after
 */
function take(before, after) {
  const [old, now] = [before.contentDocument, after.contentDocument];
  if (!old || !now) return;
  /** @param {Document} page */
  const folds = (page) => [...page.querySelectorAll('details')];
  /** @param {HTMLDetailsElement} fold */
  const name = (fold) => `${fold.closest('article')?.getAttribute('aria-labelledby')} ${fold.querySelector('summary')?.textContent}`;
  const states = new Map(folds(old).map((fold) => [name(fold), fold.open]));
  for (const fold of folds(now)) fold.open = states.get(name(fold)) ?? fold.open;
  after.contentWindow?.scrollTo(before.contentWindow?.scrollX ?? 0, before.contentWindow?.scrollY ?? 0);
}

const events = new EventSource('events');
events.addEventListener('message', (event) => show(JSON.parse(event.data)));
events.addEventListener('error', () => {
  element('bar').dataset.state = 'running';
  element('title').textContent = 'pycheck watch has ended. This is its last answer.';
});
