// The layers of the TypeScript side, as rules that run in the tests. Each carries its reason.
//
//   journal  <-  native (its TS side)  <-  controller  <-  cli
//
// The picture, and what each folder is for: docs/ARCHITECTURE.md.
const only = (name, comment, from, to) => ({
  name,
  severity: 'error',
  comment,
  from: { path: from },
  to: { path: to },
});

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'Modules that need each other can be neither read nor tested one at a time.',
      from: {},
      to: { circular: true },
    },
    only(
      'journal-depends-on-nothing',
      'Journals must be readable on any machine, also without the addon: tools that only read them build on journal alone.',
      '^journal/',
      '^(native|controller|cli|bench|demo|test)/',
    ),
    only(
      'native-is-thin',
      'The bridge passes plain data. Policy in it could be reached neither by a simulation nor by a reader of controller/.',
      '^native/',
      '^(controller|cli|bench|demo|test)/',
    ),
    only(
      'controller-does-not-know-its-front-ends',
      'What is decided must not depend on who asked: the command line, an HTTP call and a test get the same answer.',
      '^controller/',
      '^(cli|bench|demo|test)/',
    ),
    only(
      'cli-only-parses-and-renders',
      'A command that went round the controller to the addon would do things that no other front end can do.',
      '^cli/',
      '^(native|bench|demo|test)/',
    ),
    only(
      'product-does-not-need-tests-or-benchmarks',
      'What is installed must run without them.',
      '^(journal|native|controller|cli)/',
      '^(test|bench|demo)/',
    ),
    {
      name: 'pair-is-pure',
      severity: 'error',
      comment:
        'The pair is decided by a function of state and event, which a simulation can run: a clock, a socket or a random source in it could not be simulated.',
      from: { path: '^controller/pair/' },
      to: { pathNot: '^controller/(pair/|coordinator/record\\.ts)' },
    },
    only(
      'wire-carries-anything',
      'How messages travel must not depend on what they say: witness, daemons and commands share it.',
      '^controller/wire/',
      '^controller/(pair|host|coordinator|config)/',
    ),
    only(
      'coordinator-does-not-judge',
      'It compares and sets. A rule about roles in it would be a second place that decides.',
      '^controller/coordinator/',
      '^controller/(pair|host|config)/',
    ),
    only(
      'configuration-is-plain',
      'A file must be checkable without a daemon, a coordinator or the addon.',
      '^controller/config/',
      '^(native/|controller/(pair|host|coordinator)/)',
    ),
    {
      name: 'one-door-to-the-data-plane',
      severity: 'error',
      comment: 'The daemon runs with any data plane: a test gives it one without guests.',
      from: { path: '^controller/(host|pair|coordinator|wire|config)/', pathNot: '^controller/host/native-plane\\.ts' },
      to: { path: '^native/' },
    },
    {
      name: 'schema-is-the-root',
      severity: 'error',
      comment: 'The schema is the single source of truth: what is generated from it may not feed back into it.',
      from: { path: '^journal/schema/', pathNot: '^journal/schema/.*(generate|golden)' },
      to: { path: '^journal/src/' },
    },
    {
      name: 'no-unresolvable',
      severity: 'error',
      comment: 'An import that does not resolve fails on the machine of whoever runs that command first.',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'product-uses-no-dev-dependencies',
      severity: 'error',
      comment: 'An installation without devDependencies must work.',
      from: { path: '^(journal/src|native|controller|cli)/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: '@types/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|build)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js'], conditionNames: ['import', 'node', 'default'] },
  },
};
