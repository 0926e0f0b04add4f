// The page that a phone or a different computer opens: it shows the state, and holds the runtimes' pages in frames.
// It has a separate connection, so that the device stays connected between runs.

import {style} from './device_style.js';

/** @typedef {import('./protocol.d.ts').Arrived} Arrived */
/** @typedef {import('./protocol.d.ts').DeviceCommand} DeviceCommand */
/** @typedef {import('./standing.js').Standing} Standing */
/** @typedef {'connecting' | 'connected' | 'running' | 'done' | 'failed' | 'lost' | 'refused' | 'ended'} State */
/** @typedef {{frame: HTMLIFrameElement, row: HTMLLIElement, standing: Standing, failure: string}} Run */

const RETRY_MS = 2000;
const LONGEST_HISTORY = 20;
/** The reason in the close frame when the server ends; see pycheck/runtimes/devices/listener.py. */
const ENDED = 'ended';

/** @type {Record<State, string>} */
const WORDS = {
  connecting: 'Connecting…', connected: 'Connected', running: 'Running', done: 'Done', failed: 'Failed',
  lost: 'Disconnected', refused: 'Rejected', ended: 'Ended',
};

/** @type {Map<string, Run>} by path */
const runs = new Map();
let name = '';
let key = '';
/** @type {State} of the last run that has ended */
let outcome = 'connected';

/** @param {string} id @returns {HTMLElement} */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {State} state @param {string} [hint] */
function show(state, hint = '') {
  element('card').dataset.state = state;
  element('state').textContent = WORDS[state];
  element('name').textContent = name && `device:${name}`;
  element('hint').textContent = hint;
  document.title = `${WORDS[state]} · pycheck`;
}

function showWell() {
  const keep = 'Keep this page open and the screen on.';
  if (runs.size) show('running', keep);
  else show(outcome, `Waiting for ${outcome === 'connected' ? 'a run' : 'the next run'}. ${keep}`);
}

/** @returns {Promise<Arrived>} */
async function arrival() {
  /** @type {{getHighEntropyValues?: (hints: string[]) => Promise<{model?: string}>} | undefined} */
  const data = /** @type {any} */ (navigator).userAgentData;
  const hints = await data?.getHighEntropyValues?.(['model']).catch(() => undefined);
  return {
    type: 'arrived', user_agent: navigator.userAgent, model: hints?.model || null, is_secure_context: isSecureContext,
  };
}

function connect() {
  const address = new URL('control', location.href.replace(/^http/, 'ws'));
  if (key) address.searchParams.set('key', key);
  const socket = new WebSocket(address);
  socket.addEventListener('open', async () => socket.send(JSON.stringify(await arrival())));
  socket.addEventListener('message', ({data}) => obey(JSON.parse(data)));
  socket.addEventListener('close', ({reason}) => {
    for (const path of [...runs.keys()]) close(path, 'the connection broke');
    if (reason === ENDED) return show('ended', 'pycheck has ended. This page can be closed.');
    if (!key && !navigator.cookieEnabled) return show('refused', 'This browser keeps no cookies. Allow them, then reload.');
    if (!key) return show('refused', 'This address was already used, or has expired. Scan the code that pycheck shows now.');
    show('lost', 'Reconnecting. If pycheck was restarted, scan its new code.');
    setTimeout(connect, RETRY_MS);
  });
}

/** @param {DeviceCommand} command */
function obey(command) {
  switch (command.type) {
    case 'welcome':
      ({name, key} = command);
      break;
    case 'open-frame':
      open(command.path);
      break;
    case 'close-frame':
      close(command.path);
      break;
  }
  showWell();
}

/** @param {string} path of a runtime's page */
function open(path) {
  const row = document.createElement('li');
  row.append(document.createElement('span'), document.createElement('b'), document.createElement('small'));
  element('runs').prepend(row);
  element('runs-title').hidden = false;
  while (element('runs').childElementCount > LONGEST_HISTORY) element('runs').lastElementChild?.remove();
  const frame = document.createElement('iframe');
  frame.src = path;
  frame.tabIndex = -1;
  /** @type {Run} */
  const run = {frame, row, standing: {state: 'running', kind: '', text: 'opening'}, failure: ''};
  runs.set(path, run);
  element('frames').append(frame);
  draw(run, 'running', run.standing.text);
}

/** @param {string} path @param {string} [broken] the reason, if the page did not end by itself */
function close(path, broken) {
  const run = runs.get(path);
  if (!run) return;
  runs.delete(path);
  run.frame.remove();
  const {state, text} = run.standing;
  const failure = run.failure || broken || (state === 'running' ? `stopped while ${text}` : '');
  outcome = failure ? 'failed' : 'done';
  const time = new Date().toLocaleTimeString([], {hour: '2-digit', minute: '2-digit'});
  draw(run, outcome, failure ? `${time} · ${failure}` : time);
}

/** @param {Run} run @param {State} state @param {string} text */
function draw({row, standing}, state, text) {
  row.dataset.state = state;
  const [word, title, detail] = row.children;
  word.textContent = WORDS[state];
  title.textContent = standing.kind || 'starting';
  detail.textContent = text;
}

// Shows the state that the runtimes' pages report.
addEventListener('message', ({origin, source, data}) => {
  const run = [...runs.values()].find(({frame}) => frame.contentWindow === source);
  if (origin !== location.origin || !run) return;
  run.standing = /** @type {Standing} */ (data);
  run.failure = run.standing.state === 'failed' ? run.standing.text : '';
  draw(run, run.failure ? 'failed' : 'running', run.standing.text);
});

/** Keeps a phone's screen on, if the browser supports it. */
async function stayAwake() {
  if (document.visibilityState === 'visible') await navigator.wakeLock?.request('screen').catch(() => undefined);
}

style();
element('hint').textContent = '';
if (!isSecureContext) {
  element('notice').textContent =
    'Opened over http from a different machine: browsers have no WebGPU for such a page. Everything else runs.';
}
document.addEventListener('visibilitychange', () => void stayAwake());
void stayAwake();
connect();
