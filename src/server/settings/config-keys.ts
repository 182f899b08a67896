import { ageProblem } from '#base/age.ts';
import { defineKeys } from '#base/config-schema.ts';
import { isProxyUrl } from '#client/proxy.ts';
import { parseAddress } from './address.ts';

/** Server config, as in LXD 5.0, as far as it has an effect here; the rest is named and refused. */
export const serverKeys = defineKeys({
  'core.https_address': {
    type: 'string',
    summary: 'Address and port that the API is served on over HTTPS; port 8443 unless given',
    check: addressProblem,
  },
  'core.https_allowed_credentials': {
    type: 'boolean',
    summary: 'Let web pages of the allowed origin send their credentials',
  },
  'core.https_allowed_headers': { type: 'string', summary: 'Access-Control-Allow-Headers for web pages' },
  'core.https_allowed_methods': { type: 'string', summary: 'Access-Control-Allow-Methods for web pages' },
  'core.https_allowed_origin': {
    type: 'string',
    summary: 'Origin whose web pages may use the API: Access-Control-Allow-Origin',
  },
  'core.dns_address': {
    type: 'string',
    summary: 'Address and port that network zones are served on over DNS; port 53 unless given',
    check: addressProblem,
  },
  'core.metrics_address': {
    type: 'string',
    summary: 'Address and port that metrics, and nothing else, are served on over HTTPS',
    check: addressProblem,
  },
  'core.metrics_authentication': {
    type: 'boolean',
    default: 'true',
    summary: 'Whether only trusted clients and metrics certificates may read metrics',
  },
  'core.proxy_http': {
    type: 'string',
    summary: 'Proxy that images are fetched through from http:// addresses; the daemon’s environment counts unless set',
    check: proxyProblem,
  },
  'core.proxy_https': {
    type: 'string',
    summary: 'Proxy that images are fetched through from https:// addresses',
    check: proxyProblem,
  },
  'core.proxy_ignore_hosts': {
    type: 'string',
    summary: 'Hosts that are reached without the proxy: names, addresses, subnets, separated by commas',
  },
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
    summary: 'Minutes that running operations get to end when the daemon is shut down',
  },
  'core.trust_ca_certificates': {
    type: 'boolean',
    default: 'false',
    summary: 'Whether clients that the authority in server.ca has signed need not be added',
  },
  'core.trust_password': { type: 'string', summary: 'Password that lets a new client add its certificate' },
  'backups.compression_algorithm': {
    type: 'string',
    summary: 'Compression of backups: bzip2, gzip, pigz, xz, zstd or none',
    default: 'gzip',
    check: value =>
      /^(?:none|(?:bzip2|gzip|pigz|xz|zstd)(?: -(?:e|1?[0-9]))?)$/.test(value)
        ? undefined
        : `Invalid compression algorithm ${JSON.stringify(value.split(' ')[0])}`,
  },
  'images.auto_update_cached': {
    type: 'boolean',
    summary: 'Keep images that were fetched for an instance up to date',
    default: 'true',
  },
  'images.auto_update_interval': {
    type: 'integer',
    summary: 'Hours between looks for new image versions; 0 = never',
    default: '6',
    min: 0,
    max: 87_600,
  },
  'images.compression_algorithm': {
    type: 'string',
    summary: 'Compression of images made from instances: bzip2, gzip, pigz, xz, zstd, squashfs or none',
    default: 'gzip',
    check: value =>
      /^(?:none|squashfs|(?:bzip2|gzip|pigz|xz|zstd)(?: -(?:e|1?[0-9]))?)$/.test(value)
        ? undefined
        : `Invalid compression algorithm ${JSON.stringify(value.split(' ')[0])}`,
  },
  'images.default_architecture': {
    type: 'enum',
    summary: "Architecture of images when none is asked for; this machine's unless set",
    values: ['x86_64', 'i686', 'aarch64', 'armv7l', 'ppc64le', 'riscv64', 's390x'],
  },
  'images.remote_cache_expiry': {
    type: 'integer',
    summary: 'Days after which an unused fetched image is removed; 0 = never',
    default: '10',
    min: 0,
    max: 36_500,
  },
  'network.firewall.coexist': {
    type: 'boolean',
    summary: 'Whether to let networks pass firewalls of others (Docker, ufw), by rules in the chains of their users',
    default: 'false',
  },
  'storage.backups_volume': {
    type: 'string',
    summary: 'Custom volume that holds backups, as POOL/VOLUME; the state directory unless set',
    check: volumeProblem,
  },
  'storage.images_volume': {
    type: 'string',
    summary: 'Custom volume that holds the files of images, as POOL/VOLUME; the state directory unless set',
    check: volumeProblem,
  },
  'undo.expiry': {
    type: 'string',
    summary: 'Age at which what is kept for an undo goes, such as "7d"; ours',
    default: '7d',
    check: ageProblem,
  },
  'undo.snapshots': {
    type: 'enum',
    summary: 'Whose restores take a snapshot before: those of clients that ask, all (always), none (never); ours',
    values: ['asked', 'always', 'never'],
    default: 'asked',
  },
  'undo.trash': {
    type: 'enum',
    summary: 'Whose deletions go to the trash: those of clients that ask, all (always), none (never); ours',
    values: ['asked', 'always', 'never'],
    default: 'asked',
  },
  'user.*': { type: 'text', summary: 'Free for users' },
});

/** Keys of this server alone, kept in the local database; all others are shared. */
export const localKeys: readonly string[] = ['core.https_address', 'core.metrics_address', 'core.dns_address'];

/** Keys whose values are kept as a hash and never shown. */
export const secretKeys: readonly string[] = ['core.trust_password'];

function volumeProblem(value: string): string | undefined {
  return /^[^/]+\/[^/]+$/.test(value) ? undefined : 'must be <pool>/<volume>';
}

function addressProblem(value: string): string | undefined {
  return parseAddress(value) ? undefined : 'must be an address such as 192.0.2.1:8443, [::]:8443 or :8443';
}

function proxyProblem(value: string): string | undefined {
  return isProxyUrl(value) ? undefined : 'must be the URL of a proxy, such as http://proxy.example:3128';
}
