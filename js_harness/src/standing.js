// Shows what a runtime's page is doing, to a person and to the page of a device that holds it in a frame.

/** @typedef {import('./protocol.d.ts').Command} Command */
/** @typedef {{state: 'idle' | 'running' | 'failed', kind: string, text: string}} Standing */

/** @type {Record<Command['type'], string>} */
const DOING = {
  start: 'starting', load: 'loading the model', predict: 'predicting', run: 'tracing', take: 'tracing',
  compile: 'preparing to train', train: 'training', prepare: 'preparing files',
};

let kind = '';

/** @param {Command} command that has arrived */
export function showCommand(command) {
  if (command.type === 'start') kind = command.flags.WEBGL_FORCE_F16_TEXTURES ? 'webgl-f16' : command.backend;
  show('running', DOING[command.type]);
}

/** @param {string} text for a person, without a change of the state */
export function say(text) {
  const status = document.getElementById('status');
  if (status) status.textContent = text;
}

/** @param {Standing['state']} state @param {string} text */
export function show(state, text) {
  say(text);
  if (parent !== window) parent.postMessage({state, kind, text}, location.origin);
}
