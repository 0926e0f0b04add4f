// Generated from pycheck/protocol/ by js_harness/generate_protocol.py. Do not edit.

export type ProtocolVersion = 7;

export type FlagValue = boolean | number | string;

export type Dtype = "float32" | "int32" | "bool" | "complex64";

export type FailureCode = "unavailable" | "flag" | "backend" | "load" | "fallback" | "predict" | "train" | "gpu" | "transfer" | "app";

/**
 * Results of real kernels, as the bits of each float32, which Python interprets.
 *
 * The kernel is an elementwise product of tensors that are too large for TF.js's CPU forwarding. `significand` is
 * 2049 x 1 and 16777215 x 1: 12 and 24 significant bits. `denormals_float32` is 2^-126 x 0.5 and 2^-127 x 1;
 * `denormals_float16` is 2^-14 x 0.5 and 2^-15 x 1. `limits_float16` is 2051 x 1, which lies between two half floats,
 * and 70000 x 1, which exceeds all of them.
 */
export interface Probes {
  significand: ReadonlyArray<number>;
  denormals_float32: ReadonlyArray<number>;
  denormals_float16: ReadonlyArray<number>;
  limits_float16: ReadonlyArray<number>;
}

/**
 * A tensor as TF.js describes it; null is an open dimension.
 */
export interface TensorDescription {
  name: string;
  dtype: string | null;
  shape: ReadonlyArray<number | null> | null;
}

/**
 * One execution between points within the artifact: from the tensors named `inputs` to those named `outputs`.
 */
export interface Job {
  inputs: ReadonlyArray<string>;
  outputs: ReadonlyArray<string>;
}

/**
 * The reason why the job with this number has no result.
 */
export interface JobFailure {
  job: number;
  message: string;
}

/**
 * The penalty for one weight: l1 times the sum of its magnitudes, plus l2 times that of its squares.
 */
export interface Penalty {
  weight: string;
  l1: number;
  l2: number;
}

/**
 * A file of the user's: its own name, its media type, and its URL, which is relative to the page.
 */
export interface FileOffer {
  name: string;
  media_type: string;
  url: string;
}

/**
 * What became of one file.
 *
 * `failure` is a code of pycheck.types.FileFailure, or null if the file has tensors, and `message` describes it.
 * `leaked_tensors` is the number of tensors that exist in addition afterwards, without those that were returned.
 * `decision` is JSON, in which numbers may be NaN, Infinity and -Infinity, as Python's json writes them.
 */
export interface FileResult {
  failure: "unreadable" | "threw" | "network" | "timeout" | "result" | null;
  message: string;
  leaked_tensors: number;
  compute_s: number;
  decision: string | null;
}

/**
 * Set the flags, then start one backend of TF.js, or one accelerator of LiteRT.js, and prove that it runs.
 */
export interface Start {
  id: number;
  backend: "cpu" | "wasm" | "webgl" | "webgpu" | "litert-wasm" | "litert-webgpu";
  flags: Readonly<Record<string, boolean | number | string>>;
  type: "start";
}

/**
 * Load the model.json or the .tflite file at `url`, which is relative to the page.
 *
 * TF.js's CPU backend runs the kernels in `cpu_kernels` instead of the active one; "*" stands for all. With
 * `may_use_cpu`, LiteRT.js may run the whole model on the CPU although WebGPU is requested; without, it is an error.
 */
export interface Load {
  id: number;
  format: "layers" | "graph" | "tflite";
  url: string;
  cpu_kernels: ReadonlyArray<string>;
  may_use_cpu: boolean;
  type: "load";
}

/**
 * Fetch the input tensors, run the model, send the output tensors back.
 *
 * `inputs` and `outputs` are the artifact's names in the artifact's order, and the names of tensors in the fetched
 * file and in the file that is sent back. That is sent as up to `upload_streams` parallel ranges, which is faster.
 */
export interface Predict {
  id: number;
  inputs: ReadonlyArray<string>;
  outputs: ReadonlyArray<string>;
  inputs_url: string;
  outputs_url: string;
  upload_streams: number;
  type: "predict";
}

/**
 * Fetch tensors, named by points and inputs, then execute jobs on them one after the other.
 *
 * The safetensors file that is sent back names an output ``0/name``, with the number of its job. Without
 * `outputs_url` nothing is sent: the outputs stay in the page with their own names, and earlier ones are disposed. A
 * job that fails does not end the others.
 */
