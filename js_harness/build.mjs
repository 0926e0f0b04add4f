// Builds the page into pycheck/_harness: one chunk a backend, the .wasm files, a manifest, the operations, the licences.
// The manifest names the file that holds each file of the page: scripts and TF.js's .wasm files are compressed with gzip,
// and what LiteRT.js loads is in one archive, which Python packs (pack.py).

import {execFileSync} from 'node:child_process';
import {existsSync} from 'node:fs';
import {copyFile, mkdir, readdir, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {createRequire} from 'node:module';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {gzipSync} from 'node:zlib';

import {build} from 'esbuild';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const SOURCE = path.join(ROOT, 'js_harness', 'src');
const TARGET = path.join(ROOT, 'pycheck', '_harness');
const require = createRequire(path.join(ROOT, 'package.json'));

/** The packages whose flags a user may set; the backend each flag belongs to is the reader's business. */
const FLAG_PACKAGES = ['core', 'converter', 'layers', 'backend-cpu', 'backend-wasm', 'backend-webgl', 'backend-webgpu'];
/** LiteRT.js's WebAssembly: plain, for WebGPU with JSPI, and for browsers without relaxed SIMD. */
const LITERT_BUILDS = ['litert_wasm_internal', 'litert_wasm_jspi_internal', 'litert_wasm_compat_internal'];
const LITERT_ARCHIVE = 'litert.tar.xz';
const WASM_FILES = ['tfjs-backend-wasm.wasm', 'tfjs-backend-wasm-simd.wasm', 'tfjs-backend-wasm-threaded-simd.wasm'];

/** TF.js for the modules of users' apps: the instance of the page, as one module, and each backend. */
const TFJS = ['tfjs', 'tfjs-backend-cpu', 'tfjs-backend-wasm', 'tfjs-backend-webgl', 'tfjs-backend-webgpu'].map((name) =>
  path.join(SOURCE, 'for_apps', `${name}.js`),
);

/** A package that the user's own folder lacks is installed beside the sources: see pycheck/setup/releases.py. */
const MODULES = [path.join(ROOT, 'js_harness', 'node_modules'), path.join(ROOT, 'node_modules')];
const folderOf = (name) => MODULES.map((folder) => path.join(folder, ...name.split('/'))).find(existsSync);
const packageOf = async (name) => JSON.parse(await readFile(path.join(folderOf(name), 'package.json'), 'utf8'));

/** @param {string} litert LiteRT.js's version */
async function bundle(litert) {
  const result = await build({
    entryPoints: [...['main.js', 'courier.js', 'device.js'].map((file) => path.join(SOURCE, file)), ...TFJS],
    outbase: SOURCE,
    entryNames: '[name]',
    outdir: TARGET,
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    chunkNames: 'chunk-[name]-[hash]',
    // Names stay, so that what TensorFlow.js says in an error can be found in its source.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    metafile: true,
    define: {LITERT_VERSION: JSON.stringify(litert)},
    absWorkingDir: ROOT,
    external: ['fs', 'path', 'os', 'perf_hooks', 'worker_threads', 'crypto', 'util', 'string_decoder'],
    logLevel: 'warning',
  });
  return result.metafile;
}

/** Every flag that TensorFlow.js registers, by package. */
async function findFlags() {
  const flags = {};
  for (const suffix of FLAG_PACKAGES) {
    const folder = path.join(folderOf(`@tensorflow/tfjs-${suffix}`), 'dist');
    for (const file of await readdir(folder, {recursive: true})) {
      if (!file.endsWith('.js') || file.includes('_test') || /tf-|miniprogram|node_modules/.test(file)) continue;
      const text = await readFile(path.join(folder, file), 'utf8');
      for (const [, name] of text.matchAll(/registerFlag\(\s*['"]([A-Z0-9_]+)['"]/g)) flags[name] = suffix;
    }
  }
  return Object.fromEntries(Object.entries(flags).sort());
}

/** The operations that the graph executor knows: those of the lists that it maps from, for not all of them are. */
async function findOperations() {
  const folder = path.join(folderOf('@tensorflow/tfjs-converter'), 'dist', 'operations');
  const mapper = await readFile(path.join(folder, 'operation_mapper.js'), 'utf8');
  const names = new Set();
  for (const [, list] of mapper.matchAll(/['"]\.\/op_list\/(\w+)(?:\.js)?['"]/g)) {
    const text = await readFile(path.join(folder, 'op_list', `${list}.js`), 'utf8');
    for (const [, name] of text.matchAll(/['"]?tfOpName['"]?:\s*['"](\w+)['"]/g)) names.add(name);
  }
  if (!names.size) throw new Error(`${folder} lists no operations`);
  return [...names].sort();
}

/** Every package that is in the bundle, with its licence and notice. */
async function collectNotices(metafile) {
  const names = new Set(['@tensorflow/tfjs-backend-wasm']);
  for (const input of Object.keys(metafile.inputs)) {
    const match = input.match(/^.*node_modules\/((?:@[^/]+\/)?[^/]+)\//);
    if (match) names.add(match[1]);
  }
  const blocks = ['The page that pycheck loads contains these packages, unmodified.\n'];
  for (const name of [...names].sort()) {
    const {version, license, author, repository} = await packageOf(name);
    const files = (await readdir(folderOf(name))).filter((file) => /^(licen[cs]e|notice)/i.test(file)).sort();
    const texts = await Promise.all(files.map((file) => readFile(path.join(folderOf(name), file), 'utf8')));
    const holder = typeof author === 'string' ? author : author?.name;
    const source = typeof repository === 'string' ? repository : repository?.url;
    const head = [`${name} ${version}`, `Licence: ${license}`, holder && `Author: ${holder}`, source && `Source: ${source}`];
    const full = texts.length || license !== 'Apache-2.0' ? texts : ['Full text: http://www.apache.org/licenses/LICENSE-2.0'];
    blocks.push([...head.filter(Boolean), '', ...full].join('\n'));
  }
  return blocks.join(`\n${'-'.repeat(80)}\n\n`);
}

/** Compresses all that is in the folder; returns each file with the file that holds it. */
async function compress() {
  const held = [];
  for (const file of await readdir(TARGET)) {
    const whole = path.join(TARGET, file);
    await writeFile(`${whole}.gz`, gzipSync(await readFile(whole), {level: 6}));
    await rm(whole);
    held.push([file, `${file}.gz`]);
  }
  return held;
}

/**
 * Packs what LiteRT.js loads: its builds have 9 MB each, and differ little. An archive of the same release is copied, since
 * packing takes most of the time.
 * @param {string} version
 */
async function packLitert(version) {
  const names = LITERT_BUILDS.flatMap((name) => [`${name}.js`, `${name}.wasm`]);
  const archive = path.join(TARGET, LITERT_ARCHIVE);
  const {LITERT_ARCHIVE: packed, LITERT_ARCHIVE_VERSION: known} = process.env;
  if (packed && known === version) await copyFile(packed, archive);
  else packFiles(archive, names);
  return names.map((name) => [name, LITERT_ARCHIVE]);
}

/** @param {string} archive @param {string[]} names */
function packFiles(archive, names) {
  const sources = names.map((name) => path.join(folderOf('@litertjs/core'), 'wasm', name));
  const script = path.join(ROOT, 'js_harness', 'pack.py');
  execFileSync(process.env.PYTHON || 'python3', [script, archive, ...sources], {stdio: 'inherit'});
}

async function main() {
  await rm(TARGET, {recursive: true, force: true});
  await mkdir(TARGET, {recursive: true});
  const {version: litert} = await packageOf('@litertjs/core');
  const metafile = await bundle(litert);
  const wasm = path.dirname(require.resolve('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm'));
  for (const file of WASM_FILES) await copyFile(path.join(wasm, file), path.join(TARGET, file));
  const compressed = await compress();
  for (const file of ['index.html', 'device.html']) await copyFile(path.join(SOURCE, file), path.join(TARGET, file));
  await writeFile(path.join(TARGET, 'THIRD_PARTY_NOTICES.txt'), await collectNotices(metafile));
  const plain = (await readdir(TARGET)).filter((file) => !file.endsWith('.gz')).map((file) => [file, file]);
  const files = Object.fromEntries([...plain, ...compressed, ...(await packLitert(litert))].sort());
  const {version} = await packageOf('@tensorflow/tfjs-core');
  const manifest = {tfjs_version: version, litert_version: litert, files, flags: await findFlags()};
  await writeFile(path.join(TARGET, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  await writeFile(path.join(TARGET, 'operations.json'), `${JSON.stringify(await findOperations(), null, 2)}\n`);
  for (const file of (await readdir(TARGET)).sort()) {
    console.log(`${String((await stat(path.join(TARGET, file))).size).padStart(9)} ${file}`);
  }
}

await main();
