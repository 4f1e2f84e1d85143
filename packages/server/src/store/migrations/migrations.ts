import { migration0001 } from './0001-log.ts';
import type { Migration } from './migration.ts';

/** Oldest first, versions from 1 without gaps. `schema.sql` is what they make together. */
export const MIGRATIONS: readonly Migration[] = [migration0001];

export const SCHEMA_VERSION: number = MIGRATIONS.length;