export interface Run {
  id: number;
  jobs: ReadonlyArray<Job>;
  inputs_url: string;
  outputs_url: string | null;
  upload_streams: number;
  type: "run";
}

/**
 * Send outputs that stayed in the page, with their names, and dispose them there.
 */
export interface Take {
  id: number;
  names: ReadonlyArray<string>;
  outputs_url: string;
  upload_streams: number;
  type: "take";
}

/**
 * Fetch the training data and make the loaded layers model ready to be trained from its initial weights.
 *
 * `inputs` and `targets` name tensors of the fetched file, in the artifact's order. Of a variable with more than
 * `seen_elements`, every so many-th is sent back in each step; layers' results are, where they all together have at
 * most `activation_elements`. The initial weights are sent to `outputs_url`, named by their index.
 *
 * The training recipe in the terms of TF.js.
 *
 * `settings` are Keras's names of an optimizer's arguments; without `epsilon` it takes TF.js's own. `loss` is TF.js's
 * name, or "formula" with a `program` for pycheck/training/formula.py's stack. Weights that are in `frozen`, by the
 * artifact's names, are not trained.
 */
export interface Compile {
  optimizer: "sgd" | "momentum" | "rmsprop" | "adagrad" | "adadelta" | "adam" | "adamax";
  learning_rate: number;
  settings: Readonly<Record<string, number>>;
  epsilon: number | null;
  loss: string;
  from_logits: boolean;
  program: ReadonlyArray<string>;
  clipnorm: number | null;
  global_clipnorm: number | null;
  clipvalue: number | null;
  penalties: ReadonlyArray<Penalty>;
  frozen: ReadonlyArray<string>;
  batch_size: number;
  id: number;
  inputs: ReadonlyArray<string>;
  targets: ReadonlyArray<string>;
  seen_elements: number;
  activation_elements: number;
  inputs_url: string;
  outputs_url: string;
  upload_streams: number;
  type: "compile";
}

/**
 * Train on consecutive batches with TF.js's own trainOnBatch, repeating the data.
 *
 * With `observe`, each step's gradient before clipping, weights after it and layers' results are sent back as one
 * tensor ``step/0``, ``step/1``, ..., in this order; ``sizes`` are those of the layers' results by step, ``loss`` the
 * losses. Without, only the losses are sent.
 */
export interface Train {
  id: number;
  first_step: number;
  step_count: number;
  observe: boolean;
  outputs_url: string;
  upload_streams: number;
  type: "train";
}

/**
 * Call the function `export` of the user's module for files, one after the other: ``function(file, tf)``.
 *
 * If it makes a sample, it returns a tensor of one sample or an object of them, perhaps as a promise. One tensor gets
 * the only name in `names`; the keys of an object must be these names. The page answers after the first file that ends
 * `batch_s` seconds or `batch_bytes` bytes of tensors; its answer may therefore have fewer files than it was given.
 * The safetensors file that is sent back names a tensor ``0/name``, with the number of its file. A file that fails
 * does not end the others. A file that has no result after `file_timeout_s` seconds fails; so does a module that has
 * not loaded by then.
 *
 * If it makes a decision, each file is a safetensors file with the outputs of one sample, and the call is
 * ``function(outputs, tf)``: the tensor of the only name, or an object of tensors by the names. What it returns is
 * sent back as JSON, and no tensor is.
 */
export interface Prepare {
  id: number;
  module_url: string;
  export: string;
  names: ReadonlyArray<string>;
  files: ReadonlyArray<FileOffer>;
  file_timeout_s: number;
  batch_s: number;
  batch_bytes: number;
  outputs_url: string;
  upload_streams: number;
  makes: "sample" | "decision";
  type: "prepare";
}

/**
 * The first message: the page has connected. `is_isolated`: it is cross-origin isolated.
 */
export interface Hello {
  protocol_version: number;
  user_agent: string;
  is_isolated: boolean;
  type: "hello";
}

/**
 * The backend runs, with this environment.
 *
 * `library` is such as "tfjs 4.22.0". `flags` are the present values, `flags_default` the defaults, and
 * `flags_unknown` the requested flags that no loaded module has.
 */
export interface Started {
  id: number;
  library: string;
  backend: string;
  renderer: string | null;
  software_renderer: boolean | null;
  epsilon: number | null;
  flags: Readonly<Record<string, boolean | number | string>>;
  flags_default: Readonly<Record<string, boolean | number | string>>;
  flags_unknown: ReadonlyArray<string>;
  wasm_threads: number | null;
  wasm_simd: string;
  probes: Probes;
  notes: ReadonlyArray<string>;
  type: "started";
}

