// npm test: set up, build, then every gate, each even where one before it failed: types, lint, format, unit tests,
// integration tests. The last line is exactly `N passed, N failed, N skipped`: test cases, and each other gate as one.
//   npm test                                 everything
//   npm test -- --only unit                  one gate: types, lint, format, unit, integration
//   npm test -- --only tests/unit/sandbox    the tests whose path holds this text
// A set-up or build that fails ends it at once with its own exit code.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { EXIT } from './bootstrap/exit-codes.mjs';
import { ROOT } from './bootstrap/index.mjs';
import { prepare, runMain } from './bootstrap/main.mjs';
import { runAttached } from './bootstrap/programs.mjs';

const RESULTS = path.join(ROOT, 'test-results');
const program = (file) => path.join(ROOT, 'node_modules', file);
const vitest = (name, args) => ({ name, tests: true, args: [program('vitest/vitest.mjs'), 'run', ...args] });

const GATES = [
  { name: 'types', args: [program('typescript/bin/tsc'), '--noEmit', '-p', 'tsconfig.json'] },
  { name: 'lint', args: [program('eslint/bin/eslint.js'), '.'] },
  { name: 'format', args: [program('prettier/bin/prettier.cjs'), '--check', '--log-level=warn', '.'] },
  vitest('unit', ['--project', 'unit']),
  vitest('integration', ['--project', 'integration']),
];
const USAGE = `npm test [-- --only ${GATES.map(({ name }) => name).join('|')}|PATH]`;

class UsageError extends Error {
  exitCode = EXIT.usage;
}

/** The gates that the arguments ask for. */
function chosenGates(args) {
  if (args.length === 0) return GATES;
  const [option, value, ...more] = args[0].startsWith('--only=')
    ? ['--only', args[0].slice(7), ...args.slice(1)]
    : args;
  if (option !== '--only')
    throw new UsageError(`argument ${JSON.stringify(option)} is unknown; accepted: ${USAGE}`);
  if (value === undefined || value === '' || more.length > 0)
    throw new UsageError(
      `--only takes one value, received ${JSON.stringify([value, ...more].filter(Boolean))}; accepted: ${USAGE}`,
    );
  const named = GATES.find(({ name }) => name === value);
  if (named !== undefined) return [named];
  const given = path.relative(ROOT, path.resolve(ROOT, value));
  const files = readdirSync(path.join(ROOT, 'tests'), { recursive: true }).map((file) =>
    path.join('tests', file),
  );
  if (!files.some((file) => file.endsWith('.test.ts') && file.includes(given)))
    throw new UsageError(
      `--only is ${JSON.stringify(value)}: no test file's path holds it; accepted: ${USAGE}`,
    );
  return [vitest(given, [given])];
}

async function runGate({ name, args, tests = false }, index) {
  const summaryFile = path.join(RESULTS, `summary-${index}.json`);
  rmSync(summaryFile, { force: true });
  const reporters = tests
    ? ['--reporter=default', `--reporter=${path.join(ROOT, 'scripts', 'test-summary-reporter.mjs')}`]
    : [];
  const env = { ...process.env, AZR_TEST_SUMMARY: summaryFile };
  console.log(`\n== ${name}`);
  const started = performance.now();
  const code = await runAttached(process.execPath, [...args, ...reporters], { cwd: ROOT, env });
  const seconds = (performance.now() - started) / 1000;
  const result = tests ? readSummary(summaryFile, name, code) : gateResult(name, code);
  console.log(`== ${name}: ${result.failed.length === 0 ? 'passed' : 'FAILED'} in ${seconds.toFixed(1)} s`);
  return result;
}

const gateResult = (name, code) => ({
  passed: code === 0 ? 1 : 0,
  failed: code === 0 ? [] : [{ name, why: `exit code ${code}` }],
  skipped: [],
});

function readSummary(file, name, code) {
  if (!existsSync(file)) return gateResult(`${name} (no result came)`, code === 0 ? EXIT.unexpected : code);
  const summary = JSON.parse(readFileSync(file, 'utf8'));
  if (code !== 0 && summary.failed.length === 0)
    summary.failed.push({ name, why: `exit code ${code} of vitest` });
  return summary;
}

await runMain(async () => {
  const args = process.argv.slice(2);
  if (args.includes('--help') || args.includes('-h')) {
    console.log(USAGE);
    return EXIT.ok;
  }
  const gates = chosenGates(args);
  await prepare();
  mkdirSync(RESULTS, { recursive: true });
  let interrupted = false;
  process.on('SIGINT', () => (interrupted = true)).on('SIGTERM', () => (interrupted = true));
  const results = [];
  for (const [index, gate] of gates.entries()) if (!interrupted) results.push(await runGate(gate, index));
  if (interrupted) results.push(gateResult('interrupted', EXIT.interrupted));
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const failed = results.flatMap((result) => result.failed);
  const skipped = results.flatMap((result) => result.skipped);
  if (skipped.length > 0) console.log('\nskipped:');
  for (const { name, note } of skipped) console.log(`  ${name}: ${note}`);
  if (failed.length > 0) console.log('\nfailed:');
  for (const { name, why } of failed) console.log(`  ${name}: ${why}`);
  console.log(`\n${passed} passed, ${failed.length} failed, ${skipped.length} skipped`);
  return interrupted ? EXIT.interrupted : failed.length === 0 ? EXIT.ok : EXIT.unexpected;
});
