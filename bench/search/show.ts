/** Prints sampled answers of a saved checkpoint: what a thought looks like. */
import { readFile } from 'node:fs/promises';
import { TensorflowEngine } from '../../src/policy/engine/tensorflow-engine.js';
import type { CheckpointRef } from '../../src/policy/port.js';
import { tinyHeldOut } from '../../src/evaluation/tiny-held-out.js';
import { tinyCodec } from '../../src/policy/tiny/codec.js';
import { parseProgram, OPERATIONS } from '../../src/policy/tiny/operations.js';
import { taskKinds } from '../../src/tasks/index.js';
const [file, kind, length, n, temperature] = process.argv.slice(2);
const checkpoint = JSON.parse(await readFile(file ?? '', 'utf8')) as CheckpointRef;
const engine = new TensorflowEngine(1);
const tasks = tinyHeldOut(150)
  .map((e) => e.task)
  .filter((t) => t.kind === kind && parseProgram(t.code)?.length === Number(length))
  .slice(0, Number(n));
const prompts = tasks.map((t) => tinyCodec.solvePrompt(t.kind, taskKinds[t.kind].solverView(t)));
const samples = await engine.sample(
  checkpoint,
  prompts.map((p, i) => ({
    id: String(i),
    prompt: p.tokens,
    seed: i,
    temperature: Number(temperature),
    maxTokens: p.maxTokens,
    grammar: p.grammar ?? '',
  })),
);
tasks.forEach((t, i) =>
  console.log(
    tinyCodec.text(prompts[i]?.tokens ?? []),
    ' => ',
    tinyCodec.text(samples[i]?.tokens ?? []),
    ' RIGHT:',
    parseProgram(t.code)
      ?.map((o) => OPERATIONS[o]?.name)
      .join(' '),
  ),
);
await engine.close();
