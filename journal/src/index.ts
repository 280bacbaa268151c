// What the rest of the product uses of journals. A command that must start quickly imports the single modules instead: this
// one brings in level and tar-stream.
export * from './catalogue.js';
export * from './errors.js';
export * from './journal-index.js';
export * from './layout.js';
export * from './meta.js';
export * from './pack.js';
export * from './scan.js';
export * from './select.js';
export * from './segment-reader.js';
export * from './verify.js';
