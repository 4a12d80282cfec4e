/** The prompt codec of a run's policy. */
import { requireModelFolder } from '../config/policy-present.js';
import { stableJson } from '../config/presets.js';
import type { RunConfig } from '../config/run.js';
import type { PolicyCodec } from '../policy/codec.js';
import { textCodecOfModel } from '../policy/text/of-model.js';
import { tinyCodecOf } from '../policy/tiny/codec.js';
import { tinyFeatures } from '../policy/tiny/features.js';

export interface Codecs {
  /** @throws ModelMissingError, ModelFileError, RangeError where a pre-trained model's folder is none of this run's. */
  of(config: RunConfig): Promise<PolicyCodec>;
}

/** A model's files are read once for all runs of the same policy, propose and sandbox configuration. */
export function createCodecs(): Codecs {
  const byConfig = new Map<string, Promise<PolicyCodec>>();
  return {
    of({ policy, propose, sandbox }) {
      if (policy.kind === 'tiny')
        return Promise.resolve(tinyCodecOf(tinyFeatures(policy, propose).operations));
      const key = stableJson({ policy, propose, sandbox });
      let codec = byConfig.get(key);
      if (codec === undefined) {
        codec = requireModelFolder(policy).then((folder) =>
          textCodecOfModel(folder, policy, { propose, sandbox }),
        );
        byConfig.set(key, codec);
        // A folder that is put in place later is looked for again.
        codec.catch(() => byConfig.delete(key));
      }
      return codec;
    },
  };
}
