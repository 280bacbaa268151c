// dist/bundle/understudy.cjs: runs the bundle with what V8 made of it when it was built, so that nothing is compiled anew at each
// start. (rolldown.config.js puts it there and has the cache written.)
//
// Invariant: the cache is a matter of time only. One that is missing, of another bundle, or of another version of Node changes
// nothing else. V8 itself compares nothing but the length of a text, hence the mark that bundle and cache begin with.
'use strict';
const { readFileSync, renameSync, writeFileSync } = require('node:fs');
const { Script } = require('node:vm');

const MARK_CHARS = 16;
const filename = `${__dirname}/start.cjs`;
const cacheFile = `${filename}.cache`;
const source = readFileSync(filename, 'utf8');
const mark = source.slice(2, 2 + MARK_CHARS); // behind the comment's slashes

function readCache() {
  try {
    const cache = readFileSync(cacheFile);
    return cache.latin1Slice(0, MARK_CHARS) === mark ? cache.subarray(MARK_CHARS) : undefined;
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

const wrapped = `(function (exports, require, module, __filename, __dirname) { ${source}\n})`;
const script = new Script(wrapped, { filename, cachedData: readCache() });

// Functions are compiled when they are first called, so what is kept is what a whole run has called.
if (process.env.UNDERSTUDY_WRITE_CODE_CACHE === '1') {
  process.on('exit', () => {
    writeFileSync(`${cacheFile}.new`, Buffer.concat([Buffer.from(mark, 'latin1'), script.createCachedData()]));
    renameSync(`${cacheFile}.new`, cacheFile);
  });
}

// Its other files require this one, as the module that it would be without this loader.
const bundle = new module.constructor(filename, module);
bundle.filename = filename;
bundle.loaded = true;
require.cache[filename] = bundle;
script.runInThisContext()(bundle.exports, require, bundle, filename, __dirname);
