/** A message of the log as rows of its table, or the reason why it has none: what the sink and a retry share. */
import type { AzrEvent } from '../schemas/generated/events.js';
import type { ServiceAddresses } from '../src/config/addresses.js';
import { eventRows, type EventRows } from './clickhouse/rows.js';
import { decodeMessage } from './kafka-event-log.js';
import { DerivedSchemaIds, RegistrySchemaIds, type LoadableSchemaIds } from './schema-ids.js';
import { EventDecoder, type Decoded } from './serde.js';

export interface MessagePlace {
  readonly partition: number;
  readonly offset: bigint;
  readonly value: Buffer | null;
}

export type MessageRows =
  | ({ readonly ok: true; readonly event: AzrEvent } & EventRows)
  | { readonly ok: false; readonly reason: string; readonly detail: string };

export class MessageProjector {
  readonly #ids: LoadableSchemaIds;
  readonly #decoder: EventDecoder;

  private constructor(ids: LoadableSchemaIds) {
    this.#ids = ids;
    this.#decoder = new EventDecoder(ids);
  }

  static async open(
    addresses: Pick<ServiceAddresses, 'kafkaBrokers' | 'schemaRegistryUrl'>,
  ): Promise<MessageProjector> {
    return new MessageProjector(
      addresses.schemaRegistryUrl === undefined
        ? new DerivedSchemaIds(addresses.kafkaBrokers)
        : await RegistrySchemaIds.connect(addresses.schemaRegistryUrl),
    );
  }

  /**
   * A message that cannot become rows must not stop the ones behind it: it gets a reason. There is something to wait for
   * only where its schema is not known yet.
   */
  rowsOf(message: MessagePlace): MessageRows | Promise<MessageRows> {
    if (message.value === null) return { ok: false, reason: 'empty', detail: 'the message has no value' };
    const decoded = decodeMessage(this.#decoder, this.#ids, message.value);
    return decoded instanceof Promise
      ? decoded.then((late) => this.#rowsOf(late, message))
      : this.#rowsOf(decoded, message);
  }

  #rowsOf(decoded: Decoded, message: MessagePlace): MessageRows {
    if (!decoded.ok) return decoded;
    const { event } = decoded;
    try {
      const at = { partition: message.partition, offset: message.offset.toString() };
      return { ok: true, event, ...eventRows(event, at) };
    } catch (error) {
      return { ok: false, reason: 'bad-row', detail: `${event.type}: ${(error as Error).message}` };
    }
  }
}
