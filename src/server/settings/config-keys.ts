import { defineKeys } from '#base/config-schema.ts';
import { parseAddress } from './address.ts';

const compressors = ['bzip2', 'gzip', 'lz4', 'lzma', 'xz', 'zstd', 'none'];

/** Server config, as in LXD 5.0, as far as it has an effect here. */
export const serverKeys = defineKeys({
  'core.https_address': {
    type: 'string',
    summary: 'Address and port that the API is served on over HTTPS; port 8443 unless given',
    check: addressProblem,
  },
  'core.proxy_http': { type: 'string', summary: 'HTTP proxy for downloads' },
  'core.proxy_https': { type: 'string', summary: 'HTTPS proxy for downloads' },
  'core.proxy_ignore_hosts': { type: 'string', summary: 'Hosts that are reached without the proxy' },
  'core.remote_token_expiry': {
    type: 'string',
    summary: 'How long a trust token may be used, such as 1H 2d; no limit unless set',
    check: value =>
      /^(\d+[SMHdwmy])( \d+[SMHdwmy])*$/.test(value) ? undefined : 'must be a time span such as 1H or 2d',
  },
  'core.shutdown_timeout': {
    type: 'integer',
    min: 0,
    default: '5',
    summary: 'Minutes that running operations get to end when the daemon stops',
  },
  'core.trust_password': { type: 'string', summary: 'Password that lets a new client add its certificate' },
  'backups.compression_algorithm': {
    type: 'enum',
    values: compressors,
    default: 'gzip',
    summary: 'Compression of backups',
  },
  'images.auto_update_cached': {
    type: 'boolean',
    default: 'true',
    summary: 'Keep images that were fetched for an instance up to date',
  },
  'images.auto_update_interval': {
    type: 'integer',
    min: 0,
    default: '6',
    summary: 'Hours between looks for new image versions; 0 = never',
  },
  'images.compression_algorithm': {
    type: 'enum',
    values: compressors,
    default: 'gzip',
    summary: 'Compression of images made from instances',
  },
  'images.default_architecture': { type: 'string', summary: 'Architecture of images when none is asked for' },
  'images.remote_cache_expiry': {
    type: 'integer',
    min: 0,
    default: '10',
    summary: 'Days after which an unused fetched image is removed',
  },
  'user.*': { type: 'text', summary: 'Free for users' },
});

/** Keys of this server alone, kept in the local database; all others are shared. */
export const localKeys: readonly string[] = ['core.https_address'];

/** Keys whose values are kept as a hash and never shown. */
export const secretKeys: readonly string[] = ['core.trust_password'];

function addressProblem(value: string): string | undefined {
  return parseAddress(value) ? undefined : 'must be an address such as 192.0.2.1:8443, [::]:8443 or :8443';
}
