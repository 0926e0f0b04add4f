// Runs a layers model between any two points within it, by pycheck's names of points: the layer, `outer/inner` within a
// nested model, `@1` after the name for the layer's second call, `:1` after that for a call's second output.
// TensorFlow.js's own executor runs every container, as in model.predict. A layer has the mask that it has there.

import {execute, FeedDict, getTopologicalSortAndRecipientCountsForOneFetch as sortedFor} from '@tensorflow/tfjs-layers/dist/engine/executor';

/** @typedef {import('@tensorflow/tfjs-core').Tensor} Tensor */
/** @typedef {import('@tensorflow/tfjs-layers').SymbolicTensor} Symbolic */
/** @typedef {import('@tensorflow/tfjs-layers/dist/engine/container').Container} Container */
/** @typedef {import('@tensorflow/tfjs-layers/dist/engine/topology').Node} Node */
/** One call of a container: the names of its symbolic tensors, and the node that calls it. */
/** @typedef {{container: Container, names: Map<Symbolic, string>, caller: {place: Place, node: Node} | null}} Place */

export class Points {
  /** @type {Map<string, {place: Place, symbolic: Symbolic}>} */
  #found = new Map();
  #inputs;
  #makesMasks = false;

  /** @param {Container} model */
  constructor(model) {
    this.#inputs = model.inputs.map((input) => input.sourceLayer.name);
    const names = new Map(model.inputs.map((input) => [input, input.sourceLayer.name]));
    this.#collect({container: model, names, caller: null}, '');
  }

  /**
   * @param {ReadonlyMap<string, Tensor>} feeds by the names of points or inputs
   * @param {readonly string[]} fetches names of points or inputs
   * @returns {Tensor[]}
   */
  run(feeds, fetches) {
    const isWhole = feeds.size === this.#inputs.length && this.#inputs.every((name) => feeds.has(name));
    const asPredict = isWhole && this.#makesMasks;
    return fetches.map((name) => {
      const found = this.#found.get(name);
      if (!found) throw new Error(`the model has no point '${name}'`);
      return found;
    }).reduce((/** @type {{place: Place, at: number[], wanted: Symbolic[]}[]} */ groups, {place, symbolic}, at) => {
      const group = groups.find((other) => other.place === place);
      if (group) {
        group.at.push(at);
        group.wanted.push(symbolic);
      } else {
        groups.push({place, at: [at], wanted: [symbolic]});
      }
      return groups;
    }, []).reduce((/** @type {Tensor[]} */ results, {place, at, wanted}) => {
      evaluate(place, wanted, feeds, asPredict).forEach((tensor, index) => (results[at[index]] = tensor));
      return results;
    }, []);
  }

  /** @param {Place} place @param {string} path */
  #collect(place, path) {
    const {container, names} = place;
    for (const [symbolic, name] of names) this.#remember(name, place, symbolic);
    /** @type {Map<string, number>} */
    const calls = new Map();
    for (const node of inOrder(container)) {
      const layer = node.outboundLayer;
      if (layer.getClassName() === 'InputLayer') continue;
      this.#makesMasks ||= makesMask(layer);
      const call = calls.get(layer.name) ?? 0;
      calls.set(layer.name, call + 1);
      const where = `${path}${layer.name}${call ? `@${call}` : ''}`;
      const inner = asContainer(layer);
      const inside = inner && this.#enter(inner, place, node, where);
      node.outputTensors.forEach((symbolic, index) => {
        const name = inner && inside ? inside.names.get(inner.outputs[index]) : `${where}${index ? `:${index}` : ''}`;
        names.set(symbolic, name ?? where);
        this.#remember(name ?? where, place, symbolic);
      });
    }
  }

  /** @param {Container} inner @param {Place} place @param {Node} node @param {string} where @returns {Place} */
  #enter(inner, place, node, where) {
    const given = node.inputTensors.map((symbolic) => place.names.get(symbolic) ?? '');
    const names = new Map(inner.inputs.map((input, index) => [input, given[index]]));
    const inside = {container: inner, names, caller: {place, node}};
    this.#collect(inside, `${where}/`);
    return inside;
  }

  /** @param {string} name @param {Place} place @param {Symbolic} symbolic */
  #remember(name, place, symbolic) {
    if (!this.#found.has(name)) this.#found.set(name, {place, symbolic});
  }
}

/**
 * @param {Place} place @param {Symbolic[]} wanted @param {ReadonlyMap<string, Tensor>} feeds
 * @param {boolean} [asPredict] whether to run all layers that come before in model.predict, in the same order: a layer
 *   without a mask gets that of the layer that ran before it
 * @returns {Tensor[]}
 */
function evaluate(place, wanted, feeds, asPredict = false) {
  const fed = new FeedDict();
  const known = fedIn(place, feeds);
  const maskOf = masks(place, feeds);
  for (const [symbolic, value] of known) fed.add(symbolic, value, maskOf(symbolic) ?? undefined);
  const fetched = [...new Set([...(asPredict ? runBefore(place, wanted) : []), ...wanted])];
  const open = openInputs(place, fetched, known);
  if (open.length) {
    if (!place.caller) throw new Error(`the inputs ${open.map(({name}) => name).join(', ')} are not fed`);
    const given = evaluate(place.caller.place, open.map((input) => outside(place, input)), feeds, asPredict);
    open.forEach((input, index) => fed.add(input, given[index]));
  }
  const mask = maskOfCall(place, feeds);
  const results = /** @type {Tensor[]} */ (execute(fetched, fed, mask ? {mask} : undefined));
  return wanted.map((symbolic) => results[fetched.indexOf(symbolic)]);
}

