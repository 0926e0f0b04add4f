// The page's entry: it connects to Python by the page's own address and executes its commands.
// It does not import TensorFlow.js: flags must be set before a backend's modules run.

import {watch} from './app_watch.js';
import {Failure} from './failure.js';
import {say, show, showCommand} from './standing.js';

/** @typedef {import('./protocol.d.ts').Command} Command */
/** @typedef {import('./protocol.d.ts').PageMessage} PageMessage */
/** @typedef {import('./protocol.d.ts').Event} PageEvent */
/** @typedef {import('./engine.js').Engine} Engine */
/** @typedef {import('./litert.js').LitertEngine} LitertEngine */

/** @type {import('./protocol.d.ts').ProtocolVersion} */
const PROTOCOL_VERSION = 7;

const socket = new WebSocket(new URL('control', location.href.replace(/^http/, 'ws')));

/** @type {Engine | LitertEngine | undefined} */
let engine;

/** @param {PageMessage} message */
function send(message) {
  socket.send(JSON.stringify(message));
}

/** @param {PageEvent['code']} code @param {string} message */
function report(code, message) {
  show('failed', message);
  if (socket.readyState === WebSocket.OPEN) send({type: 'event', code, message});
}

/** @param {Command} command @returns {Promise<PageMessage>} */
async function answer(command) {
  if (command.type === 'start') {
    engine = command.backend.startsWith('litert-')
      ? new (await import('./litert.js')).LitertEngine(report)
      : new (await import('./engine.js')).Engine(report);
    return engine.start(command);
  }
  if (!engine) throw new Failure('backend', `no backend has been started, yet the command is ${command.type}`);
  switch (command.type) {
    case 'load':
      return engine.load(command);
    case 'predict':
      return engine.predict(command);
    case 'prepare':
      return engine.prepare(command);
  }
  if (!('run' in engine)) throw new Failure('predict', `LiteRT.js has no command ${command.type}`);
  switch (command.type) {
    case 'run':
      return engine.run(command);
    case 'take':
      return engine.take(command);
    case 'compile':
      return engine.compile(command);
    case 'train':
      return engine.train(command);
  }
}

/** @param {Command} command */
async function handle(command) {
  showCommand(command);
  try {
    const reply = await answer(command);
    show('idle', 'waiting for the next command'); // first: at the reply, Python may close this page
    send(reply);
  } catch (error) {
    const failure = Failure.from(error, command.type);
    show('failed', failure.message);
    send({type: 'failed', id: command.id, code: failure.code, message: failure.message, stack: failure.stack ?? ''});
  }
}

socket.addEventListener('open', () => {
  send({
    type: 'hello', protocol_version: PROTOCOL_VERSION, user_agent: navigator.userAgent, is_isolated: crossOriginIsolated,
  });
  show('idle', 'connected, waiting for the first command');
});
socket.addEventListener('message', (event) => void handle(JSON.parse(event.data)));
// The reason in the close frame may be the path of the next page on this server.
socket.addEventListener('close', ({reason}) => {
  if (reason.startsWith('/')) location.replace(new URL(reason, location.origin));
  else say('pycheck has ended this page; it can be closed');
});
addEventListener('error', (event) => {
  if (!watch.takes(event)) report('uncaught', event.message);
});
addEventListener('unhandledrejection', (event) => {
  if (!watch.takes(event)) report('uncaught', String(event.reason?.message ?? event.reason));
});
