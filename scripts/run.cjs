'use strict';
// Runs a bundle with V8's code cache: the daemon for the first word "daemon", else the command line.
const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');
const vm = require('node:vm');

function load(name, cache) {
  const file = path.join(__dirname, `${name}.cjs`);
  const wrapper = `(function (exports, require, module, __filename, __dirname) {${fs.readFileSync(file, 'utf8')}\n})`;
  const importModuleDynamically = vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER;
  return { file, script: new vm.Script(wrapper, { filename: file, cachedData: cache, importModuleDynamically }) };
}

function readCache(name) {
  try {
    return fs.readFileSync(path.join(__dirname, `${name}.cache`));
  } catch {
    return undefined;
  }
}

if (process.argv[2] === '--make-cache') {
  const [, , , name, target] = process.argv;
  fs.writeFileSync(target, load(name).script.createCachedData());
} else {
  const name = process.argv[2] === 'daemon' ? 'daemon' : 'cli';
  const { file, script } = load(name, readCache(name));
  const module = { exports: {} };
  script.runInThisContext().call(module.exports, module.exports, createRequire(file), module, file, __dirname);
}
