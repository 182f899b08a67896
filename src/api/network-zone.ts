import type { ConfigMap } from './common.ts';

export interface NetworkZonePut {
  readonly description?: string;
  readonly config?: ConfigMap | null;
}

export interface NetworkZonesPost extends NetworkZonePut {
  readonly name: string;
}

/** GET /1.0/network-zones/{zone} */
export interface NetworkZone {
  readonly name: string;
  readonly description: string;
  readonly config: ConfigMap;
  readonly used_by: readonly string[];
}

export interface NetworkZoneEntry {
  readonly type: string;
  /** seconds; absent = 300 */
  readonly ttl?: number;
  /** as in a zone file */
  readonly value: string;
}

export interface NetworkZoneRecordPut {
  readonly description?: string;
  readonly entries?: readonly NetworkZoneEntry[] | null;
  readonly config?: ConfigMap | null;
}

export interface NetworkZoneRecordsPost extends NetworkZoneRecordPut {
  readonly name: string;
}

/** GET /1.0/network-zones/{zone}/records/{name} */
export interface NetworkZoneRecord {
  readonly name: string;
  readonly description: string;
  readonly entries: readonly NetworkZoneEntry[];
  readonly config: ConfigMap;
}
