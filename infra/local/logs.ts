/** Log files of supervised processes: appended by the process itself, rotated by copying and truncating. */
import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  truncateSync,
} from 'node:fs';

export const ROTATE_BYTES = 16 << 20;
const KEPT = 2;

/** Above the size: FILE becomes FILE.1, that FILE.2. The process keeps its handle, which appends. */
export function rotate(file: string, bytes: number = ROTATE_BYTES): boolean {
  if (!existsSync(file) || statSync(file).size <= bytes) return false;
  for (let i = KEPT - 1; i >= 1; i--)
    if (existsSync(`${file}.${i}`)) renameSync(`${file}.${i}`, `${file}.${i + 1}`);
  copyFileSync(file, `${file}.1`);
  truncateSync(file);
  return true;
}

/** The text from `offset` on, at most the last `maximum` bytes; '' where there is no file. A truncated file is read whole. */
export function readFrom(file: string, offset: number, maximum = 1 << 20): string {
  if (!existsSync(file)) return '';
  const { size } = statSync(file);
  const start = Math.max(size < offset ? 0 : offset, size - maximum);
  const buffer = Buffer.alloc(size - start);
  const handle = openSync(file, 'r');
  try {
    return buffer.toString('utf8', 0, readSync(handle, buffer, 0, buffer.length, start));
  } finally {
    closeSync(handle);
  }
}

/** The last lines that are not empty, each cut to a width. */
export function lastLines(file: string, count: number, offset = 0): string[] {
  return readFrom(file, offset, 16 << 10)
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-count)
    .map((line) => (line.length > 300 ? `${line.slice(0, 300)}…` : line));
}
