/** One step of the schema. Applied once, in one transaction, and never changed afterwards. */
export interface Migration {
  /** The database's `user_version` once it is applied. */
  readonly version: number;
  readonly sql: string;
}
