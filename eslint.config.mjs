// Type-aware lint, and the import rules that keep the folders an architecture (docs/ARCHITECTURE.md).
import js from '@eslint/js';
import tseslint from 'typescript-eslint';
import { importX } from 'eslint-plugin-import-x';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';

/** Dependencies point one way: each folder names those it may not import. */
const zones = [
  {
    target: './schemas',
    from: ['./workflows', './pipelines', './src', './infra'],
    message: 'schemas/ depends on nothing.',
  },
  {
    target: ['./src/tasks', './src/reward', './src/buffer'],
    from: [
      './pipelines',
      './workflows',
      './infra',
      './src/activities',
      './src/cli',
      './src/learner',
      './src/evaluation',
      './src/web',
    ],
    message: 'tasks, reward and buffer are the pure core: they know events, not effects.',
  },
  {
    target: ['./src/policy', './src/learner', './src/sandbox', './src/evaluation'],
    from: ['./workflows', './src/activities', './src/cli', './src/web', './pipelines'],
    message: 'policy, learner, sandbox and evaluation are used by activities, not the other way round.',
  },
  {
    target: './pipelines',
    from: ['./workflows', './src/activities', './src/cli', './src/web', './src/policy'],
    message: 'pipelines move facts; they do not know who sends them.',
  },
  {
    target: './workflows',
    from: ['./infra', './src/cli', './src/web', './src/learner', './src/activities'],
    message: 'workflows import types and pure functions only.',
  },
  {
    target: './workflows',
    from: './src/sandbox',
    except: ['./port.ts'],
    message: 'workflows import types and pure functions only.',
  },
  {
    target: './workflows',
    from: './pipelines',
    except: ['./event-log.ts'],
    message: 'workflows import types and pure functions only.',
  },
  {
    target: './src/activities',
    from: ['./src/cli', './src/web'],
    message: 'activities do not know the CLI.',
  },
];

export default tseslint.config(
  { ignores: ['node_modules', 'dist', '.azr', 'schemas/generated', 'coverage'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    plugins: { 'import-x': importX },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    settings: { 'import-x/resolver-next': [createTypeScriptImportResolver({ project: './tsconfig.json' })] },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'import-x/no-restricted-paths': ['error', { basePath: import.meta.dirname, zones }],
      'import-x/no-cycle': 'error',
      eqeqeq: 'error',
    },
  },
  {
    // Workflow code is replayed: it may ask nothing outside its history.
    files: ['workflows/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: [
                'node:*',
                'fs',
                'path',
                'crypto',
                'kafkajs',
                '@clickhouse/*',
                '@tensorflow/*',
                'chdb',
                'pino',
              ],
              message: 'Workflow code is deterministic: effects belong in activities.',
            },
          ],
        },
      ],
      'no-restricted-globals': ['error', 'process', 'fetch', 'setInterval', 'setImmediate', 'require'],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'Seeds come from coordinates.' },
      ],
    },
  },
  {
    files: [
      'src/tasks/**/*.ts',
      'src/reward/**/*.ts',
      'src/buffer/**/*.ts',
      'src/policy/**/*.ts',
      'src/learner/**/*.ts',
      'pipelines/**/*.ts',
    ],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'Seeds come from coordinates.' },
      ],
    },
  },
  {
    files: ['**/*.mjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        Buffer: 'readonly',
        fetch: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        AbortController: 'readonly',
        AbortSignal: 'readonly',
        setInterval: 'readonly',
        clearInterval: 'readonly',
      },
    },
  },
);