/**
 * The model is loaded.
 *
 * LiteRT.js on WebGPU leaves operations that the GPU lacks to the CPU: `on_gpu` and `on_cpu` count them if there are
 * any, and `left_to_cpu` has each of these with the reason, such as "GATHER: Only support 1D indices".
 */
export interface Loaded {
  id: number;
  inputs: ReadonlyArray<TensorDescription>;
  outputs: ReadonlyArray<TensorDescription>;
  tensor_count: number;
  on_gpu: number;
  on_cpu: number;
  left_to_cpu: ReadonlyArray<string>;
  type: "loaded";
}

/**
 * One batch is computed and its outputs have arrived.
 *
 * Seconds are by the page's clock. `tensor_count` is the number of TF.js's tensors afterwards: if it grows from batch
 * to batch, tensors leak. `cpu_kernels` are those of Load that were used so far. `ran_on_cpu` tells whether
 * LiteRT.js ran nothing on the GPU although WebGPU is requested.
 */
export interface Predicted {
  id: number;
  method: "predict" | "execute" | "executeAsync" | "run";
  download_s: number;
  compute_s: number;
  upload_s: number;
  tensor_count: number;
  cpu_kernels: ReadonlyArray<string>;
  ran_on_cpu: boolean;
  type: "predicted";
}

/**
 * The jobs have run, or kept outputs were sent; `failed` lists the jobs without results.
 *
 * Seconds as in Predicted.
 */
export interface Ran {
  id: number;
  failed: ReadonlyArray<JobFailure>;
  download_s: number;
  compute_s: number;
  upload_s: number;
  tensor_count: number;
  type: "ran";
}

/**
 * The model can be trained. `variables` are the trainable weights, then the others, by their original names.
 */
export interface Compiled {
  id: number;
  variables: ReadonlyArray<TensorDescription>;
  trainable_count: number;
  type: "compiled";
}

/**
 * The steps have run. `layers` name those whose results were sent, in the order of their calls; seconds as above.
 *
 * `compute_s` includes reading the kept tensors from the backend.
 */
export interface Trained {
  id: number;
  layers: ReadonlyArray<string>;
  compute_s: number;
  upload_s: number;
  tensor_count: number;
  type: "trained";
}

/**
 * The first files of Prepare are done, and their tensors have arrived; seconds as in Predicted.
 *
 * `backend` is the backend of TF.js that the function used. `requested` lists addresses that the module requested, and
 * that the page's policy refused.
 */
export interface Prepared {
  id: number;
  files: ReadonlyArray<FileResult>;
  backend: string;
  requested: ReadonlyArray<string>;
  download_s: number;
  upload_s: number;
  tensor_count: number;
  type: "prepared";
}

/**
 * A command failed.
 *
 * `unavailable`: this browser lacks the feature. `fallback`: LiteRT.js would run on a different accelerator. `gpu`:
 * the GPU failed or was lost. `app`: the user's module does not load, or lacks the export.
 */
export interface Failed {
  id: number;
  code: "unavailable" | "flag" | "backend" | "load" | "fallback" | "predict" | "train" | "gpu" | "transfer" | "app";
  message: string;
  stack: string;
  type: "failed";
}

/**
 * An event outside of commands, which ends the runtime.
 */
export interface Event {
  code: "context-lost" | "device-lost" | "gpu-error" | "uncaught";
  message: string;
  type: "event";
}

/**
 * The first message of the page that a device opens; `model` is the device's, if the browser exposes it.
 */
export interface Arrived {
  user_agent: string;
  model: string | null;
  is_secure_context: boolean;
  type: "arrived";
}

/**
 * The device's name, and the key with which its page reconnects after its connection broke.
 */
export interface Welcome {
  name: string;
  key: string;
  type: "welcome";
}

/**
 * Open the page of a runtime, by its path on this server, in a separate frame.
 */
export interface OpenFrame {
  path: string;
  type: "open-frame";
}

/**
 * Close the page of a runtime, because it has finished or its run has gone.
 */
export interface CloseFrame {
  path: string;
  type: "close-frame";
}

export type Command = Start | Load | Predict | Run | Take | Compile | Train | Prepare;

export type PageMessage = Hello | Started | Loaded | Predicted | Ran | Compiled | Trained | Prepared | Failed | Event;

export type DeviceCommand = Welcome | OpenFrame | CloseFrame;