/**
 * Returns the tensors up to the last wanted one, in the order in which model.predict computes them.
 * @param {Place} place @param {Symbolic[]} wanted
 */
function runBefore({container}, wanted) {
  const order = [...new Set(container.outputs.flatMap((output) => sortedFor(output, new FeedDict()).sorted))];
  return order.slice(0, Math.max(...wanted.map((symbolic) => order.indexOf(symbolic))) + 1);
}

/** @param {Place} place @param {ReadonlyMap<string, Tensor>} feeds @returns {Map<Symbolic, Tensor>} */
function fedIn({names}, feeds) {
  /** @type {Map<Symbolic, Tensor>} */
  const known = new Map();
  for (const [symbolic, name] of names) {
    const value = feeds.get(name);
    if (value) known.set(symbolic, value);
  }
  return known;
}

/**
 * Returns the container's inputs that are needed and not known.
 * @param {Place} place @param {Symbolic[]} wanted @param {ReadonlyMap<Symbolic, Tensor>} known
 */
function openInputs({container}, wanted, known) {
  const seen = new Set(known.keys());
  const pending = [...wanted];
  const open = [];
  for (let symbolic = pending.pop(); symbolic; symbolic = pending.pop()) {
    if (seen.has(symbolic)) continue;
    seen.add(symbolic);
    if (container.inputs.includes(symbolic)) open.push(symbolic);
    else pending.push(...symbolic.inputs);
  }
  return open;
}

/** Returns what the caller of a container gives it as this input. @param {Place} place @param {Symbolic} input */
function outside({container, caller}, input) {
  return /** @type {NonNullable<Place['caller']>} */ (caller).node.inputTensors[container.inputs.indexOf(input)];
}

/**
 * Returns a function that computes the mask of a tensor in the whole model, by the rules of TensorFlow.js's executor,
 * which knows no mask of a value that is fed. It gives null without a mask, or if the fed values do not determine it.
 * @param {Place} place @param {ReadonlyMap<string, Tensor>} feeds @returns {(symbolic: Symbolic) => Tensor | null}
 */
function masks(place, feeds) {
  /** @type {Map<Symbolic, Tensor | null>} */
  const known = new Map();
  /** @param {Symbolic} symbolic */
  const compute = ({sourceLayer: layer, inputs}) => {
    if (!layer.supportsMasking) return null;
    const given = inputs.map(of);
    const isOrigin = makesMask(layer);
    if (!isOrigin && given.every((mask) => !mask)) return null;
    // Other layers read at most the rank of an input that has a mask, and a symbolic tensor has that too.
    const values = inputs.map((input, at) => (given[at] && !isOrigin ? input : determined(place, input, feeds)));
    if (values.includes(null)) return null;
    const mask = layer.computeMask(/** @type {Tensor[]} */ (values), /** @type {Tensor[]} */ (given));
    return (Array.isArray(mask) ? mask[0] : mask) ?? null;
  };
  /** @param {Symbolic} symbolic @returns {Tensor | null} */
  const of = (symbolic) => {
    const mask = known.has(symbolic) ? known.get(symbolic) : compute(symbolic);
    known.set(symbolic, mask ?? null);
    return mask ?? null;
  };
  return of;
}

/**
 * Returns the mask that the executor hands to the layers within a container: that of the first tensor of its call.
 * @param {Place} place @param {ReadonlyMap<string, Tensor>} feeds @returns {Tensor | null}
 */
function maskOfCall({caller}, feeds) {
  if (!caller) return null;
  const given = caller.node.inputTensors.map(masks(caller.place, feeds));
  return given.some(Boolean) ? given[0] : maskOfCall(caller.place, feeds);
}

/**
 * Returns a value that is fed or follows from what is fed, else null.
 * @param {Place} place @param {Symbolic} symbolic @param {ReadonlyMap<string, Tensor>} feeds
 */
function determined(place, symbolic, feeds) {
  const fed = fedIn(place, feeds).get(symbolic);
  return fed ?? (isDetermined(place, symbolic, feeds) ? evaluate(place, [symbolic], feeds)[0] : null);
}

/** @param {Place} place @param {Symbolic} symbolic @param {ReadonlyMap<string, Tensor>} feeds @returns {boolean} */
function isDetermined(place, symbolic, feeds) {
  const {caller} = place;
  return openInputs(place, [symbolic], fedIn(place, feeds)).every(
    (input) => caller && isDetermined(caller.place, outside(place, input), feeds),
  );
}

/** Returns the nodes of a container, each after those whose values it reads. @param {Container} container @returns {Node[]} */
function inOrder(container) {
  const {nodesByDepth} = /** @type {{nodesByDepth: Record<string, Node[]>}} */ (/** @type {unknown} */ (container));
  return Object.keys(nodesByDepth).map(Number).sort((a, b) => b - a).flatMap((depth) => nodesByDepth[depth]);
}

/** Tells whether a layer computes a mask from its input. @param {Symbolic['sourceLayer']} layer */
function makesMask(layer) {
  return layer.supportsMasking && ['Embedding', 'Masking'].includes(layer.getClassName());
}

/** @param {unknown} layer @returns {Container | null} */
function asContainer(layer) {
  return typeof layer === 'object' && layer && 'nodesByDepth' in layer ? /** @type {Container} */ (layer) : null;
}
