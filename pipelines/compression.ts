/**
 * How batches of the log are compressed: gzip, which every Kafka client reads and Node 20 has inside (zstd would be a fifth
 * smaller on long texts; Node has it from version 22.15). Level 1 gives 93 to 97 % of what level 6 saves on long texts at
 * twice its speed: docs/OPERATIONS.md has the measurement. A log may hold compressed and plain batches side by side.
 */
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import kafkajs from 'kafkajs';

// By the default export: Node does not see these two among the names of a CommonJS module.
const { CompressionCodecs, CompressionTypes } = kafkajs;
const LEVEL = 1;
const pack = promisify(gzip) as (bytes: Buffer, options: { level: number }) => Promise<Buffer>;
const unpack = promisify(gunzip) as (bytes: Buffer) => Promise<Buffer>;

// kafkajs looks codecs up in this table of its module, by the type that a send names.
CompressionCodecs[CompressionTypes.GZIP] = () => ({
  compress: (encoder: { buffer: Buffer }) => pack(encoder.buffer, { level: LEVEL }),
  decompress: (bytes: Buffer) => unpack(bytes),
});

export const LOG_COMPRESSION = CompressionTypes.GZIP;
