/** A run's configuration as RunStarted recorded it, kept per run: no step reads a file to know what to do. */
import type { EventLog } from '../../pipelines/event-log.js';
import { checkRunConfig } from '../config/presets.js';
import type { RunConfig } from '../config/run.js';
import type { RunRef } from '../../workflows/types.js';

export class RunConfigs {
  readonly #log: EventLog;
  readonly #known = new Map<string, Promise<RunConfig>>();

  constructor(log: EventLog) {
    this.#log = log;
  }

  of(run: RunRef): Promise<RunConfig> {
    let config = this.#known.get(run.runId);
    if (config === undefined) {
      config = this.#load(run);
      this.#known.set(run.runId, config);
      config.catch(() => this.#known.delete(run.runId));
    }
    return config;
  }

  async #load(run: RunRef): Promise<RunConfig> {
    const event = (await this.#log.read(run.started)).find((candidate) => candidate.type === 'RunStarted');
    if (event?.type !== 'RunStarted') throw new Error(`the log holds no RunStarted for run ${run.runId}`);
    return checkRunConfig(JSON.parse(event.data.configJson), `RunStarted of ${run.runId}`).config;
  }
}
