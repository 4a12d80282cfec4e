/** Where each service answers: given in the config, or found in the running local stack's state. */
export interface ServiceAddresses {
  readonly kafkaBrokers: readonly string[];
  /** host:port of the Temporal frontend. */
  readonly temporalAddress: string;
  readonly temporalNamespace: string;
  /** Absent where no web UI is known. */
  readonly temporalUiUrl?: string;
  /** HTTP endpoint of ClickHouse or of the embedded engine. */
  readonly clickhouseUrl: string;
  readonly clickhouseDatabase: string;
  /** Confluent-compatible; absent: the compacted schemas topic serves. */
  readonly schemaRegistryUrl?: string;
}
