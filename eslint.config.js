import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const TESTS = ['**/*.test.ts', 'packages/*/test/**/*.ts', 'e2e/**/*.ts'];
// Tools demand a default export of these.
const CONFIGS = ['**/*.config.{js,ts,mjs}'];
// They talk to people on the terminal.
const TERMINAL = ['scripts/**', 'packages/server/bin/**', 'examples/**'];

/** Syntax that is nowhere allowed; each message says what to write instead. */
const NO_ENUM = {
  selector: 'TSEnumDeclaration',
  message: 'Use a union of string literals: an enum cannot be erased.',
};
const NO_EXPORT_ALL = {
  selector: 'ExportAllDeclaration[exported=null]',
  message: 'Name what you export: `export *` hides the surface of the package.',
};
const NO_DEFAULT_EXPORT = {
  selector: 'ExportDefaultDeclaration',
  message: 'Export by name, so that everybody uses the same one.',
};

export default defineConfig(
  globalIgnores([
    '**/dist/',
    '**/.types/',
    '.node/',
    '**/.stryker-tmp/',
    'reports/',
    '**/fixtures/',
  ]),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        // A default branch is no excuse for a forgotten member of a union.
        { considerDefaultExhaustiveForUnions: false, requireDefaultForNonUnion: true },
      ],
      // Numbers print as anyone expects; other types stay errors.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `() => stop()` reads well even when stop() returns nothing.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // A leading underscore says "required by the shape, not used".
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' },
      ],
      // `while (true)` with a return inside is the plainest form of a read loop.
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      // In-memory ports implement asynchronous interfaces without awaiting anything.
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      'no-restricted-syntax': ['error', NO_ENUM, NO_EXPORT_ALL, NO_DEFAULT_EXPORT],
    },
  },
  {
    // D2: the core is told the time and the luck of the draw; it never looks.
    files: ['packages/core/src/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        {
          name: 'Date',
          message: 'Take the time as an input (a fact, or the Clock port); compare ISO strings.',
        },
        {
          name: 'crypto',
          message: 'Take ids, digests and random bytes as inputs (facts, or the Ids port).',
        },
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'Take the draw as an input, seeded.' },
        { object: 'globalThis', property: 'Date', message: 'Take the time as an input.' },
        { object: 'globalThis', property: 'crypto', message: 'Take ids and digests as inputs.' },
      ],
    },
  },
  {
    files: TESTS,
    rules: {
      // A test that meets undefined fails right there, which is what it is for.
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  {
    files: CONFIGS,
    rules: { 'no-restricted-syntax': ['error', NO_ENUM, NO_EXPORT_ALL] },
  },
  { files: TERMINAL, rules: { 'no-console': 'off' } },
  {
    files: ['**/*.{js,mjs,cjs}'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        module: 'writable',
        __dirname: 'readonly',
      },
    },
  },
);
