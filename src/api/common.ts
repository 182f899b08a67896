/** Config as on the wire: every value is a string. */
export type ConfigMap = Readonly<Record<string, string>>;

/** A device as on the wire: its `type` and its options. */
export type DeviceMap = Readonly<Record<string, string>>;

/** Devices by name. */
export type DevicesMap = Readonly<Record<string, DeviceMap>>;

/** Name of the project that exists from the start and cannot be deleted. */
export const defaultProject = 'default';

/** RFC 3339 time that LXD uses for "never" and "not yet". */
export const zeroTime = '0001-01-01T00:00:00Z';
