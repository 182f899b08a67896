'use strict';
// Runs a bundle with V8's code cache: the daemon for the first words that are the daemon program's, else the command line.
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

function run(file, script) {
  const module = { exports: {} };
  script.runInThisContext().call(module.exports, module.exports, createRequire(file), module, file, __dirname);
}

if (process.argv[2] === '--make-cache') {
  const [, , , name, target] = process.argv;
  const { file, script } = load(name);
  const write = () => fs.writeFileSync(target, script.createCachedData());
  if (name === 'cli') {
    // A run against no daemon, so that the cache also holds the functions that every command needs.
    process.argv = [process.argv[0], file, 'list', '--force-local'];
    process.env.LXD_LIKE_DIR = '/nonexistent';
    process.stderr.write = (_text, done) => (typeof done === 'function' && done(), true);
    process.on('exit', () => {
      write();
      process.exitCode = 0;
    });
    run(file, script);
  } else write();
} else {
  const name = ['daemon', 'activateifneeded'].includes(process.argv[2]) ? 'daemon' : 'cli';
  const { file, script } = load(name, readCache(name));
  run(file, script);
}
