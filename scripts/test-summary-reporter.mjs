// A vitest reporter that writes what `npm test` counts: its own JSON reporter leaves out the notes of `ctx.skip(note)`,
// and the errors of hooks. Where it goes: AZR_TEST_SUMMARY. Shape:
//   {passed, failed: [{name, why}], skipped: [{name, note}]}
import { writeFileSync } from 'node:fs';

const firstLine = (error) => String(error?.message ?? error).split('\n')[0];

export default class SummaryReporter {
  /** Called once at the end with every file that was run. */
  onTestRunEnd(modules, unhandledErrors) {
    const summary = { passed: 0, failed: [], skipped: [] };
    for (const module of modules) {
      const file = module.relativeModuleId ?? module.moduleId;
      const fail = (name, error) => summary.failed.push({ name: `${file} > ${name}`, why: firstLine(error) });
      // A file that does not load and a hook that throws have no test case of their own; their tests read as skipped.
      for (const error of module.errors()) fail('(file)', error);
      const broken = new Set();
      for (const suite of module.children.allSuites()) {
        if (suite.errors().length > 0) broken.add(suite);
        for (const error of suite.errors()) fail(`${suite.fullName} (hook)`, error);
      }
      for (const test of module.children.allTests()) {
        const { state, note, errors } = test.result();
        if (state === 'passed') summary.passed += 1;
        else if (state === 'skipped')
          summary.skipped.push({
            name: `${file} > ${test.fullName}`,
            note: note ?? reasonAround(test, broken),
          });
        else fail(test.fullName, errors?.[0] ?? 'it did not come to its end');
      }
    }
    for (const error of unhandledErrors)
      summary.failed.push({ name: '(outside any test)', why: firstLine(error) });
    writeFileSync(process.env.AZR_TEST_SUMMARY, JSON.stringify(summary));
  }
}

/** A test without a note of its own: a failed hook above it, or `skipIf`, which takes none. */
function reasonAround(test, broken) {
  for (let parent = test.parent; parent?.type === 'suite'; parent = parent.parent)
    if (broken.has(parent)) return 'a hook of its suite failed';
  if (test.module.errors().length > 0) return 'its file failed';
  return test.options.mode === 'todo' ? 'todo' : 'marked in its file (skip or skipIf); see its warning above';
}
