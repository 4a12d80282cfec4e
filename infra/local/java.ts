/** The Java runtime that runs the broker. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { StackError } from './errors.js';
import { findOnPath } from './programs.js';

const run = promisify(execFile);
const OLDEST = 17;
const REMEDY =
  'Install one: apt-get install -y openjdk-17-jre-headless (npm start does it as root on Debian and Ubuntu)';

export interface Java {
  readonly command: string;
  readonly major: number;
}

/** JAVA_HOME's, else the one on PATH. @throws StackError where there is none, or an old one. */
export async function findJava(env: NodeJS.ProcessEnv = process.env): Promise<Java> {
  const home = env['JAVA_HOME'];
  const command =
    (home === undefined || home === '' ? undefined : findOnPath('java', path.join(home, 'bin'))) ??
    findOnPath('java', env['PATH']);
  if (command === undefined)
    throw new StackError(
      `java (${OLDEST} or newer, for the Kafka broker) is neither on PATH nor in JAVA_HOME. ${REMEDY}`,
      'missing',
    );
  let said: string;
  try {
    said = (await run(command, ['-version'], { timeout: 30_000 })).stderr;
  } catch (error) {
    throw new StackError(`${command} -version fails: ${(error as Error).message}. ${REMEDY}`, 'missing');
  }
  const major = parseJavaVersion(said);
  if (major === undefined || major < OLDEST)
    throw new StackError(
      `${command} is ${major === undefined ? JSON.stringify(said.split('\n')[0]) : `Java ${major}`}; accepted is ${OLDEST} or newer. ${REMEDY}`,
      'missing',
    );
  return { command, major };
}

/** The major version out of `java -version`: "17.0.15" is 17, "1.8.0_392" is 8. */
export function parseJavaVersion(said: string): number | undefined {
  const found = /version "(?:1\.)?(\d+)/.exec(said)?.[1];
  return found === undefined ? undefined : Number(found);
}
