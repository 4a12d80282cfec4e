// A sink as a process that a test can kill: BROKERS URL DATABASE [MESSAGES A BATCH]. Runs the compiled modules.
import { runSink } from '../../dist/pipelines/sink.js';

const [brokers = '', clickhouseUrl = '', clickhouseDatabase = '', batchMessages] = process.argv.slice(2);
await runSink({
  addresses: { kafkaBrokers: brokers.split(','), clickhouseUrl, clickhouseDatabase },
  signal: new AbortController().signal,
  onReady: () => process.stdout.write('ready\n'),
  onError: (error) => process.stderr.write(`${error.message}\n`),
  ...(batchMessages === undefined ? {} : { batchMessages: Number(batchMessages) }),
});
