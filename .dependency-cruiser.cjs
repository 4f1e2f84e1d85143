'use strict';
// Who may import whom: rules D1 and D3 to D9 of ARCHITECTURE.md. scripts/rules.test.ts proves that each fires.

const path = require('node:path');

const TEST_FILES = '\\.test\\.ts$';
const ENTRY_POINTS = [
  '^packages/core/src/(testing/)?index\\.ts$',
  '^packages/api/src/((client|plan)/)?index\\.ts$',
];
/** Files of the server that wire sibling folders together. */
const COMPOSITION_ROOTS = ['^packages/server/src/(app|host-main)(\\.test)?\\.ts$'];
/** Each vendor's packages, and the only folder that may import them. */
const VENDORS = [
  { packages: '@anthropic-ai/', adapter: '^packages/server/src/agents/claude/' },
  { packages: '@cedar-policy/', adapter: '^packages/server/src/policy/' },
];

const forbid = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

module.exports = {
  forbidden: [
    forbid(
      'D1-core-imports-nothing',
      'The core is pure: what it needs arrives as an input or a port.',
      { path: '^packages/core/src/', pathNot: TEST_FILES },
      { pathNot: '^packages/core/src/' },
    ),
    forbid(
      'D3-api-knows-core-only',
      'api may import core, never the packages above it.',
      { path: '^packages/api/' },
      { path: '^packages/(?!api/|core/)' },
    ),
    forbid(
      'D3-server-and-web-are-apart',
      'server and web meet in the API, never in code.',
      { path: '^packages/(server|web)/' },
      { path: '^packages/(?!$1/|api/|core/)' },
    ),
    forbid(
      'D3-core-tests-know-core-only',
      'Tests of the core may use tools, never the packages above it.',
      { path: '^packages/core/' },
      { path: '^packages/(?!core/)' },
    ),
    forbid(
      'D3-engines-know-core-only',
      'An engine for other hosts may import core, nothing else of ours.',
      { path: '^packages/(engine-[^/]+)/' },
      { path: '^packages/(?!$1/|core/)' },
    ),
    forbid(
      'D4-entry-points-only',
      'From another package import an entry point, never a path under its src.',
      { path: '^packages/([^/]+)/' },
      { path: '^packages/(?!$1/)', pathNot: ENTRY_POINTS },
    ),
    forbid(
      'D4-by-package-name',
      'From another package import by its name, not by a relative path.',
      { path: '^packages/([^/]+)/' },
      { path: '^packages/(?!$1/)', dependencyTypes: ['local'] },
    ),
    forbid(
      'D5-server-siblings',
      'Folders under server/src do not import each other (base is shared): app.ts wires them.',
      { path: '^packages/server/src/(?!cli/)([^/]+)/' },
      { path: '^packages/server/src/', pathNot: '^packages/server/src/($1|base)/' },
    ),
    forbid(
      'D5-server-root-files',
      'Only the composition root may import the folders under server/src.',
      { path: '^packages/server/src/[^/]+\\.ts$', pathNot: COMPOSITION_ROOTS },
      { path: '^packages/server/src/(?!base/)[^/]+/' },
    ),
    forbid(
      'D5-cli-is-a-client',
      'The command line uses the API as any client does (and app.ts, to serve it).',
      { path: '^packages/server/src/cli/' },
      {
        path: '^packages/',
        pathNot: [
          '/node_modules/',
          '^packages/server/src/(cli|base)/',
          '^packages/server/src/app\\.ts$',
          '^packages/api/src/(client|plan)/index\\.ts$',
        ],
      },
    ),
    forbid(
      'D6-features-are-apart',
      'Features of the web do not import each other: share through ui or data.',
      { path: '^packages/web/src/features/([^/]+)/' },
      { path: '^packages/web/src/features/', pathNot: '^packages/web/src/features/$1/' },
    ),
    forbid(
      'D7-no-runtime-cycles',
      'Files that import each other in a ring load in an order nobody chose. Types may.',
      {},
      { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    ),
    forbid(
      'D8-no-testing-in-production',
      'Production code never imports test kits, tests or test tools.',
      {
        path: '^packages/[^/]+/src/',
        // `ccdash adapters check` holds what is installed to the cases: there they are the product.
        pathNot: [
          TEST_FILES,
          '^packages/[^/]+/src/testing/',
          '^packages/server/src/agents/conformance/',
        ],
      },
      {
        path: [
          '^packages/[^/]+/src/testing/',
          '^packages/[^/]+/test/',
          TEST_FILES,
          'node_modules/(vitest|fast-check)/',
        ],
      },
    ),
    ...VENDORS.map(({ packages, adapter }) =>
      forbid(
        `D9-vendor-in-its-adapter (${packages})`,
        'A vendor SDK is optional and replaceable: only its adapter knows it.',
        { pathNot: adapter },
        { path: `(^|node_modules/)${packages}` },
      ),
    ),
    forbid(
      'resolvable',
      'The import leads nowhere: a typing error, or a package that is not installed.',
      {},
      { couldNotResolve: true },
    ),
    forbid(
      'declared-dependencies',
      'Add the package to the package.json of the workspace that imports it.',
      { path: '^packages/[^/]+/src/', pathNot: TEST_FILES },
      { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Anchored: a plain `dist/` would hide most packages from npm as well.
    exclude: { path: '^(packages/[^/]+/(dist|\\.types)|\\.stryker-tmp)/' },
    tsPreCompilationDeps: 'specify',
    tsConfig: { fileName: path.join(__dirname, 'tsconfig.base.json') },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['ccdash-source', 'import', 'node', 'default', 'types'],
      extensions: ['.ts', '.tsx', '.mjs', '.js', '.cjs', '.json', '.d.ts'],
      mainFields: ['module', 'main', 'types', 'typings'],
    },
  },
};
